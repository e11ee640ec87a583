"""No column changes its type silently: lines with types beside lines without, and lists or objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import DamagedLineError
from otel_modeldata_reader.blobs import store_access
from otel_modeldata_reader.lines import event_stream

if TYPE_CHECKING:
    from pathlib import Path


def changes(store: Path, *cells: tuple[str, str | None]) -> list[tuple[str, str, int, str]]:
    """The reported changes of a column whose cells are in lines of their own, each with its types."""
    write(store, [line(raw=f'[{{"a":{cell}}}]', datatypes=types, number=at) for at, (cell, types) in enumerate(cells)])
    found = reader.open(store).read(COLLECTION, envelope=False).report.type_changes
    return [(one.before, one.after, one.place.line, one.became) for one in found]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("1", "i4"), ("2", None), ("i4", "integer", "int64")),
        (("1", "i8"), ("2.5", None), ("i8", "float", "double")),
        (("1", "i8"), ('"x"', None), ("i8", "text", "string")),
        (('"x"', "c[s|x|y]"), ('"z"', None), ("c", "text", "string")),
        (('"2026-11-22T10:00:00"', "M8[ns]"), ('"2026-11-22T10:00:00"', None), ("M8[ns]", "text", "string")),
        (("2", None), ("1", "i4"), ("integer", "i4", "int64")),
        (("true", None), ("1", "i8"), ("boolean", "i8", "string")),
        (("[1]", None), ('"x"', "s"), ("list", "s", "string")),
        (('"AQI="', "O[bytes]"), ('"x"', "s"), ("O[bytes]", "s", "string")),
        (('"x"', "s"), ('"AQI="', "arrow[binary]"), ("s", "arrow[binary]", "string")),
        (("1", "i8"), ("2", None), None),
        (("1.5", None), ("1.5", "f8"), None),
        (('"x"', "s"), ('"x"', None), None),
        (("true", "b"), ("false", None), None),
        (("null", None), ("1", "i4"), None),
        (("1", "i4"), ("null", None), None),
    ],
)
def test_a_line_without_types_beside_one_with_types_is_a_change_unless_they_are_equal(
    tmp_path: Path, first: tuple[str, str | None], second: tuple[str, str | None], expected: tuple[str, str, str] | None
) -> None:
    found = changes(tmp_path, first, second)
    if expected is None:
        assert found == []
        return
    before, after, became = expected
    assert found == [(before, after, 2, became)]
    with pytest.raises(DamagedLineError, match="expected one type of 'a'"):
        reader.open(tmp_path).read(COLLECTION, strict=True).to_arrow()


@pytest.mark.parametrize(
    ("cell", "code", "dtype"), [("1", "i8", "Int64"), ('"x"', "s", "str"), ("true", "b", "boolean")]
)
@pytest.mark.parametrize("backwards", [False, True])
def test_objects_that_are_all_missing_take_the_type_of_the_other_lines(
    tmp_path: Path, cell: str, code: str, dtype: str, *, backwards: bool
) -> None:
    cells = [("null", "O"), (cell, code)]
    assert changes(tmp_path, *(cells[::-1] if backwards else cells)) == []
    frame = reader.open(tmp_path).read(COLLECTION, envelope=False).to_pandas()
    assert str(frame["a"].dtype) == dtype
    assert frame["a"].dropna().tolist() == [json.loads(cell)]


def test_objects_that_are_missing_everywhere_stay_objects(tmp_path: Path) -> None:
    assert changes(tmp_path, ("null", "O"), ("null", "O")) == []
    frame = reader.open(tmp_path).read(COLLECTION, envelope=False).to_pandas()
    assert frame["a"].dtype == object
    assert frame["a"].tolist() == [None, None]


def test_categories_in_another_order_have_no_order(tmp_path: Path) -> None:
    low, high = "c[s<low<high]", "c[s<high<low]"
    assert changes(tmp_path, ('"low"', low), ('"high"', low), ('"low"', high), ('"high"', low)) == [
        (low, high, 3, "dictionary<values=string, indices=int32, ordered=0>")
    ]
    reading = reader.open(tmp_path).read(COLLECTION, envelope=False)
    assert reading.to_arrow()["a"].to_pylist() == ["low", "high", "low", "high"]
    assert [one for batch in reading.batches() for one in batch["a"].to_pylist()] == ["low", "high", "low", "high"]
    assert not reading.to_pandas()["a"].cat.ordered


@pytest.mark.parametrize("piece", [4 << 20, 300])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["[1]", "null", '["x"]', "[true]"], ("list<item: int64>", "list<item: string>", 3, "string")),
        (["[1]", '[1,"x"]'], ("list<item: int64>", "mixed", 2, "string")),
        (['{"x":1}', '{"y":2}', '{"x":"1"}'], ("struct<x: int64", "struct<x: string>", 3, "string")),
        (["[1]", "[1.5]", "[null]"], None),
        (['{"x":1}', '{"y":2}'], None),
        (['[1,"x"]', "[1]"], None),
    ],
)
def test_lists_or_objects_that_become_text_are_a_change(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cells: list[str],
    piece: int,
    expected: tuple[str, str, int, str] | None,
) -> None:
    monkeypatch.setattr(store_access, "_READ_BYTES", piece)
    monkeypatch.setattr(event_stream, "_BATCH_BYTES", piece)
    found = changes(tmp_path, *((cell, None) for cell in cells))
    if expected is None:
        assert found == []
        return
    ((before, *rest),) = found
    assert before.startswith(expected[0])
    assert tuple(rest) == expected[1:]


def test_columns_that_become_texts_keep_their_order(tmp_path: Path) -> None:
    names = list("hgfedcba")
    write(tmp_path, [line([dict.fromkeys(names, 1)], datatypes="i8*8")])
    write(tmp_path, [line([dict.fromkeys(names, "x")], number=1, datatypes="s*8")], replica=1)
    table = reader.open(tmp_path).read(COLLECTION, envelope=False).to_arrow()
    assert table.column_names == names
    assert table.to_pylist() == [dict.fromkeys(names, "1"), dict.fromkeys(names, "x")]
