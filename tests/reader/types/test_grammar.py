"""The text of a line is taken apart, or refused in one sentence."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.types import RowsMismatchError, TypesError, family, merge, parse


def test_runs_are_counted() -> None:
    assert parse("f8*3,i8,s*2").codes == ("f8", "f8", "f8", "i8", "s", "s")
    assert parse("").codes == ()
    assert parse("datetime64[ns, UTC]*2,c[i8|1]").codes == ("datetime64[ns, UTC]",) * 2 + ("c[i8|1]",)


@pytest.mark.parametrize(
    "text",
    [
        *("f3", "f8,", ",", "f8*0", "f8*", "*2", "f8*999999999", "f8*99999,f8*2", "O[", "O]", "O[]x", "[f8]", "f8 ,i8"),
        *("O[no]", "M8[h]", "M8", "datetime64[ns, UTC, UTC]", "arrow[no]", "arrow[struct[i8]]", "arrow[map[i8]]"),
        *("arrow[fixed_size_list[i8, -1]]", "arrow[decimal128[99, 1]]", "arrow[binary[99999999999999]]", "c[no|1]"),
        *("arrow[list[i8], 1]", "O[array[O]]", "O[array[f8, x]]", "interval", "é", "f8\n", "arrow[" * 40 + "]" * 40),
    ],
)
def test_a_text_that_is_not_of_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(TypesError, match=r"\Atypes of columns: expected [^\n]*\Z"):
        parse(text).schema(["c"])


@given(st.text(st.sampled_from("f8is*,[]|<:! cOarowMlt0"), max_size=40) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        types = parse(text)
        types.schema([str(number) for number in range(len(types.codes))])
        types.read([b"[]"], [str(number) for number in range(len(types.codes))])
    except ReaderError as error:
        assert "\n" not in str(error)  # noqa: PT017 - a text may also be right


@pytest.mark.parametrize(
    ("text", "data", "column"),
    [
        ("i8", b'[{"a":1.5}]', "'a'"),
        ("i8", b'[{"a":9223372036854775808}]', "'a'"),
        ("i1", b'[{"a":128}]', "'a'"),
        ("s", b'[{"a":1}]', "'a'"),
        ("f8", b'[{"a":"1"}]', "'a'"),
        ("b", b'[{"a":0}]', "'a'"),
        ("M8[ns]", b'[{"a":"yesterday"}]', "'a'"),
        ("M8[s]", b'[{"a":"2024-01-01T00:00:00.500000"}]', "'a'"),
        ("O[bytes]", b'[{"a":"*"}]', "'a'"),
        ("c[O|x]", b'[{"a":"y"}]', "'a'"),
        ("i8", b'[{"b":1}]', "'a'"),
        ("i8", b'[{"a":1,"b":1}]', "columns"),
        ("i8,i8", b'[{"a":1}]', "2 columns"),
        ("i8", b'{"a":1}', "array"),
        ("i8", b'[{"a":1}', "array"),
        ("i8", b"[1]", "array"),
        ("i8", b"null", "array"),
    ],
)
def test_rows_of_other_types_are_refused_with_the_column(text: str, data: bytes, column: str) -> None:
    with pytest.raises(RowsMismatchError, match=column):
        parse(text).read([b'[{"a":null}]', data], ["a"])


def test_lists_of_categories_are_united() -> None:
    assert family("c[s|a|b]") == "c"
    assert family("c[interval[i8, right]<(0%2C%201%5D]") == "c[interval[i8, right]]"
    assert family("f8") == "f8"
    assert merge(["f8", "f8"]) == "f8"
    assert merge(["f8", "f4"]) is None
    assert merge(["c[O|b|a]", "c[O|c|a]"]) == "c[O|b|a|c]"
    assert merge(["c[O|b|a]", "c[O]"]) == "c[O]"
    assert merge(["c[O<b<a]", "c[O<b<a]"]) == "c[O<b<a]"
    assert merge(["c[O<b<a]", "c[O<b<c]"]) == "c[O]"
    assert merge(["c", "c[O]"]) is None


def test_an_arrow_type_has_no_pandas_in_it() -> None:
    schema = parse("f8,s,c[O|a],datetime64[ns, UTC],O[decimal],O[date]").schema(list("abcdef"))
    assert schema.types == [
        pa.float64(),
        pa.string(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.timestamp("ns", "UTC"),
        pa.string(),
        pa.date32(),
    ]
