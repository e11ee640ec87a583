"""`Store.erase` looks at the lines and at the Parquet files of an hour that was edited after it was compacted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

PERSON, OTHER = "erin", "luis"
ALL = [f"{number:04}" for number in range(60)]


def compacted(folder: Path, who: str) -> Path:
    """An hour that is compacted, with its lines; the first event is about somebody, far before the end of the blob."""
    rows = [[{"who": who, "x": 0}], *([{"who": name, "x": 1}] for name in ALL)]
    lines = [line(one, number=number, datatypes="s,i8", note="n" * 200) for number, one in enumerate(rows)]
    blob = write(folder, lines)
    assert [one.problem for one in reader.open(folder).compact(older=3600)] == [""]
    return blob


def files_with(folder: Path, text: str) -> list[str]:
    """The files of rows that have a text, decoded where they are Parquet."""
    import pyarrow.parquet as pq

    found = []
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = file.read_bytes()
        if file.suffix == ".parquet":
            content = str(pq.read_table(file).to_pylist()).encode()
        if text.encode() in content:
            found.append(file.name)
    return found


@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_person_who_is_only_in_the_parquet_files_is_erased_there(tmp_path: Path, is_noticed: bool) -> None:
    blob = compacted(tmp_path, PERSON)
    edited = blob.read_bytes().replace(PERSON.encode(), OTHER.encode())
    blob.write_bytes(edited.replace(b'"0059"', b'"9500"') if is_noticed else edited)
    where = f"who = '{PERSON}'"
    assert reader.open(tmp_path).erase(COLLECTION, where=where).rows == 1
    assert reader.open(tmp_path).erase(COLLECTION, where=where, dry_run=False).rows == 1
    assert files_with(tmp_path, PERSON) == []
    rest = reader.open(tmp_path).read(COLLECTION).to_pandas()["who"].tolist()
    assert rest == ([*ALL[:-1], "9500"] if is_noticed else ALL)


def test_a_person_who_is_only_in_the_lines_is_erased_there(tmp_path: Path) -> None:
    blob = compacted(tmp_path, OTHER)
    blob.write_bytes(blob.read_bytes().replace(OTHER.encode(), PERSON.encode()))
    assert reader.open(tmp_path).erase(COLLECTION, where=f"who = '{PERSON}'", dry_run=False).rows == 1
    assert files_with(tmp_path, PERSON) == []
    assert reader.open(tmp_path).read(COLLECTION).to_pandas()["who"].tolist() == ALL


def test_rows_that_were_not_edited_are_counted_once(tmp_path: Path) -> None:
    blob = compacted(tmp_path, PERSON)
    blob.write_bytes(blob.read_bytes().replace(b'"0059"', b'"9500"'))
    planned = reader.open(tmp_path).erase(COLLECTION, where=f"who IN ('{PERSON}', '0001')")
    assert (planned.rows, planned.events) == (2, 2)


def test_a_folder_whose_parquet_files_cannot_be_read_is_said(tmp_path: Path) -> None:
    compacted(tmp_path, PERSON)
    (file,) = tmp_path.glob("_parquet/**/part-*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    receipt = reader.open(tmp_path).erase(COLLECTION, where="who = 'nobody'", dry_run=False)
    problem = (
        "1 folder with Parquet files that cannot be read: the condition was not evaluated for what only they have; "
        "see audit"
    )
    assert (receipt.rows, receipt.problems) == (0, (problem,))


def test_a_damaged_parquet_file_whose_lines_are_there_stops_no_erasure(tmp_path: Path) -> None:
    compacted(tmp_path, PERSON)
    (file,) = tmp_path.glob("_parquet/**/part-*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    receipt = reader.open(tmp_path).erase(COLLECTION, where=f"who = '{PERSON}'", dry_run=False)
    assert (receipt.rows, len(receipt.problems)) == (1, 1)
    assert list(tmp_path.glob("_parquet/**/*.parquet")) == []  # the next compaction makes it of the lines
    assert reader.open(tmp_path).read(COLLECTION).to_pandas()["who"].tolist() == ALL
