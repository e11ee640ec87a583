"""What a query has no memory for has a folder, also after the system has cleaned its temporary files up."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_studio.tables import database as module
from otel_modeldata_studio.tables.cache_folder import CacheFolder
from otel_modeldata_studio.tables.database import Database

if TYPE_CHECKING:
    from pathlib import Path

GROUPED = (
    "SELECT count(*) FROM (SELECT count(*) FROM "
    "(SELECT hash(i) || repeat('x', 100) AS text FROM range(600000) AS numbers(i)) GROUP BY text)"
)
WANTED = [(600_000,)]


@pytest.mark.parametrize("has_spilled", [False, True])
def test_a_query_without_memory_has_its_folder_again(
    has_spilled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MEMORY", "64MB")
    cache = CacheFolder(tmp_path / "cache")
    database = Database([cache.path], cache.path / "sql", cache.make_again)
    try:
        if has_spilled:
            assert database.rows(GROUPED) == WANTED
        assert (cache.path / "sql").exists() == has_spilled
        shutil.rmtree(cache.path)
        assert database.rows(GROUPED) == WANTED
        assert (cache.path / "sql").exists()
        assert cache.path.stat().st_mode & 0o777 == 0o700
    finally:
        database.close()
        cache.close()
