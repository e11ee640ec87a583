"""Tests read a store while receivers write it: what they read is whole, and reading does not fail."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from local_blobs import blobs_below
from receiver_process import lines_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azurite import Azurite

LINE = b'{"id":"1"}\n'


@contextmanager
def meanwhile(step: Callable[[], object]) -> Iterator[None]:
    """Repeat `step` in a thread."""
    end = threading.Event()

    def repeat() -> None:
        while not end.is_set():
            step()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.mark.slow
def test_a_blob_of_the_emulator_is_read_whole_while_lines_are_appended(azurite: Azurite) -> None:
    container = azurite.new_container()
    with azurite.open(container) as client, client.get_blob_client("a.jsonl") as blob:
        blob.create_append_blob()
        for _ in range(9):  # 36 MiB: by default clients read more than 32 MiB with several requests
            blob.append_block(LINE.rjust(4 << 20))
        with meanwhile(lambda: blob.append_block(LINE)):
            contents = [azurite.blobs(container)["a.jsonl"] for _ in range(5)]
    assert all(len(content) >= 9 << 22 and content.endswith(LINE) for content in contents)


@pytest.mark.slow
def test_blobs_of_the_emulator_are_read_while_others_are_removed(azurite: Azurite) -> None:
    container = azurite.new_container()
    with azurite.open(container) as client:
        client.upload_blob("z.jsonl", LINE)

        def park_and_deliver() -> None:
            client.upload_blob("_parked/a.jsonl", LINE)
            client.delete_blob("_parked/a.jsonl")

        with meanwhile(park_and_deliver):
            for _ in range(50):
                assert azurite.blobs(container).keys() - {"_parked/a.jsonl"} == {"z.jsonl"}


def test_a_local_store_is_read_while_blobs_and_folders_are_removed(tmp_path: Path) -> None:
    (tmp_path / "z.jsonl").write_bytes(LINE)
    parked = tmp_path / "_parked/a/b"

    def park_and_deliver() -> None:
        parked.mkdir(parents=True)
        (parked / "1.jsonl").write_bytes(LINE)
        shutil.rmtree(tmp_path / "_parked")

    with meanwhile(park_and_deliver):
        for _ in range(200):
            assert blobs_below(tmp_path)["z.jsonl"] == LINE
            assert lines_below(tmp_path)[-1:] == [{"id": "1"}]
