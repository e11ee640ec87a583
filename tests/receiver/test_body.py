"""Bodies: JSON text passes byte for byte, structured values become JSON, everything else is refused."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otel_modeldata_receiver import body
from otel_modeldata_receiver.body import Body
from otel_modeldata_receiver.exceptions import BadRecordError
from otlp_requests import any_value

JSON = "application/json"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(TEXT, CELLS, max_size=4), max_size=4)


def rows(value: object, content_type: str = JSON) -> Body:
    return body.read(any_value(value), tabular=True, content_type=content_type)


def payload(value: object, content_type: str = JSON) -> Body:
    return body.read(any_value(value), tabular=False, content_type=content_type)


@given(ROWS, st.booleans(), st.sampled_from([None, (",", ":"), (" , ", " : ")]))
def test_any_rows_survive_byte_for_byte(value: list[Any], ascii_only: bool, separators: tuple[str, str] | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=separators)
    assert rows(text) == Body(text.encode(), len(text.encode()))


@given(CELLS)
def test_any_json_value_survives_in_a_payload_collection(value: Any) -> None:
    text = json.dumps(value)
    assert payload(text) == Body(text.encode(), len(text))


def test_escapes_numbers_and_separators_are_never_printed_again() -> None:
    text = '[{"a":1.0e+2,"b":"\\/\\u003c<\\ud83d\\ude00\u2028","c":100000000000000000000000000,"a":2}]'
    assert rows(text).json == text.encode()


def test_line_breaks_between_tokens_become_spaces() -> None:
    text = '[\r\n  {"a": "x\\ny"}\n]\n'
    assert rows(text) == Body(b'[    {"a": "x\\ny"} ] ', len(text))


def test_a_single_object_stands_for_one_row_and_its_size_is_that_of_the_object() -> None:
    assert rows('{"a":1}') == Body(b'[{"a":1}]', 7)
    assert rows({"a": 1}) == Body(b'[{"a":1}]', 9)  # a structured body has no text of its own


def test_no_rows_are_rows() -> None:
    assert rows("[]") == Body(b"[]", 2)


def test_json_in_a_bytes_body_is_text() -> None:
    assert rows(b'[{"a":"\xc3\xa9"}]') == Body(b'[{"a":"\xc3\xa9"}]', 12)


def test_text_that_is_not_declared_json_becomes_a_json_string() -> None:
    assert payload('say "hi"\n', "text/plain; charset=utf-8") == Body(b'"say \\"hi\\"\\n"', 9)
    assert payload("", "text/plain") == Body(b'""', 0)


@pytest.mark.parametrize("content_type", ["application/json", "text/json", "Application/Ld+JSON; charset=utf-8"])
def test_json_content_types_are_known(content_type: str) -> None:
    assert body.is_json(content_type)


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonl", "application/octet-stream"])
def test_other_content_types_are_not_json(content_type: str) -> None:
    assert not body.is_json(content_type)
    with pytest.raises(BadRecordError, match=r"^content type: expected JSON rows"):
        rows("[]", content_type)


@pytest.mark.parametrize("content_type", ["json", "a/b/c", "a b/c", "text/plain; \x00", "a/b; " + "x" * 256])
def test_what_is_no_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(BadRecordError, match=r"^content type: expected a media type"):
        payload("1", content_type)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "[{]",
        '[{"a":1},]',
        '[{"a":NaN}]',
        '[{"a":Infinity}]',
        '[{"a":01}]',
        "[{'a':1}]",
        '[{"a":1}] x',
        '[{"a":1}',
        '[{"a":"\x01"}]',
        '[{"a":"x\ny"}]',
        '[{"a":"\\x"}]',
        '[{"a":"\\ud800"}]',
        "\ufeff[]",
        '{"a":1}{"a":2}',
    ],
)
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(BadRecordError, match=r"^body not JSON: "):
        rows(text)
    with pytest.raises(BadRecordError, match=r"^body not JSON: "):
        payload(text)


@pytest.mark.parametrize("text", ["null", "1", '"x"', "[1]", "[[1]]", '[{"a":1},null]', "true"])
def test_json_that_is_not_rows_is_refused_in_a_tabular_collection(text: str) -> None:
    with pytest.raises(BadRecordError, match=r"^body not rows: "):
        rows(text)
    assert payload(text).json == text.encode()


@pytest.mark.parametrize("value", [None, 1, 1.5, True, ["x"], [[{}]], [{"a": 1}, None]])
def test_a_structured_body_that_is_not_rows_is_refused_in_a_tabular_collection(value: object) -> None:
    with pytest.raises(BadRecordError, match=r"^body not rows: "):
        rows(value)


@pytest.mark.parametrize("template", ["[{}]", "{}", '[{"a":{}}]'])
def test_json_nested_without_measure_is_refused(template: str) -> None:
    deep = template.replace("{}", '{"a":' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(BadRecordError, match=r"^body too deep: "):
        rows(deep)
    with pytest.raises(BadRecordError, match=r"^body too deep: "):
        payload(deep)


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(BadRecordError, match=r"^binary body: "):
        payload(b"\x89PNG\xff")


def test_a_refusal_never_quotes_the_body() -> None:
    secret = "S3CRET"
    for text in (f'[{{"{secret}":}}]', f'["{secret}"]', secret, f'"{secret}"'):
        with pytest.raises(BadRecordError) as caught:
            rows(text)
        assert secret not in str(caught.value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=True, allow_infinity=True)
    | TEXT
    | st.binary(max_size=16)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def as_json(value: Any) -> Any:
    """What the documented rules make of `value`."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [as_json(item) for item in value]
        case dict():
            return {key: as_json(item) for key, item in value.items()}
    return value


def no_constants(name: str) -> None:
    raise AssertionError(name)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_any_structured_value_becomes_strict_json_equal_to_it(value: dict[str, Any]) -> None:
    read = payload(value)
    parsed = json.loads(read.json, parse_constant=no_constants)
    assert parsed == as_json(value)
    assert repr(parsed) == repr(as_json(value))  # 1 is not 1.0, and -0.0 is not 0.0
    assert read.size == len(read.json)
    assert b"\n" not in read.json


@given(st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=3))
def test_an_array_of_maps_becomes_rows(value: list[Any]) -> None:
    assert json.loads(rows(value).json) == as_json(value)


def test_a_structured_body_may_nest_as_deep_as_the_limit_and_no_deeper() -> None:
    def nested(depth: int) -> AnyValue:
        value = innermost = AnyValue()
        for _ in range(depth):
            innermost = innermost.array_value.values.add()
        innermost.string_value = "x"
        return value

    assert payload(nested(body.MAX_DEPTH)).json == b"[" * body.MAX_DEPTH + b'"x"' + b"]" * body.MAX_DEPTH
    with pytest.raises(BadRecordError, match=r"^body too deep: "):
        payload(nested(body.MAX_DEPTH + 1))


def test_a_value_meant_for_profiles_counts_as_absent() -> None:
    assert payload([AnyValue(string_value_strindex=3)]).json == b"[null]"
