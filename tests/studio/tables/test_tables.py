"""The pieces of a window have the rows that a reading has: of lines, of Parquet files, and of both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from compacted_store import KINDS, typed_line, write_kind
from opened_studio import opened_studio
from read_lines import COLLECTION, HOUR, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.collection_names import NOT_TABULAR
from otel_modeldata_reader.window import Window
from otel_modeldata_studio.queries.scans import scan
from otel_modeldata_studio.tables.column import columns_of
from otel_modeldata_studio.tables.deployment_rows import deployment_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_modeldata_studio.studio import Studio

OPEN = Window()


def rows_of(studio: Studio) -> list[tuple[Any, ...]]:
    """The ids and times of all rows, in an order of their own."""
    tables = studio.tables
    tables.listing = lambda: whole_listing(studio)  # type: ignore[method-assign]
    found = tables.pieces(COLLECTION, OPEN, end=float("inf"))
    assert found.pending == 0
    text = scan(found.pieces, columns_of(found.pieces), {}, OPEN, envelope=("row_id", "event_id"))
    return sorted(tables.database.rows(text.text, text.parameters), key=str)


def whole_listing(studio: Studio) -> Any:
    """The store as it is now; the catalog lists it once a second."""
    from otel_modeldata_reader.blobs.listing import collections_of

    return collections_of(studio.store.objects.walk())


def read_rows(store: Path) -> list[tuple[Any, ...]]:
    """What a reading has."""
    with reader.open(store) as opened:
        table = opened.read(COLLECTION).to_arrow()
    return sorted(zip(table["row_id"].to_pylist(), table["event_id"].to_pylist(), strict=True), key=str)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "only foreign lines"])
def test_lines_have_the_rows_of_a_reading_before_and_after_they_are_compacted(kind: str, tmp_path: Path) -> None:
    write_kind(tmp_path, kind)
    expected = read_rows(tmp_path)
    with opened_studio(tmp_path) as studio:
        assert rows_of(studio) == expected
        studio.store.compact(COLLECTION, older=0)
        assert rows_of(studio) == expected
        studio.store.compact(COLLECTION, older=0, drop_lines=True)
        assert rows_of(studio) == expected


def test_lines_that_come_later_are_added_once(tmp_path: Path) -> None:
    lines = [typed_line(number) for number in range(30)]
    write(tmp_path, lines[:10])
    with opened_studio(tmp_path) as studio:
        assert len(rows_of(studio)) == 10
        for count in range(11, 30):  # many small pieces become one
            write(tmp_path, lines[:count])
            assert rows_of(studio) == read_rows(tmp_path)
        write(tmp_path, [*lines[:29], lines[29][:-20]])  # a torn line waits
        assert len(rows_of(studio)) == 29
        write(tmp_path, lines)
        assert len(rows_of(studio)) == 30
        write(tmp_path, [typed_line(5), typed_line(99)], replica=1)  # another receiver has got an event again
        assert rows_of(studio) == read_rows(tmp_path)


def test_an_event_that_a_parquet_file_has_is_not_there_twice(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(number) for number in range(4)])
    with opened_studio(tmp_path) as studio:
        studio.store.compact(COLLECTION, older=0)
        write(tmp_path, [typed_line(2), typed_line(9)], replica=1)
        assert rows_of(studio) == read_rows(tmp_path)


def test_erased_rows_are_gone(tmp_path: Path) -> None:
    blob = write(tmp_path, [typed_line(number) for number in range(4)])
    with opened_studio(tmp_path) as studio:
        assert len(rows_of(studio)) == 4
        blob.write_bytes(b"".join(typed_line(number) for number in (0, 2, 3)))
        assert rows_of(studio) == read_rows(tmp_path)
        blob.unlink()
        write(tmp_path, [typed_line(7)], hour=HOUR, replica=3)
        assert rows_of(studio) == read_rows(tmp_path)


def _zeros(part: Path) -> None:
    part.write_bytes(b"PAR1" + bytes(part.stat().st_size - 8) + b"PAR1")


def _cut(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [_zeros, _cut, Path.unlink])
def test_a_damaged_parquet_file_is_replaced_by_the_lines(damage: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path, [typed_line(number) for number in range(4)])
    with reader.open(tmp_path) as store:
        store.compact(COLLECTION, older=0)
    (part,) = (tmp_path / "_parquet").rglob("part-*.parquet")
    whole = part.read_bytes()
    damage(part)
    with opened_studio(tmp_path) as studio:
        assert rows_of(studio) == read_rows(tmp_path)
        assert len(rows_of(studio)) == 4
        part.write_bytes(whole)
        assert len(rows_of(studio)) == 4
        damage(part)  # while Studio runs
        assert len(rows_of(studio)) == 4


def flipped(content: bytes, at: int) -> bytes:
    """Some bytes with one other bit."""
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35, 0.5])
def test_a_flipped_bit_in_a_page_is_not_shown(share: float, tmp_path: Path) -> None:
    write(tmp_path, [typed_line(number) for number in range(200)])
    with reader.open(tmp_path) as store:
        store.compact(COLLECTION, older=0)
    (part,) = (tmp_path / "_parquet").rglob("part-*.parquet")
    content = part.read_bytes()
    part.write_bytes(flipped(content, int(len(content) * share)))
    expected = read_rows(tmp_path)
    with opened_studio(tmp_path) as studio:
        assert rows_of(studio) == expected
        assert len(expected) == 200
        assert {path.rpartition("/")[0] for path in paths_of(studio)} == {str(studio.cache.path)}


def test_a_whole_part_is_read_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(number) for number in range(4)])
    with reader.open(tmp_path) as store:
        store.compact(COLLECTION, older=0)
    (part,) = (tmp_path / "_parquet").rglob("part-*.parquet")
    with opened_studio(tmp_path) as studio:
        assert paths_of(studio) == [str(part.resolve())]


def paths_of(studio: Studio) -> list[str]:
    """The files of all rows."""
    return [piece.path for piece in studio.tables.pieces(COLLECTION, OPEN, end=float("inf")).pieces]


def test_the_database_reads_no_other_files(tmp_path: Path) -> None:
    write(tmp_path / "store", [typed_line(1)])
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with opened_studio(tmp_path / "store") as studio:
        for text in (f"SELECT * FROM read_csv('{tmp_path}/secret.csv')", "SELECT * FROM '/etc/passwd'"):
            with pytest.raises(reader.ReaderError, match="expected a query that DuckDB can run"):
                studio.tables.database.rows(text)


def test_an_error_of_the_database_does_not_say_where_its_files_are(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(1)])
    with opened_studio(tmp_path) as studio:
        rows_of(studio)
        (piece,) = studio.tables.pieces(COLLECTION, OPEN, end=float("inf")).pieces
        folder, _, name = piece.path.rpartition("/")
        with pytest.raises(reader.ReaderError, match=name) as caught:
            studio.tables.database.rows(f"SELECT * FROM '{piece.path}.parquet'")
    assert folder not in str(caught.value)


def test_the_folder_of_the_cache_is_removed_at_the_end(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(1)])
    with opened_studio(tmp_path) as studio:
        found = studio.tables.pieces(COLLECTION, OPEN, end=float("inf")) if rows_of(studio) else None
        assert found is not None
        folders = {piece.path.rpartition("/")[0] for piece in found.pieces}
    from pathlib import Path as AnyPath

    assert [folder for folder in folders if AnyPath(folder).exists()] == []


@pytest.mark.parametrize("name", sorted(NOT_TABULAR))
def test_a_collection_whose_rows_are_no_rows_of_a_model_is_no_side_of_joined_rows(name: str, tmp_path: Path) -> None:
    write(tmp_path, [typed_line(0)])
    write(tmp_path, [typed_line(0)], collection="shop/blue/scores")
    write(tmp_path, [typed_line(0)], collection=f"shop/blue/{name}")
    with opened_studio(tmp_path) as studio:
        found = deployment_rows(studio.tables, "shop/blue", OPEN)
        assert [side.role for side in found.sides] == ["inputs", "scores"]
