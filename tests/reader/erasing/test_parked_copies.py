"""A payload may be there twice: delivered, and where it was parked. What is erased goes with both."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

import pytest
from local_blobs import files_below
from otlp_requests import raw_request, record, resource
from planted_person import INSTANCE, TENANT, traces_of
from read_lines import NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata import semconv
from otel_modeldata_receiver.mapping import quarantine
from otel_modeldata_receiver.mapping.cloudevent import rows_object_name
from otel_modeldata_receiver.mapping.quarantine import OTLP_CONTENT_TYPE, Rejected, object_name
from otel_modeldata_receiver.storage.parking.parked_names import parked_object

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from receiver_process import StartReceiver

PERSON = "a-person-of-large-rows"
CONDITION = f"who = '{PERSON}'"
HOUR = "2026/11/22/10"
JSON, PNG = "application/json", "image/png"
ENDPOINTS = ("Shop", "shop", "7")
"""In a listing, the names of some are before the parked ones, and of others behind them."""
PLACES = (
    ("delivered", "parked"),
    ("delivered",),
    ("parked",),
    ("parked", "parked by another receiver", "parked by none"),
)


def put(folder: Path, name: str, content: bytes, content_type: str, places: Sequence[str]) -> str:
    """Write the copies of an object; returns how a line refers to it."""
    names = {
        "delivered": name,
        "parked": parked_object(name, content_type, INSTANCE),
        "parked by another receiver": parked_object(name, content_type, "f" * 32),
        "parked by none": parked_object(name, content_type),
    }
    for place in places:
        path = folder / names[place]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder / name)


def rows(whos: Sequence[str]) -> bytes:
    return json.dumps([{"who": who} for who in whos]).encode()


def plant(folder: Path, endpoint: str, places: Sequence[str], *, with_lines: bool = True) -> str:
    """Three events with rows in objects: of the person alone, of the person and others, and of others."""
    collection = f"{endpoint}/blue/model_inputs"
    source = f"/endpoints/{endpoint}/deployments/blue"
    lines = []
    for number, whos in enumerate([[PERSON, PERSON], ["other", PERSON], ["other", "another"]]):
        content = rows(whos)
        name = f"{collection}/{HOUR}/files/{rows_object_name(f'event-{number}', content)}"
        reference = put(folder, name, content, JSON, places)
        lines.append(line(None, number=number, source=source, dataref=reference))
    write(folder, lines if with_lines else lines[2:], collection=collection)
    return collection


def objects_below(folder: Path) -> set[str]:
    return {name for name in files_below(folder) if "/files/" in name}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("places", PLACES)
def test_rows_that_are_objects_go_with_every_copy(tmp_path: Path, endpoint: str, places: Sequence[str]) -> None:
    collection = plant(tmp_path, endpoint, places)
    kept = {name for name in objects_below(tmp_path) if "event-2-" in name}
    with reader.open(tmp_path) as store:
        if "delivered" not in places:  # no condition is evaluated for rows that are not there for readers
            assert store.erase(collection, where=CONDITION, dry_run=True).unread == 3
            receipt = store.erase(collection, ids=["request-0", "request-1_1"], dry_run=False)
        else:
            receipt = store.erase(collection, where=CONDITION, dry_run=False)
        assert (receipt.rows, receipt.is_done, receipt.problems) == (3, True, ())
    assert traces_of(files_below(tmp_path), PERSON) == []
    left = objects_below(tmp_path)
    (new,) = left - kept
    assert (kept <= left, json.loads((tmp_path / new).read_bytes())) == (True, [{"who": "other"}, {}])


@pytest.mark.parametrize("instance", [INSTANCE, "f" * 32])
def test_what_is_left_of_the_rows_of_a_parked_line_is_parked_by_its_receiver(tmp_path: Path, instance: str) -> None:
    """Others leave it to that one, which delivers it before the line."""
    collection = "shop/blue/model_inputs"
    content = rows(["other", PERSON])
    name = f"{collection}/{HOUR}/files/{rows_object_name('event-0', content)}"
    reference = put(tmp_path, name, content, JSON, ["parked by none"])
    parked = line(None, dataref=reference)
    write(tmp_path, [parked], collection=f"_parked/{collection}", replica=int(instance, 16))
    write(tmp_path, [line(number=9)], collection=collection)
    with reader.open(tmp_path) as store:
        assert store.erase(collection, ids=["request-0_1"], dry_run=False).is_done
    left = rows_object_name("event-0", b'[{"who": "other"},{}]')
    assert objects_below(tmp_path) == {parked_object(f"{collection}/{HOUR}/files/{left}", JSON, instance)}


@pytest.mark.parametrize("instance", [INSTANCE, "f" * 32])
def test_so_is_what_is_left_of_a_request_in_a_parked_quarantine(tmp_path: Path, instance: str) -> None:
    folder, origin = "_quarantine/2026/11/22/12", resource(TENANT).SerializeToString()

    def of(who: str, request_id: str) -> bytes:
        one = record(f"no rows of {who}", {semconv.AZUREML_CORRELATION_ID: request_id}, collection="model_inputs")
        return bytes(one.SerializeToString())

    whole = raw_request([of(PERSON, "1"), of("other", "2")], origin)
    name = f"{folder}/files/{object_name(whole)}"
    rejected = Rejected(reason="bound: many", request=whole, endpoint="shop", records=2)
    urls = {"request": put(tmp_path, name, whole, OTLP_CONTENT_TYPE, ["parked by none"])}
    parked = quarantine.encode(rejected, arrival_ns=NOON_NS, urls=urls)
    hour = {"hour": "2026/11/22/12", "replica": int(instance, 16)}
    write(tmp_path, [parked], collection="_parked/_quarantine", **hour)
    write(tmp_path, [line(number=9)], collection="shop/blue/model_inputs")
    with reader.open(tmp_path) as store:
        assert store.erase(ids=["1"], dry_run=False).is_done
    (left,) = objects_below(tmp_path)
    rest = (tmp_path / left).read_bytes()
    assert left == parked_object(f"{folder}/files/{object_name(rest)}", OTLP_CONTENT_TYPE, instance)
    assert (b"no rows of other" in rest, traces_of(files_below(tmp_path), PERSON)) == (True, [])


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("is_shared", [False, True])
def test_a_binary_payload_goes_with_every_copy_unless_another_event_has_it(
    tmp_path: Path, endpoint: str, places: Sequence[str], *, is_shared: bool
) -> None:
    content = b"\x89PNG" + PERSON.encode()
    collection = f"{endpoint}/blue/response"
    name = f"{collection}/{HOUR}/files/{hashlib.sha256(content).hexdigest()}"
    reference = put(tmp_path, name, content, PNG, places)
    keys = {"source": f"/endpoints/{endpoint}/deployments/blue", "datacontenttype": PNG, "dataref": reference}
    write(tmp_path, [line(None, number=number, **keys) for number in range(1 + is_shared)], collection=collection)
    before = objects_below(tmp_path)
    with reader.open(tmp_path) as store:
        assert store.erase(collection, ids=["request-0"], dry_run=False).is_done
    assert objects_below(tmp_path) == (before if is_shared else set())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("places", PLACES)
def test_so_does_what_no_line_names(tmp_path: Path, endpoint: str, places: Sequence[str]) -> None:
    """As after a receiver that was killed before it stored the line."""
    collection = plant(tmp_path, endpoint, places, with_lines=False)
    kept = {name for name in objects_below(tmp_path) if "event-0-" not in name}
    with reader.open(tmp_path) as store:
        receipt = store.erase(collection, where=CONDITION, dry_run=False)
    assert (receipt.is_done, objects_below(tmp_path)) == (True, kept)


def test_the_rows_are_read_from_the_delivered_copy_if_the_parked_one_was_emptied(tmp_path: Path) -> None:
    """A receiver without the right to remove empties it."""
    collection = plant(tmp_path, "shop", ("delivered", "parked"))
    for path in (tmp_path / "_parked").rglob("*.json"):
        path.write_bytes(b"")
    with reader.open(tmp_path) as store:
        assert store.erase(collection, where=CONDITION, dry_run=False).rows == 3
    assert traces_of(files_below(tmp_path), PERSON) == []


@pytest.mark.parametrize("is_waiting", [False, True])
def test_parked_copies_expire_with_their_hour_unless_lines_are_parked_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_waiting: bool
) -> None:
    collection = plant(tmp_path, "shop", ("delivered", "parked"))
    if is_waiting:
        write(tmp_path, [line(number=9)], collection=f"_parked/{collection}", replica=int(INSTANCE, 16))
    parked = {name for name in objects_below(tmp_path) if name.startswith("_parked/")}
    later = 1_795_348_800 + 86_400
    monkeypatch.setattr("otel_modeldata_reader.erasing.expire.time.time_ns", lambda: later * 10**9)
    with reader.open(tmp_path) as store:
        planned = store.expire(3600.0)
        assert store.expire(3600.0, dry_run=False).hours == planned.hours
    assert objects_below(tmp_path) == (parked if is_waiting else set())


@pytest.mark.slow
def test_a_receiver_that_starts_afterwards_delivers_nothing_of_it(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    """Nor a parked copy that came back, as from a backup: no line refers to it."""
    collection = plant(tmp_path, "Shop", ("delivered", "parked"))
    before = files_below(tmp_path)
    with reader.open(tmp_path) as store:
        store.erase(collection, where=CONDITION, dry_run=False)
    (person,) = [name for name in before if name.startswith("_parked/") and "event-0-" in name]
    (other,) = [name for name in before if name.startswith("_parked/") and "event-2-" in name]
    (tmp_path / person).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / person).write_bytes(before[person])
    (delivered,) = (tmp_path / collection).rglob("files/event-2-*.json")
    delivered.unlink()
    start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    deadline = time.monotonic() + 30.0
    while other in files_below(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert delivered.read_bytes() == before[other]  # a line refers to this one
    assert traces_of(files_below(tmp_path), PERSON) == [person]
