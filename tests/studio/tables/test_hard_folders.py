"""Folders that are not as they should be, and two Studios side by side: the rows are still those of a reading."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from opened_studio import opened_studio, whole
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_studio.screens import explore
from otel_modeldata_studio.screens.feature import feature

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

DEPLOYMENT = COLLECTION.rpartition("/")[0]


def values(studio: Studio, column: str = "inputs.age") -> list[object]:
    page = whole(lambda: explore.rows(studio, deployment=DEPLOYMENT, columns=(column,)))
    return sorted(row.values[list(page.columns).index(column)] for row in page.rows)


@pytest.mark.parametrize("is_compact", [False, True])
@pytest.mark.parametrize("time", [2**63 - 1, 2**63 - 2, -(2**63) + 1])
def test_a_time_at_the_end_of_an_int64_does_not_hide_the_others(tmp_path: Path, time: int, is_compact: bool) -> None:
    write(tmp_path, [line(number=1, timens=str(time), time=None), line(number=2)])
    with opened_studio(tmp_path) as studio:
        if is_compact:
            studio.store.compact(COLLECTION, older=0, drop_lines=True)
        assert values(studio) == [1, 2]
        assert whole(lambda: explore.volume(studio, deployment=DEPLOYMENT)).total == 2
        assert whole(lambda: feature(studio, deployment=DEPLOYMENT, column="inputs.age")).facet.rows == 2


def test_lines_are_read_where_a_parquet_file_is_missing(tmp_path: Path) -> None:
    write(tmp_path, [line(number=1), line(number=2)])
    with reader.open(tmp_path) as store:
        store.compact(COLLECTION, older=0)
    (part,) = tmp_path.rglob("*.parquet")
    part.unlink()
    with opened_studio(tmp_path) as studio:
        assert values(studio) == [1, 2]


def test_two_studios_with_one_cache_keep_their_rows_apart(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for number in (1, 2):
        write(tmp_path / f"store-{number}", [line(number=number)])
    with (
        opened_studio(tmp_path / "store-1", cache=cache) as one,
        opened_studio(tmp_path / "store-2", cache=cache) as other,
    ):
        assert (values(one), values(other), values(one)) == ([1], [2], [1])
        folders = list(cache.iterdir())
        assert len(folders) == 2
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]
    assert list(cache.iterdir()) == []
