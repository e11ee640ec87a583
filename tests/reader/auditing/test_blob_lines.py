"""Blobs are read as whole lines, without keeping a line without end in memory; a walk repairs nothing."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_reader.auditing.summaries import blob_blocks
from otel_modeldata_reader.auditing.summaries.blob_lines import read_lines
from otel_modeldata_receiver.exceptions import StoreCheckError
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.store import StoredObject

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow


async def _read(folder: Path, *blobs: StoredObject) -> list[tuple[str, int, list[bytes], int]]:
    store = LocalStore(folder)
    try:
        async with aclosing(read_lines(store, blobs)) as pieces:
            return [tuple(piece) async for piece in pieces]
    finally:
        await store.close()


@pytest.mark.parametrize("piece", [1, 3, 16, 1 << 20])
def test_lines_are_whole_at_every_size_of_reads(piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_blocks, "_READ_BYTES", piece)
    contents = {"a.jsonl": b"one\ntwo\n\nfour\n", "b.jsonl": b"", "c.jsonl": b"one\ntorn", "d.jsonl": b"\n"}
    blobs = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        blobs.append(StoredObject(name=name, size=len(content)))
    found: dict[str, list[bytes]] = {name: [] for name in contents}
    read = 0
    for name, before, lines, size in asyncio.run(_read(tmp_path, *blobs)):
        assert before == len(found[name])
        found[name] += lines
        read += size
    assert found == {
        "a.jsonl": [b"one", b"two", b"", b"four"],
        "b.jsonl": [],
        "c.jsonl": [b"one", b"torn"],
        "d.jsonl": [b""],
    }
    assert read == sum(map(len, contents.values()))


def test_a_last_line_that_was_half_written_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"one\ntwo\nthree\n")
    ((_, _, lines, _),) = asyncio.run(_read(tmp_path, StoredObject(name="a.jsonl", size=6)))
    assert lines == [b"one", b"two"]


def test_a_line_without_end_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_blocks, "_READ_BYTES", 8)
    monkeypatch.setattr(blob_blocks, "_MAX_LINE_BYTES", 16)
    (tmp_path / "a.jsonl").write_bytes(b"x" * 1000 + b"\nnext\n")
    pieces = asyncio.run(_read(tmp_path, StoredObject(name="a.jsonl", size=1006)))
    assert [len(line) for _, _, lines, _ in pieces for line in lines] == [16, 4]


def test_a_walk_lists_everything_and_repairs_nothing(tmp_path: Path) -> None:
    (tmp_path / "a/files").mkdir(parents=True)
    (tmp_path / "a/files/rows.json").write_bytes(b"[]")
    (tmp_path / "a/x.jsonl").write_bytes(b"torn")
    (tmp_path / "b.jsonl").write_bytes(b"")

    async def walk(folder: str) -> list[tuple[str, int]]:
        store = LocalStore(tmp_path)
        try:
            return [(one.name, one.size) for one in await store.walk(folder)]
        finally:
            await store.close()

    assert asyncio.run(walk("")) == [("a/files/rows.json", 2), ("a/x.jsonl", 4), ("b.jsonl", 0)]
    assert asyncio.run(walk("a")) == [("a/files/rows.json", 2), ("a/x.jsonl", 4)]
    assert asyncio.run(walk("absent")) == []
    assert (tmp_path / "a/x.jsonl").read_bytes() == b"torn"
    with pytest.raises(ValueError, match="relative name"):
        asyncio.run(walk("../.."))


def test_a_walk_of_a_folder_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreCheckError, match="got none at"):
        asyncio.run(LocalStore(tmp_path / "file").walk(""))
