"""Stores are read as the receiver opens them: folders and containers, from any thread."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import StoreUnavailableError, UnknownNameError
from otel_modeldata_reader.auditing.audit import Selection, audit
from otel_modeldata_reader.blobs import store_access
from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_reader.exceptions import RemovedError

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite


def test_blobs_are_read_in_pieces_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_access, "_READ_BYTES", 7)
    contents = {"a.jsonl": b"0123456789", "b.jsonl": b"", "c.jsonl": b"abcdefg"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    store = StoreAccess(str(tmp_path))
    pieces = list(store.pieces(store.walk()))
    assert [(one.blob, one.start, one.content, one.is_last) for one in pieces] == [
        ("a.jsonl", 0, b"0123456", False),
        ("a.jsonl", 7, b"789", True),
        ("c.jsonl", 0, b"abcdefg", True),
    ]


def test_a_store_is_read_where_an_event_loop_runs(tmp_path: Path) -> None:
    write(tmp_path, [line()])

    async def notebook() -> int:
        return reader.open(tmp_path).read(COLLECTION).to_arrow().num_rows

    assert asyncio.run(notebook()) == 1


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read every file")
def test_a_blob_without_permission_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, [line()]).chmod(0)
    with pytest.raises(StoreUnavailableError, match="Permission denied"):
        reader.open(tmp_path).read(COLLECTION).to_arrow()


def test_a_container_is_read_with_its_large_rows(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    folder = f"prod/{COLLECTION}/2026/11/22/10"
    elsewhere = "https://account.blob.core.windows.net/other/prod"
    large = line(number=1, data=None, dataref=f"{elsewhere}/{COLLECTION}/2026/11/22/10/files/rows.json")
    with azurite.open(container) as client:
        client.upload_blob(f"{folder}/{0:032x}000000.jsonl", line() + large)
        client.upload_blob(f"{folder}/files/rows.json", b'[{"age":7},{"age":8}]')
    with reader.open(f"az://{container}/prod") as store:
        (found,) = store.collections(count=True)
        assert (found.name, found.blobs, found.events) == (COLLECTION, 1, 2)
        assert store.read(COLLECTION, where="age > 0").to_arrow().column("age").to_pylist() == [7, 8]


@pytest.mark.parametrize(("name", "reason"), [("missing", "no such container"), ("", "expected")])
def test_a_container_that_cannot_be_read_is_one_sentence(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    with pytest.raises(StoreUnavailableError, match=reason) as raised:
        reader.open(f"az://{name}").collections()
    assert "\n" not in str(raised.value)
    assert azurite.key not in str(raised.value)


def test_a_wrong_key_is_one_sentence(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = azurite.connection_string.replace(azurite.key, "d3Jvbmc=")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    with pytest.raises(StoreUnavailableError, match="403"):
        reader.open("az://container").collections()


def test_a_link_that_leads_out_of_the_store_is_left_out(tmp_path: Path) -> None:
    store, outside = tmp_path / "store", tmp_path / "secret.json"
    outside.write_bytes(b'[{"age":666}]')
    blob = write(store, [line(None, dataref="files/rows.json"), line(number=1)])
    (blob.parent / "files").mkdir()
    (blob.parent / "files" / "rows.json").symlink_to(outside)
    blob.with_name(f"{1:032x}000000.jsonl").symlink_to(write(tmp_path / "other", [line(number=2)]))
    loop = blob.with_name(f"{2:032x}000000.jsonl")
    loop.symlink_to(loop)
    blob.with_name(f"{3:032x}000000.jsonl").symlink_to(write(store, [line(number=3)], collection="shop/blue/moved"))
    with reader.open(store) as opened:
        reading = opened.read(COLLECTION, envelope=False)
        assert reading.to_arrow().to_pylist() == [{"age": 1}, {"age": 3}]
        assert (reading.report.blobs, reading.report.missing_payloads) == (2, 1)


def test_names_that_no_store_reads_are_left_out_or_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    write(tmp_path, [line()], collection="shop/blue/x\x1b[31m")
    write(tmp_path, [line()], collection="shop/blue/\udcff")
    with reader.open(tmp_path) as store:
        assert [(one.name, one.events) for one in store.collections(count=True)] == [(COLLECTION, 1)]
        for name in ("shop\\blue\\model_inputs", "shop/blue/\x1b[31m", "\ud800", ".."):
            with pytest.raises(UnknownNameError, match="expected a collection of"):
                store.read(name)
    with pytest.raises(StoreUnavailableError):
        reader.open(tmp_path / "\ud800").collections()


FOLDERS = ["", "shop", "shop/blue", "shop/blue/model_inputs/2026/11/22", "missing", "shop/red.jsonl"]
NAMES = ["_quarantine/2026/a.jsonl", "shop/blue/model_inputs/2026/11/22/10/a.jsonl", "shop/green/x/b", "shop/red.jsonl"]
EXPECTED = [["_quarantine", "shop"], ["blue", "green"], ["model_inputs"], ["10"], [], []]


@pytest.mark.parametrize("place", ["folder", "container"])
def test_folders_are_listed_level_by_level(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    url = str(tmp_path)
    if place == "container":
        azurite: Azurite = request.getfixturevalue("azurite")
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
        container = azurite.new_container()
        url = f"az://{container}/prod"
        with azurite.open(container) as client:
            for name in ("other/folder/x", *(f"prod/{name}" for name in NAMES)):
                client.upload_blob(name, b"x")
    else:
        for name in NAMES:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        (tmp_path / "shop/link").symlink_to(tmp_path / "shop/blue")
    store = StoreAccess(url)
    assert list(store.folders_of(FOLDERS)) == EXPECTED
    found = [[one.name for one in listed] for listed in store.walk_each(["shop/blue", "missing", "shop/green/x"])]
    assert found == [["shop/blue/model_inputs/2026/11/22/10/a.jsonl"], [], ["shop/green/x/b"]]
    store.close()


def test_more_folders_than_are_listed_at_once_keep_their_order(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"a/{number:03d}/below").mkdir(parents=True)
        (tmp_path / f"a/{number:03d}/blob").write_bytes(b"x" * number)
    store = StoreAccess(str(tmp_path))
    (names,) = store.folders_of(["a"])
    folders = [f"a/{name}" for name in names]
    assert [one[0].size for one in store.walk_each(folders)] == list(range(100))
    assert list(store.folders_of(folders)) == [["below"]] * 100
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_that_no_store_reads_are_left_out_and_audited(tmp_path: Path) -> None:
    for name in ("shop/a\\b/model_inputs/2026/11/22/10", "shop/a\nb/model_inputs/2026/11/22/10"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.jsonl").write_bytes(line())
    write(tmp_path, [line()])
    store = StoreAccess(str(tmp_path))
    assert [one.name for one in store.walk()] == [f"{COLLECTION}/2026/11/22/10/{0:032x}000000.jsonl"]
    assert list(store.folders_of(["shop"])) == [["blue"]]
    found = store.run(lambda opened: audit(opened, Selection(), [], lambda *_: None))
    assert found.ledger.lines == 1
    assert [(one.blob, one.reason) for one in found.ledger.unreadable.locations] == [
        (name, "expected a name without a backslash or control characters, got one that no store reads")
        for name in (
            r"shop/a\nb/model_inputs/2026/11/22/10/a.jsonl",
            r"shop/a\\b/model_inputs/2026/11/22/10/a.jsonl",
        )
    ]
    store.close()


@pytest.mark.parametrize("is_distant", [False, True], ids=["folder", "container"])
def test_a_blob_that_is_gone_when_it_is_read_is_an_error_of_its_own(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_distant: bool
) -> None:
    monkeypatch.setattr("otel_modeldata_reader.blobs.opened_store._RETRY_SECONDS", 0.0)
    url, reason = str(tmp_path), r"got no such file: it was removed, run it again$"
    if is_distant:
        azurite: Azurite = request.getfixturevalue("azurite")
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
        url, reason = f"az://{azurite.new_container()}", "got 404 BlobNotFound"
    with pytest.raises(RemovedError, match=reason):
        StoreAccess(url).read("shop/blue/gone.jsonl", 1)
