"""A row id that repeats is found, in one file and in several, however many rows they have."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otel_modeldata_studio.tables import row_keys
from otel_modeldata_studio.tables.cache_folder import CacheFolder
from otel_modeldata_studio.tables.database import Database
from otel_modeldata_studio.tables.piece import Group, Piece, Slice
from otel_modeldata_studio.tables.row_bits import RowBits
from otel_modeldata_studio.tables.row_keys import RowKeys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[CacheFolder]:
    folder = CacheFolder(tmp_path / "cache")
    yield folder
    folder.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database([tmp_path], tmp_path / "sql")
    yield opened
    opened.close()


def piece(folder: Path, name: str, ids: Sequence[str | None]) -> Piece:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table({"row_id": pa.array(ids, pa.string())}), path)
    return Piece(path=str(path), date="", groups=(Group(start=0, rows=len(ids), first=0, last=1),), columns={})


@pytest.mark.parametrize("few", [0, row_keys._FEW])
def test_ids_that_repeat_are_found(
    few: int, database: Database, cache: CacheFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_keys, "_FEW", few)
    keys = RowKeys(database, cache)
    pieces = [
        piece(tmp_path, "one", [f"a{at}" for at in range(500)] + [None, None]),
        piece(tmp_path, "two", [f"b{at}" for at in range(500)]),
        piece(tmp_path, "empty", [None]),
        piece(tmp_path, "like one", ["c0", "a77"]),
        piece(tmp_path, "twice in itself", ["d0", "d1", "d0"]),
    ]
    for one in pieces:
        keys.read(one)
    assert [keys.repeat([one]) for one in pieces] == [True, False, False, True, True]
    keys.keep([one.path for one in pieces[:3]])  # the other one with the id is gone
    assert [keys.has(one) for one in pieces] == [True, True, True, False, False]
    assert [keys.repeat([one]) for one in pieces[:3]] == [False, False, False]
    keys.read(pieces[3])
    assert keys.repeat(pieces[:2])


def test_hashes_are_those_of_the_rows(database: Database, cache: CacheFolder, tmp_path: Path) -> None:
    keys = RowKeys(database, cache)
    ids = [f"id {at}" for at in range(3_000)]
    one = piece(tmp_path, "one", ids)
    keys.read(one)
    found = keys.of(one)
    expected = [hashed for (hashed,) in duckdb.execute("SELECT hash(unnest(?))", [ids]).fetchall()]
    assert [int(at) for at in found.hashes] == sorted(expected)
    assert [expected[row] for row in found.rows] == sorted(expected)


def test_hashes_whose_files_have_gone_are_forgotten(database: Database, cache: CacheFolder, tmp_path: Path) -> None:
    keys = RowKeys(database, cache)
    pieces = [piece(tmp_path, "one", ["a", "b"]), piece(tmp_path, "two", ["c", "a"])]
    for one in pieces:
        keys.read(one)
    assert not keys.forget_lost()
    assert keys.numbers(["c"], pieces) == {"c": [(pieces[1], 0)]}
    shutil.rmtree(cache.path)
    with pytest.raises(FileNotFoundError):
        keys.repeat(pieces)
    assert keys.numbers(["c"], pieces) is None
    assert keys.places("c") == []
    assert keys.forget_lost()
    assert not keys.has(pieces[0])
    for one in pieces:
        keys.read(one)
    assert keys.repeat(pieces)
    assert keys.places("c") == [(pieces[1].path, 0)]


def test_bits_are_those_of_the_rows_of_files_and_slices(tmp_path: Path) -> None:
    import numpy as np

    one, two = (piece(tmp_path, name, ["x"] * count) for name, count in (("one", 13), ("two", 9)))
    random = np.random.default_rng(3)
    masks = {one.path: random.random(13) < 0.5, two.path: random.random(9) < 0.5}
    bits = RowBits.of(masks)
    packed, starts = bits.together([one, two])
    unpacked = np.unpackbits(np.frombuffer(packed, np.uint8))
    for found, start in zip((one, two), starts, strict=True):
        assert unpacked[start : start + found.rows].tolist() == masks[found.path].tolist()
    packed, (start,) = bits.together([Slice(piece=one, start=10, rows=3, first=0, last=1)])
    assert (
        np.unpackbits(np.frombuffer(packed, np.uint8))[start + 10 : start + 13].tolist()
        == masks[one.path][10:].tolist()
    )
    other = piece(tmp_path, "other", ["x"] * 20)
    assert not bits.of_piece(other).any()
    assert bits.together([other]) == (bytes(3), [0])
