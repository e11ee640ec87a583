"""The command `otel-modeldata compact`: what it does and prints, and its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from compacted_store import lines_of_a_receiver, snapshot, typed_line
from read_lines import COLLECTION, line, write

from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from pathlib import Path


def compact(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    try:
        code: object = main.main(["compact", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store"
    write(path, [*lines_of_a_receiver(0, 3), typed_line(1, 2), b"garbage\n"])
    write(path, [typed_line(0)], collection="shop/blue/model_outputs")
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(path))
    return path


def test_it_says_what_it_did_and_then_that_there_is_nothing_to_do(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(store)
    code, out, err = compact(capsys)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == str(store)
    assert lines[1] == COLLECTION
    assert lines[2].startswith("  2026/11/22/10     5 lines: ")
    assert lines[3] == "shop/blue/model_outputs"
    assert lines[5].startswith("2 folders changed: ")
    assert max(map(len, lines[1:])) <= 80
    assert snapshot(store).table.equals(before.table)
    assert compact(capsys)[:2] == (0, f"{store}\nnothing to do in 2 closed folders\n")


def test_a_dry_run_writes_nothing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = compact(capsys, COLLECTION, "--dry-run", "--drop-lines")
    size = sum(path.stat().st_size for path in (store / COLLECTION).rglob("*.jsonl"))
    assert code == 0
    assert out.splitlines()[2:] == [
        f"  2026/11/22/10     would compact {size:,} bytes of lines, would drop 1 blob",
        "1 of 1 closed folder would change; nothing is written",
    ]
    assert {path.name for path in store.iterdir()} == {"shop"}


def test_its_result_is_json_too(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = compact(capsys, COLLECTION, "--json", "--drop-lines")
    (folder,) = json.loads(out)["folders"]
    files = list((store / "_parquet" / COLLECTION).rglob("*.parquet"))
    assert code == 0
    assert folder == {
        "collection": COLLECTION,
        "folder": "2026/11/22/10",
        "lines_read": 5,
        "bytes_read": folder["bytes_read"],
        "bytes_written": folder["bytes"],
        "events": 3,
        "rows": 6,
        "json_events": 0,
        "files": 1,
        "bytes": sum(path.stat().st_size for path in files),
        "duplicates": 1,
        "foreign": 1,
        "blobs_dropped": 1,
        "bytes_dropped": folder["bytes_read"],
        "problem": None,
    }


@pytest.mark.parametrize(
    "arguments", [["--older", "900000d"], ["--lateness", "900000d"], ["--until", "2026-11-22T10:30"]]
)
def test_hours_that_are_too_young_or_outside_are_left_alone(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert compact(capsys, *arguments)[:2] == (0, f"{store}\nnothing to do in 0 closed folders\n")


def test_lines_that_changed_behind_a_manifest_are_a_problem(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compact(capsys)[0] == 0
    (blob,) = (store / COLLECTION).rglob("*.jsonl")
    blob.write_bytes(blob.read_bytes().replace(b"event-2", b"event-7") + typed_line(20))
    code, out, _ = compact(capsys, COLLECTION, "--json")
    assert code == 1
    assert "bytes of shop/blue/model_inputs" in json.loads(out)["folders"][0]["problem"]


def test_mistakes_and_a_busy_store_have_exit_codes(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compact(capsys, "shop/blue/model_input")[0] == 2
    assert compact(capsys, "--older", "yesterday")[0] == 2
    assert compact(capsys, "--store", store / "none")[0] == 3
    with StoreAccess(str(store)).locked("erase"):
        code, _, err = compact(capsys)
    assert code == 3
    assert "'erase' of process" in err


def test_a_folder_that_is_no_collection_may_be_the_store(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.parent)
    monkeypatch.delenv("OTEL_MODELDATA_STORE")
    code, out, err = compact(capsys, "store", "--dry-run")
    assert (code, out) == (2, "")
    assert err == (
        "otel-modeldata: expected a collection as ls lists it, got the folder 'store': if it is the store, write "
        "--store store\n"
    )
    assert compact(capsys, "--store", "store", "--dry-run")[0] == 0


def test_events_that_stay_json_are_counted_beside_rows(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(store, [line(json.dumps([{"a": 1}, {"a": 2}]), id="untyped")], replica=1)
    code, out, _ = compact(capsys, COLLECTION, "--json")
    (folder,) = json.loads(out)["folders"]
    assert (code, folder["events"], folder["rows"], folder["json_events"]) == (0, 4, 6, 1)


def test_what_is_dropped_later_is_said_in_bytes(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = sum(path.stat().st_size for path in store.rglob("*.jsonl"))
    assert compact(capsys)[0] == 0
    assert compact(capsys, "--drop-lines")[1].splitlines()[-1] == f"2 folders changed: {size:,} bytes of lines dropped"
