"""Events whose rows are an object are sent again after they were erased: the object does not come back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import grpc
import pytest
from local_blobs import files_below
from otlp_requests import NOON, raw_request, record, resource
from otlp_sender import LOGS
from planted_person import INPUTS, INSTANCE, TENANT, traces_of

import otel_modeldata_reader as reader
from otel_modeldata import semconv

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

PERSON = "a-person-of-large-rows"
CONDITION = f"who = '{PERSON}'"


def large(number: int, whos: list[str]) -> bytes:
    rows = [{"who": who, "text": f"row {number} " * 400_000} for who in whos]
    attributes = {semconv.AZUREML_CORRELATION_ID: f"request-{number}"}
    one = record(
        json.dumps(rows), attributes, collection="model_inputs", event_id=f"event-{number}", time_ns=NOON + number
    )
    return bytes(one.SerializeToString())


RECORDS = [large(0, [PERSON, PERSON]), large(1, ["other", PERSON]), large(2, ["other", "another"])]


def send(endpoint: str) -> None:
    origin = resource(TENANT).SerializeToString()
    with grpc.insecure_channel(endpoint) as channel:
        for one in RECORDS:
            channel.unary_unary(LOGS)(raw_request([one], origin), timeout=60)


def rows_in(folder: Path) -> list[tuple[str, str]]:
    with reader.open(folder) as store:
        frame = store.read(INPUTS).to_pandas()
    return sorted(zip(frame["row_id"], frame["who"], strict=True))


def objects_below(folder: Path) -> list[str]:
    return [name for name in files_below(folder) if "/files/" in name]


OTHERS = [("request-1_0", "other"), ("request-2_0", "other"), ("request-2_1", "another")]


@pytest.mark.slow
def test_an_erased_event_that_is_sent_again_leaves_no_object(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    send(receiver.endpoint)
    with reader.open(tmp_path) as store:
        assert store.erase(INPUTS, where=CONDITION, dry_run=False).rows == 3
    objects = objects_below(tmp_path)
    send(receiver.endpoint)  # as after an answer that was lost
    assert traces_of(files_below(tmp_path), PERSON) == []
    assert (rows_in(tmp_path), objects_below(tmp_path)) == (OTHERS, objects)


@pytest.mark.slow
def test_after_a_restart_the_rows_of_an_event_that_was_erased_in_part_do_not_come_back(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    send(receiver.endpoint)
    with reader.open(tmp_path) as store:
        store.erase(INPUTS, ids=["request-1_1"], dry_run=False)
    objects = objects_below(tmp_path)
    receiver.kill()
    receiver.start()
    send(receiver.endpoint)
    assert objects_below(tmp_path) == objects
    assert rows_in(tmp_path) == sorted([*OTHERS, ("request-0_0", PERSON), ("request-0_1", PERSON)])


@pytest.mark.slow
def test_events_of_an_hour_without_lines_that_are_sent_again_leave_no_object(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    send(receiver.endpoint)
    before = rows_in(tmp_path)
    with reader.open(tmp_path) as store:
        store.compact(older=-7200, drop_lines=True)
    objects = objects_below(tmp_path)
    send(receiver.endpoint)
    assert (objects_below(tmp_path), rows_in(tmp_path)) == (objects, before)


@pytest.mark.slow
def test_an_object_that_vanished_is_stored_again_beside_erased_ones(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    send(receiver.endpoint)
    with reader.open(tmp_path) as store:
        store.erase(INPUTS, ids=["request-0"], dry_run=False)
    (vanished,) = (tmp_path / INPUTS).rglob("files/event-2-*.json")
    content = vanished.read_bytes()
    vanished.unlink()
    send(receiver.endpoint)
    assert vanished.read_bytes() == content
    assert not list((tmp_path / INPUTS).rglob("files/event-0-*.json"))
