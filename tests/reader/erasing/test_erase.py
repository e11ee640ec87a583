"""`Store.erase`: what a condition or an id chooses, what it refuses, and what stays as it was."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd
import pytest
from audited_store import audited
from azure_reader import rows_below
from collected_store import collecting
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader import ReaderError, StoreBusyError, StoreUnavailableError, UnknownNameError
from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_reader.erasing.choosing.request import predicate_of
from otel_modeldata_reader.erasing.tombstone import Tombstone

if TYPE_CHECKING:
    from pathlib import Path

OUTPUTS = "shop/blue/model_outputs"
REQUESTS = 200


def who_in(request: int, row: int) -> str:
    return "alice" if request % 25 == 0 or (request % 3 == 0 and row == 1) else f"person {request} {row}"


def rows_in(request: int) -> int:
    return 1 + request % 7


@pytest.fixture
def collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that the SDK and the receiver wrote: inputs and outputs of 200 requests of one to seven rows."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
    folder = tmp_path / "store"
    with collecting(folder) as flush:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        for request in range(REQUESTS):
            count = rows_in(request)
            frame = pd.DataFrame(
                {
                    "x": [request + row / 8 for row in range(count)],
                    "who": [who_in(request, row) for row in range(count)],
                }
            )
            context = inputs.collect(frame, BasicCorrelationContext(id=f"request-{request}"))
            outputs.collect(pd.DataFrame({"y": [float(row) for row in range(count)]}), context)
        flush()
    return folder


def two_events(folder: Path, **keys: Any) -> None:
    """Two events of one input each, and their outputs."""
    for name, column in (("model_inputs", "x"), ("model_outputs", "y")):
        lines = [
            line(
                [{column: number}],
                id=f"{name}-{number}",
                type=f"azureml.inference.{name}",
                **{"correlationid": f"request-{number}"} | keys,
            )
            for number in range(2)
        ]
        write(folder, lines, collection=f"shop/blue/{name}")


def lines_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("shop/**/*.jsonl") for line in path.read_bytes().splitlines()]


def ids_in(folder: Path) -> dict[str, list[str]]:
    """The event ids in each collection."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("shop/**/*.jsonl")):
        name = path.relative_to(folder / "shop/blue").parts[0]
        found.setdefault(name, []).extend(json.loads(one)["id"] for one in path.read_bytes().splitlines())
    return found


