"""Daft has the rows and the values of the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

    from engine_environment import EnginePython

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


def load(store: Path) -> str:
    return (
        f"import otel_modeldata_reader as reader\nframe = reader.open({str(store)!r}).read({COLLECTION!r}).to_daft()\n"
    )


def test_daft_has_the_rows_of_the_reading(engine_python: EnginePython, tmp_path: Path) -> None:
    rows = [{"age": 1, "name": "x"}, {"age": None, "tags": ["a"]}, {"age": 2.5, "nested": {"a": 1}}]
    write(tmp_path, [line([row], number=number) for number, row in enumerate(rows)])
    write(tmp_path, [line(number=1), line([{"age": 9}], number=9)], replica=1)
    found = engine_python.run(load(tmp_path) + "answer = frame.to_arrow().drop_columns(['time']).to_pylist()")
    assert found == reader.open(tmp_path).read(COLLECTION).to_arrow().drop_columns(["time"]).to_pylist()
    assert engine_python.run("answer = frame.count_rows()") == 4
    query = "answer = frame.where(frame['age'] > 2).select('event_id', 'age').to_pydict()"
    assert engine_python.run(query) == {"event_id": ["event-2", "event-9"], "age": [2.5, 9.0]}


def test_categories_and_nanoseconds_are_read(engine_python: EnginePython, tmp_path: Path) -> None:
    data = [{"c": "x", "t": "2026-11-22T10:00:00.000000001"}, {"c": None, "t": None}]
    write(tmp_path, [line(data, datatypes="c,datetime64[ns]")])
    program = "answer = [str(frame.schema()['t'].dtype), frame.select('c').to_pydict(), str(frame.to_arrow()['t'][0])]"
    kind, words, time = engine_python.run(load(tmp_path) + program)
    assert (kind, words, time) == ("Timestamp[ns]", {"c": ["x", None]}, "2026-11-22 10:00:00.000000001")


def test_a_window_without_rows_is_a_frame_without_rows(engine_python: EnginePython, tmp_path: Path) -> None:
    write(tmp_path, [line()])
    program = load(tmp_path).replace(f"{COLLECTION!r})", f"{COLLECTION!r}, '2027-01-01')")
    assert engine_python.run(program + "answer = frame.to_pydict()['row_id']") == []


def test_daft_has_the_rows_of_a_compacted_store(engine_python: EnginePython, tmp_path: Path) -> None:
    typed = [line([{"age": number}] * 2, number=number, datatypes="i8") for number in range(3)]
    write(tmp_path, [*typed, line([{"age": 7, "tags": ["a"]}], number=7)])
    before = reader.open(tmp_path).read(COLLECTION).to_arrow().drop_columns(["time"]).to_pylist()
    reader.open(tmp_path).compact(older=0, drop_lines=True)
    write(tmp_path, [typed[1]], replica=1)
    found = engine_python.run(load(tmp_path) + "answer = frame.to_arrow().drop_columns(['time']).to_pylist()")
    assert found == before
