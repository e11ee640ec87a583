"""Bodies of recorded rows, in the formats of model servers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.exceptions import ReplayError
from otel_modeldata_reader.replaying.body_formats import FORMATS, BodyError, body_of, format_named

ROWS = '[{"age":41,"rate":0.1234567890123456789,"who":"é\\u0000"},{"age":7,"rate":null,"who":"b"}]'


def rows(text: str) -> list[dict[str, msgspec.Raw]]:
    return msgspec.json.decode(text, type=list[dict[str, msgspec.Raw]])


def body(name: str, text: str = ROWS) -> str:
    return body_of(format_named(name), rows(text)).decode()


SPLIT = '{"columns":["age","rate","who"],"index":[0,1],"data":[[41,0.1234567890123456789,"é\\u0000"],[7,null,"b"]]}'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("input_data", f'{{"input_data":{SPLIT}}}'),
        ("dataframe_split", f'{{"dataframe_split":{SPLIT}}}'),
        ("dataframe_records", f'{{"dataframe_records":{ROWS}}}'),
        ("data", f'{{"data":{ROWS}}}'),
        ("inputs", f'{{"inputs":{ROWS}}}'),
        ("instances", f'{{"instances":{ROWS}}}'),
        ("records:my rows", f'{{"my rows":{ROWS}}}'),
        ("rows", ROWS),
    ],
)
def test_every_value_keeps_the_text_of_its_line(name: str, expected: str) -> None:
    assert body(name) == expected


def test_one_row_is_an_object_and_several_are_refused() -> None:
    assert body("row", '[{"a":1}]') == '{"a":1}'
    with pytest.raises(BodyError, match="expected one row"):
        body("row")


def test_the_columns_of_the_open_inference_protocol_are_tensors() -> None:
    assert json.loads(body("kserve-v2", '[{"i":1,"f":1,"t":"x","b":true},{"i":-2,"f":1e3,"t":"y","b":null}]')) == {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "i", "shape": [2, 1], "datatype": "INT64", "data": [1, -2]},
            {"name": "f", "shape": [2, 1], "datatype": "FP64", "data": [1, 1e3]},
            {
                "name": "t",
                "shape": [2, 1],
                "datatype": "BYTES",
                "parameters": {"content_type": "str"},
                "data": ["x", "y"],
            },
            {"name": "b", "shape": [2, 1], "datatype": "BOOL", "data": [True, None]},
        ],
    }


@pytest.mark.parametrize(("text", "reason"), [('[{"a":[1]}]', "no lists"), ('[{"a":1},{"a":"x"}]', "one kind")])
def test_what_a_tensor_cannot_hold_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BodyError, match=reason):
        body("kserve-v2", text)


@pytest.mark.parametrize("name", ["", "json", "records:", "records:NAME", "Input_data"])
def test_an_unknown_format_is_one_sentence_with_all_formats(name: str) -> None:
    with pytest.raises(ReplayError) as error:
        format_named(name)
    assert str(error.value) == f"expected a format, one of {', '.join(FORMATS)}, got {name!r}: choose one of these"


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
SOME_ROWS: Any = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), min_size=1, max_size=5)


@given(SOME_ROWS)
def test_a_split_body_has_every_value_at_its_place(some: list[dict[str, Any]]) -> None:
    text = json.dumps(some)
    split = json.loads(body("input_data", text))["input_data"]
    again = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    assert [{name: row[name] for name in one} for row, one in zip(again, some, strict=True)] == some
    assert all(row[name] is None for row, one in zip(again, some, strict=True) for name in row if name not in one)
