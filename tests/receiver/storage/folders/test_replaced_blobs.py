"""A blob that was replaced on purpose: the note about it, the names of copies, and what may be no note."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.storage.folders.replaced_blobs import (
    Replacement,
    blob_name_of,
    copy_name,
    is_replacement_note,
    note_folder,
    noted_blob,
    replacement_of,
)
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.mounts import MountedStores

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_receiver.storage.store import Store

FOLDER = "shop/blue/model_inputs/2026/11/22/10"
BLOB = f"{FOLDER}/{'0' * 32}000000.jsonl"
COPY = f"{FOLDER}/{'0' * 32}000000-e1.jsonl"


def found(store: Store, blob: str, size: int) -> list[Replacement]:
    async def run() -> list[Replacement]:
        try:
            return list(await replacement_of(store, blob, size))
        finally:
            await store.close()

    return asyncio.run(run())


def put(root: Path, replacement: Replacement, *copies: str) -> None:
    path = root / replacement.note_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(replacement.note)
    for copy in copies:
        (root / copy).parent.mkdir(parents=True, exist_ok=True)
        (root / copy).write_bytes(b'{"id":"1"}\n')


def test_a_note_holds_up_to_the_size_that_was_replaced(tmp_path: Path) -> None:
    one = Replacement(blob=BLOB, size=100, copies=(COPY,))
    put(tmp_path, one, COPY)
    assert is_replacement_note(one.note_name)
    assert noted_blob(one.note) == BLOB
    assert found(LocalStore(tmp_path), BLOB, 100) == found(LocalStore(tmp_path), BLOB, 1) == [one]
    assert found(LocalStore(tmp_path), BLOB, 101) == []
    assert found(LocalStore(tmp_path), COPY, 1) == []


def test_copies_that_were_replaced_are_followed(tmp_path: Path) -> None:
    last = COPY.replace("-e1", "-e2")
    first, second = Replacement(blob=BLOB, size=9, copies=(COPY,)), Replacement(blob=COPY, size=5, copies=(last,))
    put(tmp_path, first)
    put(tmp_path, second, last)
    assert found(LocalStore(tmp_path), BLOB, 9) == [first, second]


def test_notes_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    first, second = Replacement(blob=BLOB, size=9, copies=(COPY,)), Replacement(blob=COPY, size=5, copies=(BLOB,))
    put(tmp_path, first)
    put(tmp_path, second)
    assert found(LocalStore(tmp_path), BLOB, 9) == [first, second]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"blob": 1}',
        json.dumps({"blob": "another", "size": 100, "copies": []}).encode(),
        json.dumps({"blob": BLOB, "size": 100, "copies": ["../../other.jsonl"]}).encode(),
        json.dumps({"blob": BLOB, "size": 100, "copies": [f"{FOLDER}/../x.jsonl"]}).encode(),
        json.dumps({"blob": BLOB, "size": 100, "copies": [1]}).encode(),
        json.dumps({"blob": BLOB, "size": 100, "copies": [COPY] * 5000}).encode(),
        b"[" * 100_000,
    ],
)
def test_what_is_no_note_about_the_blob_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / note_folder(BLOB) / "100.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert found(LocalStore(tmp_path), BLOB, 100) == []


def test_the_note_of_a_blob_in_a_mounted_store_is_in_that_store(tmp_path: Path) -> None:
    mounted = MountedStores(LocalStore(tmp_path / "main"))
    mounted.mount("lake", LocalStore(tmp_path / "lake"))
    put(tmp_path / "lake", Replacement(blob=BLOB, size=7, copies=(COPY,)), COPY)
    expected = Replacement(blob=f"_at/lake/{BLOB}", size=7, copies=(f"_at/lake/{COPY}",))
    assert found(mounted, f"_at/lake/{BLOB}", 7) == [expected]


@pytest.mark.parametrize(
    ("blob", "taken", "copy"),
    [
        ("f/a000000.jsonl", [], "f/a000000-e1.jsonl"),
        ("f/a000000.jsonl", ["f/a000000-e1.jsonl"], "f/a000000-e2.jsonl"),
        ("f/a000000-e1.jsonl", [], "f/a000000-e2.jsonl"),
        ("f/of another.jsonl", [], "f/of another-e1.jsonl"),
        (f"_parked/f/{'0' * 32}000002.jsonl", [], f"_parked/f/{'0' * 32}000000001.jsonl"),
        (
            f"_parked/f/{'0' * 32}000002.jsonl",
            [f"_parked/f/{'0' * 32}000000001.jsonl"],
            f"_parked/f/{'0' * 32}000000002.jsonl",
        ),
    ],
)
def test_a_copy_has_a_free_name_beside_its_blob(blob: str, taken: list[str], copy: str) -> None:
    assert copy_name(blob, taken.__contains__) == copy


def test_the_name_of_a_copy_says_of_which_blob_it_was_made() -> None:
    assert blob_name_of("f/a000007-e12.jsonl") == blob_name_of("f/a000007.jsonl") == "f/a000007.jsonl"
    assert blob_name_of("f/other.txt") == "f/other.txt"
