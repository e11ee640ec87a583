"""A document is decoded into a struct, or every problem is reported with its path."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata.validation.decoding import Rule, decode
from otel_modeldata.validation.problems import Problem


class Surrogate(msgspec.Struct, frozen=True, kw_only=True):
    number: int = 0


class Color(enum.Enum):
    RED = "Red"
    BLUE = "Blue"


Short = Annotated[str, Rule(expected="up to 3 letters", accepts=lambda text: len(text) <= 3, advice="shorten it")]


class Inner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Short
    count: int = 1


class Outer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    flag: bool = False
    ratio: float | None = None
    color: Color = Color.RED
    word: Literal["yes", "no"] = "yes"
    inner: Inner | None = None
    many: dict[Short, Inner | str] = {}
    names: Annotated[tuple[Short, ...], Rule(expected="names", accepts=bool)] = ("a",)
    version: str | int | None = None


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        ({}, Outer()),
        ({"flag": " TRUE "}, Outer(flag=True)),
        ({"flag": "0"}, Outer(flag=False)),
        ({"ratio": "0.5"}, Outer(ratio=0.5)),
        ({"ratio": None}, Outer()),
        ({"color": "bLUE"}, Outer(color=Color.BLUE)),
        ({"word": "NO"}, Outer(word="no")),
        ({"inner": {"name": "a", "count": "2"}}, Outer(inner=Inner(name="a", count=2))),
        ({"many": {"a": "b", "c": {"name": "d"}}}, Outer(many={"a": "b", "c": Inner(name="d")})),
        ({"names": ["x", "y"]}, Outer(names=("x", "y"))),
        ({"version": 1}, Outer(version=1)),
        ({"version": "1"}, Outer(version="1")),
    ],
)
def test_a_good_document_is_decoded(raw: dict[str, Any], decoded: Outer) -> None:
    assert decode(raw, Outer) == (decoded, ())


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        ({"flag": "perhaps"}, "flag", "expected true or false, got 'perhaps'"),
        ({"flag": None}, "flag", "expected true or false, got nothing"),
        ({"ratio": True}, "ratio", "expected a number, got True"),
        ({"color": "green"}, "color", "expected one of Red, Blue, got 'green'"),
        ({"word": ["no"]}, "word", "expected one of yes, no, got a list"),
        ({"inner": "s3cret"}, "inner", "expected a mapping, got text"),
        ({"inner": {}}, "inner.name", "expected up to 3 letters, got nothing"),
        ({"inner": {"name": "long"}}, "inner.name", "expected up to 3 letters, got 'long'; shorten it"),
        ({"inner": {"name": 7}}, "inner.name", "expected up to 3 letters, got 7; shorten it"),
        ({"inner": {"name": "a", "cuont": 2}}, "inner.cuont", "unknown key, did you mean 'count'?"),
        ({"inner": {"name": "a", "zzz": 2}}, "inner.zzz", "unknown key, expected one of name, count"),
        ({"many": {"long": "x"}}, "many.long", "expected up to 3 letters, got 'long'; shorten it"),
        ({"many": {"a.b": {"count": 1}}}, "many['a.b'].name", "expected up to 3 letters, got nothing"),
        ({"many": ["a"]}, "many", "expected a mapping, got a list"),
        ({"names": []}, "names", "expected names, got an empty one"),
        ({"names": ["a", "long"]}, "names[1]", "expected up to 3 letters, got 'long'; shorten it"),
        ({"names": "a"}, "names", "expected names, got text"),
        ({"version": 1.0}, "version", "expected text or a whole number, got 1.0"),
    ],
)
def test_a_wrong_value_is_one_problem_with_its_path(raw: dict[str, Any], path: str, message: str) -> None:
    decoded, problems = decode(raw, Outer)
    assert problems == (Problem(path, message),)
    assert decoded is not None


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    decoded, problems = decode({"flag": 7, "ratio": "x", "version": "1", "other": 1}, Outer)
    assert decoded == Outer(version="1")
    assert [problem.path for problem in problems] == ["other", "flag", "ratio"]


def test_bytes_that_are_not_utf_8_are_a_wrong_value() -> None:
    """As `os.environ` returns them."""
    decoded, problems = decode({"number": "\udc80"}, Surrogate)
    assert decoded == Surrogate()
    assert problems == (Problem("number", "expected a whole number, got '\\udc80'"),)


@pytest.mark.parametrize(("raw", "given"), [(None, "nothing"), ([1], "a list"), ("x", "text"), (3, "3")])
def test_a_document_that_is_not_a_mapping_has_no_struct(raw: object, given: str) -> None:
    assert decode(raw, Outer) == (None, (Problem("", f"expected a mapping, got {given}"),))


KEYS = st.sampled_from([*Outer.__struct_fields__, "x"])
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*Outer.__struct_fields__, "x"]), inner)
    ),
    max_leaves=10,
)


@given(raw=st.dictionaries(KEYS, documents))
def test_any_document_is_decoded_or_refused_without_an_exception(raw: dict[str, Any]) -> None:
    decoded, problems = decode(raw, Outer)
    assert isinstance(decoded, Outer)
    assert {problem.path.split(".")[0].split("[")[0] for problem in problems} <= raw.keys()