def test_other_rows_keep_their_ids_and_bytes_and_every_range_is_right(
    collected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = {one["id"]: one for one in lines_in(collected)}
    with reader.open(collected) as store:
        before = {name: store.read(name).to_pandas() for name in (COLLECTION, OUTPUTS)}
        receipt = store.erase(COLLECTION, where="who = 'alice'", dry_run=False)
        after = {name: store.read(name).to_pandas() for name in (COLLECTION, OUTPUTS)}
        counted = {one.name: one.rows for one in store.collections(count=True)}
    alice = set(before[COLLECTION].loc[before[COLLECTION]["who"] == "alice", "row_id"])
    assert receipt.rows == 2 * len(alice) > 100
    for name, frame in before.items():
        kept = frame[~frame["row_id"].isin(alice)].reset_index(drop=True)
        pd.testing.assert_frame_equal(after[name], kept)
        assert counted[name] == len(kept)
    for one in lines_in(collected):
        old = lines[one["id"]]
        if "erasedrows" not in one:
            assert one == old
            continue
        changed = {"data", "contentrange", "erasedrows"}
        assert {**one, **dict.fromkeys(changed)} == {**old, **dict.fromkeys(changed)}
        assert [new or was for new, was in zip(one["data"], old["data"], strict=True)] == old["data"]
    _, facts = audited(capsys, collected)
    assert {name: fault["count"] for name, fault in facts["faults"].items() if fault["count"]} == {}


def test_azures_reader_finds_the_other_rows_at_their_places(collected: Path) -> None:
    before = rows_below(collected / COLLECTION)
    with reader.open(collected) as store:
        store.erase(COLLECTION, where="who = 'alice' AND x <> floor(x)", dry_run=False)  # no whole event
    after = rows_below(collected / COLLECTION)
    assert len(after) == len(before)
    assert [new for new, old in zip(after, before, strict=True) if new not in [old, {}]] == []
    assert (
        0
        < sum(row == {} for row in after)
        == sum(row["who"] == "alice" and row["x"] != int(row["x"]) for row in before)
    )


@pytest.mark.parametrize(
    ("wanted", "inputs", "outputs"),
    [
        ("request-0", ["model_inputs-1"], ["model_outputs-1"]),
        ("request-0_0", ["model_inputs-1"], ["model_outputs-1"]),
        ("model_inputs-0", ["model_inputs-1"], ["model_outputs-1"]),
        ("model_outputs-1", ["model_inputs-0"], ["model_outputs-0"]),
        ("4bf92f3577b34da6a3ce929d0e0e4736", [], []),
        ("0x4bf92f3577b34da6a3ce929d0e0e4736", [], []),
        ("request-0_1", ["model_inputs-0", "model_inputs-1"], ["model_outputs-0", "model_outputs-1"]),
        ("' OR 1=1 --", ["model_inputs-0", "model_inputs-1"], ["model_outputs-0", "model_outputs-1"]),
    ],
)
def test_an_id_chooses_its_request_in_all_collections(
    tmp_path: Path, wanted: str, inputs: list[str], outputs: list[str]
) -> None:
    two_events(tmp_path, traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    with reader.open(tmp_path) as store:
        store.erase("shop/blue", ids=[wanted], dry_run=False)
    found = ids_in(tmp_path)
    assert (found.get("model_inputs", []), found.get("model_outputs", [])) == (inputs, outputs)


def test_ids_that_look_like_sql_or_patterns_are_only_ids(tmp_path: Path) -> None:
    strange = "x'; DROP TABLE rows; --.*"
    lines = [line([{"x": 1}], id="a", correlationid=strange), line([{"x": 2}], id="b", correlationid="other")]
    write(tmp_path, lines)
    with reader.open(tmp_path) as store:
        store.erase(COLLECTION, ids=[strange], dry_run=False)
        assert store.read(COLLECTION).to_pandas()["x"].tolist() == [2]


def test_a_condition_for_every_row_needs_to_be_confirmed(tmp_path: Path) -> None:
    two_events(tmp_path)
    with reader.open(tmp_path) as store:
        with pytest.raises(ReaderError, match=r"true for all 2: correct it, or say --all \(every=True\)"):
            store.erase(COLLECTION, where="x >= 0", dry_run=False)
        assert len(store.read(COLLECTION).to_pandas()) == 2
        assert store.erase(COLLECTION, where="x >= 0", dry_run=False, every=True).events == 4
    assert ids_in(tmp_path) == {}


def test_a_correlation_id_of_many_requests_is_refused_unless_it_is_said_what_is_meant(tmp_path: Path) -> None:
    two_events(tmp_path, correlationid="always the same")
    with reader.open(tmp_path) as store:
        with pytest.raises(ReaderError, match="1 rows with the row id of a chosen row that were not chosen"):
            store.erase(COLLECTION, where="x = 0", dry_run=False)
        store.erase(COLLECTION, where="x = 0", dry_run=False, only=True)
        assert ids_in(tmp_path) == {
            "model_inputs": ["model_inputs-1"],
            "model_outputs": ["model_outputs-0", "model_outputs-1"],
        }
        store.erase(OUTPUTS, where="y = 0", dry_run=False, shared=True)
    assert ids_in(tmp_path) == {}


def test_rows_without_any_id_stay_and_are_counted(tmp_path: Path) -> None:
    write(tmp_path, [line([{"x": 1}], id=None, correlationid=None), line([{"x": 2}], id="b")])
    with reader.open(tmp_path) as store:
        receipt = store.erase(COLLECTION, where="x = 1", dry_run=False)
        assert (receipt.unidentified, receipt.hours) == (1, ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected where= or ids=, got none"),
        ({"where": "x = 1", "ids": ["a"]}, "got both"),
        ({"where": " "}, "expected a condition in SQL"),
        ({"ids": "a"}, "expected ids as a list"),
        ({"ids": [""]}, "expected ids that are texts"),
        ({"where": "x ="}, "expected a condition in SQL"),
        ({"where": "nothing = 1"}, "nothing"),
    ],
)
def test_a_wrong_request_changes_nothing(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    two_events(tmp_path)
    before = ids_in(tmp_path)
    with reader.open(tmp_path) as store, pytest.raises(ReaderError, match=message):
        store.erase(COLLECTION, dry_run=False, **arguments)
    assert ids_in(tmp_path) == before
    assert not (tmp_path / "_erased").exists()


def test_an_unknown_collection_or_deployment_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    two_events(tmp_path)
    with reader.open(tmp_path) as store:
        with pytest.raises(UnknownNameError, match="shop/blue/model_inputs"):
            store.erase("shop/blue/model_input", where="x = 0")
        with pytest.raises(UnknownNameError, match="shop/blue"):
            store.erase("shop/bleu", ids=["a"])


def test_one_command_changes_a_store_at_a_time(tmp_path: Path) -> None:
    two_events(tmp_path)
    with StoreAccess(str(tmp_path)).locked("compact"), reader.open(tmp_path) as store:
        with pytest.raises(StoreBusyError, match="'compact' of process"):
            store.erase(COLLECTION, where="x = 0", dry_run=False)
        assert store.erase(COLLECTION, where="x = 0").rows == 2  # only reads


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_is_only_readable_says_so(tmp_path: Path) -> None:
    two_events(tmp_path)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with reader.open(tmp_path) as store, pytest.raises(StoreUnavailableError):
        store.erase(COLLECTION, where="x = 0", dry_run=False)


def test_the_tombstone_proves_what_was_asked_and_says_nothing_about_the_person(tmp_path: Path) -> None:
    lines = [
        line(
            [{"x": number, "who": "alice" if number < 3 else "bob"}],
            number=number,
            producer="p",
            producersequence=f"{number}",
        )
        for number in range(9)
    ]
    write(tmp_path, lines)
    with reader.open(tmp_path) as store:
        receipt = store.erase(COLLECTION, where="who = 'alice'", dry_run=False, by="dpo", reason="request 4711")
    content = (tmp_path / receipt.tombstone).read_bytes()
    assert not any(word in content for word in (b"alice", b"who", b"event-", b"request-0"))
    tombstone = msgspec.json.decode(content, type=Tombstone)
    assert (tombstone.by, tombstone.reason, tombstone.predicate) == ("dpo", "request 4711", receipt.predicate)
    assert predicate_of(receipt.request, receipt.key) == tombstone.predicate
    assert json.loads(receipt.request)["where"] == "who = 'alice'"
    (numbers,) = tombstone.numbers
    assert (numbers.root, numbers.date, numbers.producer, numbers.numbers) == (COLLECTION, "2026/11/22/10", "p", "0-2")
    (change,) = tombstone.blobs
    assert change.new is not None
    assert (tmp_path / change.new.name).stat().st_size == change.new.size < change.old.size


def test_a_binary_payload_of_two_events_goes_with_the_second(tmp_path: Path) -> None:
    image = tmp_path / COLLECTION / "2026/11/22/10/files" / ("a" * 64)
    image.parent.mkdir(parents=True)
    image.write_bytes(b"pixels")
    write(tmp_path, [line(str(image), id=f"image-{number}", number=number, datainblob="true") for number in range(2)])
    with reader.open(tmp_path) as store:
        store.erase(COLLECTION, ids=["request-0"], dry_run=False)
        assert image.exists()
        store.erase(COLLECTION, ids=["request-1"], dry_run=False)
        assert not image.exists()


def test_a_damaged_line_goes_if_it_has_a_chosen_id(tmp_path: Path) -> None:
    path = write(tmp_path, [line(number=0), b'{"id": "event-1", "data": [{\n', b'{"id": "event-2", "data": [{\n'])
    with reader.open(tmp_path) as store:
        store.erase(COLLECTION, ids=["event-1"], dry_run=False)
    assert not path.exists()
    (copy,) = path.parent.glob("*.jsonl")
    assert copy.name == f"{path.stem}-e1.jsonl"
    assert copy.read_bytes() == line(number=0) + b'{"id": "event-2", "data": [{\n'


@pytest.mark.parametrize("keys", [{"data": []}, {"data": None, "dataref": "/gone/files/event-0-0123456789abcdef.json"}])
@pytest.mark.parametrize("dry_run", [True, False])
def test_an_event_without_rows_or_without_its_payload_goes_by_its_id(
    tmp_path: Path, keys: dict[str, Any], *, dry_run: bool
) -> None:
    data = keys["data"]
    write(tmp_path, [line(data, number=0, **{k: v for k, v in keys.items() if k != "data"}), line(number=1)])
    with reader.open(tmp_path) as store:
        receipt = store.erase(ids=["event-0"], dry_run=dry_run)
    assert [hour.events for hour in receipt.hours] == [1]
    assert receipt.sample == (("event-0",) if dry_run else ())
