"""What a store has of each collection: sizes, hours without data, and rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs import store_access

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite


@pytest.mark.parametrize("read_bytes", [11, 1 << 20])
def test_events_and_rows_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_bytes: int) -> None:
    monkeypatch.setattr(store_access, "_READ_BYTES", read_bytes)
    lines = [
        line([{"a": 1}, {"a": 2}, {"a": "[{"}]),
        line([]),
        line({"body": 1}),
        line(None, dataref="files/rows.json"),
        line(None, dataref="files/missing.json"),
        b"torn {\n",
        b"\xef\xbb\xbf" + line(),
        line()[:-1],
    ]
    blob = write(tmp_path, lines)
    (blob.parent / "files").mkdir()
    (blob.parent / "files" / "rows.json").write_bytes(b'[{"a": 1}, {"a": 2}]')
    (found,) = reader.open(tmp_path).collections(count=True)
    assert (found.events, found.rows) == (8, 3 + 0 + 1 + 2 + 0 + 0 + 1 + 1)


@pytest.mark.parametrize(
    ("folders", "gaps"),
    [
        (["2026/11/22/10"], []),
        (["2026/11/22/10", "2026/11/22/11"], []),
        (["2026/11/22/23", "2026/11/23/02"], [("2026-11-23T00", "2026-11-23T02")]),
        (["2026/11/22", "2026/11/23", "2026/11/25"], [("2026-11-24T00", "2026-11-25T00")]),
        (["2026/11/22/10/05", "2026/11/22/10/50"], []),
        (["2026/11/22/10/05", "2026/11/22/12/05"], [("2026-11-22T10:06", "2026-11-22T12:05")]),
        (["2025", "2026/11"], [("2026-01-01T00", "2026-11-01T00")]),
    ],
)
def test_gaps_are_times_of_an_hour_or_more_between_folders(
    tmp_path: Path, folders: list[str], gaps: list[tuple[str, str]]
) -> None:
    for folder in folders:
        write(tmp_path, [line()], hour=folder)
    (found,) = reader.open(tmp_path).collections()
    expected = [tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in one) for one in gaps]
    assert list(found.gaps) == expected
    hours: Any = sum((until - since for since, until in found.gaps), timedelta()) // timedelta(hours=1)
    assert found.gap_hours == hours


def test_a_container_says_when_it_was_last_written(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    with azurite.open(container) as client:
        client.upload_blob(f"prod/{COLLECTION}/{HOUR}/{0:032x}000000.jsonl", line())
    with reader.open(f"az://{container}/prod") as store:
        (found,) = store.collections(count=True)
    assert (found.blobs, found.events, found.rows) == (1, 1, 1)
    assert found.last_write is not None
    assert abs(datetime.now(UTC) - found.last_write) < timedelta(days=1)
