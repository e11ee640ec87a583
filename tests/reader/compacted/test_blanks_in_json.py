"""Blanks between the values of other writers' JSON are no part of the values, also in Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from compacted_store import assert_same, snapshot
from read_lines import line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("blank", ["", " ", "\t", "  \t "])
@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([("1.5", "f8"), ('"x"', "s")], ["1.5", "x"]),
        ([("null", "O"), ("true", "O"), ("1.5", "f8")], [None, "true", "1.5"]),
        ([('"2026-11-22T10:00:00.000000001Z"', "M8[ns, Europe/Madrid]"), ('"x"', "s")], None),
        ([("[1,2]", "O[list[i8]]"), ('" x "', "s"), ("null", "s")], ["[1,2]", " x ", None]),
    ],
    ids=["number", "null", "moment", "list"],
)
def test_texts_of_mixed_columns_have_no_blanks_around_them(
    tmp_path: Path, blank: str, values: list[tuple[str, str]], texts: list[str | None] | None
) -> None:
    for place, (value, types) in enumerate(values):
        raw = f'[{{"a":{blank}{value}{blank},{blank}"b":{blank}1}}]'
        write(tmp_path, [line(raw=raw, number=place, datatypes=f"{types},i8")], replica=place)
    before = snapshot(tmp_path)
    if texts is not None:
        assert before.table["a"].to_pylist() == texts
    with reader.open(tmp_path) as store:
        assert not any(one.problem for one in store.compact(drop_lines=True))
    assert_same(before, snapshot(tmp_path))
