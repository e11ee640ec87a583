"""Rows that are split at their commas are those that the JSON says, or are not read at all."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.types import RowsMismatchError, parse
from otel_modeldata_reader.types.flat_rows import flat_rows

HARD_TEXTS = ['a,"b":1', "a,", ",", ":", '"', "}", "},{", "}]", "[", 'a"', "\\", "é", "null", "1", "", "\n", "a", "b"]
TEXTS = st.sampled_from(HARD_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
NAMES = st.sampled_from(["a", "b", "name", "a longer name", "é", "", " ", *HARD_TEXTS])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
NESTED = st.lists(SCALARS, max_size=2) | st.dictionaries(NAMES, SCALARS, max_size=2)
COLUMNS = st.sampled_from(
    [
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.booleans(),
        st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        TEXTS,
        st.none(),
        SCALARS,
        SCALARS | NESTED,
    ]
)


@st.composite
def events(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """The rows of events; those of most have the same columns."""
    layout = draw(st.dictionaries(NAMES, COLUMNS, min_size=1, max_size=4))
    row = st.fixed_dictionaries(layout)
    if draw(st.booleans()):
        row |= st.dictionaries(NAMES, SCALARS | NESTED, max_size=4)
    return draw(st.lists(st.lists(row, min_size=1, max_size=3), min_size=1, max_size=4))


def encoded(rows: list[dict[str, Any]]) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode())


def typed(values: list[Any]) -> list[tuple[type, Any]]:
    return [(type(value), repr(value)) for value in values]


@given(events())
def test_what_is_split_is_what_the_json_says(drawn: list[list[dict[str, Any]]]) -> None:
    rows = [row for event in drawn for row in event]
    names = list(rows[0])
    split = flat_rows(list(map(encoded, drawn)), names)
    if split is None:
        return
    assert split.counts == list(map(len, drawn))
    for name, cells in split.columns.items():
        column = cells.inferred()
        if column is None:
            continue
        assert [list(row) for row in rows] == [names] * len(rows)
        values = [row[name] for row in rows]
        if pa.types.is_floating(column.type):
            values = [value if value is None else float(value) for value in values]
        assert typed(column.to_pylist()) == typed(values)


CODES = [
    "b",
    "boolean",
    "i1",
    "u1",
    "i8",
    "u8",
    "Int64",
    "f2",
    "f4",
    "f8",
    "Float64",
    "s",
    "O",
    "M8[us]",
    "arrow[date32]",
]


@given(st.data())
def test_what_is_split_by_types_is_what_the_parser_of_json_reads(data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=3))
    cells = SCALARS | st.integers(0, 200) | st.datetimes().map(lambda one: one.isoformat(timespec="microseconds"))
    names = [f"column {number}" for number in range(len(codes))]
    row = st.fixed_dictionaries(dict.fromkeys(names, cells))
    drawn = data.draw(st.lists(st.lists(row, min_size=1, max_size=2), min_size=1, max_size=3))
    payloads = [bytes(encoded(rows)) for rows in drawn]
    types = parse(",".join(codes))
    split = types.read_flat(payloads, names)
    try:
        table, counts = types.read(payloads, names)
    except RowsMismatchError:
        assert split is None
    else:
        assert split is None or (split[0].equals(table), split[1]) == (True, counts)


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b"{}",
        b'{"a":1}',
        b'[{"a":1},[{"a":2}]]',
        b'[[{"a":1}]]',
        b'[{"a":1},{"b":2}]',
        b'[{"a":1},{"a":2},3]',
        b'[{"a": 1}]',
        b'[ {"a":1}]',
        b'[{"a":1,"a":2}]',
        b'[{"a":0x1f}]',
        b'[{"a":01}]',
        b'[{"a":nan}]',
        b'[{"a":1}',
        b'[{"a":"\xff"}]',
        b'[{"a":"\\u0041"}]',
    ],
)
def test_what_is_no_json_of_flat_rows_is_not_read(payload: bytes) -> None:
    split = flat_rows([payload], ["a"])
    assert split is None or split.columns["a"].inferred() is None


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_rows_of_frames_are_read(rows: int) -> None:
    row = {"n": 1, "x": 0.5, "text": "é b", "gap": None, "is": True, "a name of more than eight bytes": "c"}
    split = flat_rows([encoded([row] * rows)] * 3, list(row))
    assert split is not None
    assert split.counts == [rows] * 3
    found = {name: cells.inferred().to_pylist() for name, cells in split.columns.items()}
    assert found == {name: [value] * 3 * rows for name, value in row.items()}
