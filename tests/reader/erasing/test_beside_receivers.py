"""Rows are erased while a receiver writes: nothing is lost, nothing stored twice, and nothing reported as vanished."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from audited_store import audited
from otlp_requests import NOON, raw_request, record, resource
from otlp_sender import LOGS
from planted_person import INSTANCE, TENANT
from receiver_process import lines_below

import otel_modeldata_reader as reader
from otel_modeldata import semconv

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite
    from azurite import Azurite
    from receiver_process import StartReceiver

INPUTS = "shop/blue/model_inputs"
COUNT = 400
PERSON = "a person's rows"
CONDITION = "who = 'a person''s rows'"


def sent(number: int) -> bytes:
    """A record with three rows; the person has the second one of each tenth, and every fiftieth as a whole."""
    whos = [PERSON if number % 50 == 0 or (number % 10 == 0 and row == 1) else f"other {number}" for row in range(3)]
    attributes = {semconv.AZUREML_PRODUCER_SEQUENCE: number, semconv.AZUREML_CORRELATION_ID: f"request-{number}"}
    body = json.dumps([{"x": number, "row": row, "who": who} for row, who in enumerate(whos)])
    one = record(body, attributes, collection="model_inputs", event_id=f"event-{number}", time_ns=NOON + number)
    return bytes(one.SerializeToString())


def send(endpoint: str, numbers: range | list[int]) -> None:
    """Send records one by one; returning means that all were acknowledged."""
    origin = resource(TENANT).SerializeToString()
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(LOGS)
        for number in numbers:
            call(raw_request([sent(number)], origin), timeout=60)


def rows_of(store: reader.Store) -> list[tuple[str, Any]]:
    frame = store.read(INPUTS).to_pandas()
    return sorted(zip(frame["row_id"], frame["who"], strict=True))


def expected_rows(numbers: range) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for number in numbers:
        gone = {0, 1, 2} if number % 50 == 0 else {1} if number % 10 == 0 else set()
        found += [(f"request-{number}_{row}", f"other {number}") for row in range(3) if row not in gone]
    return sorted(found)


@pytest.mark.slow
def test_a_receiver_goes_on_while_rows_are_erased(
    start_receiver: StartReceiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    send(receiver.endpoint, range(100))
    writer = threading.Thread(target=send, args=(receiver.endpoint, range(100, COUNT)))
    writer.start()
    with reader.open(tmp_path) as store:
        while writer.is_alive():
            store.erase(INPUTS, where=CONDITION, dry_run=False)
        writer.join()
        store.erase(INPUTS, where=CONDITION, dry_run=False)
        assert rows_of(store) == expected_rows(range(COUNT))
        send(receiver.endpoint, range(COUNT))  # every answer was lost, so the sender sends them again
        assert rows_of(store) == expected_rows(range(COUNT))
        assert not any(PERSON in json.dumps(line) for line in lines_below(tmp_path))
        receiver.kill()
        receiver.start()
        kept = [number for number in range(COUNT) if number % 50]
        send(receiver.endpoint, kept)
        assert rows_of(store) == expected_rows(range(COUNT))
    assert receiver.logged("vanished") == []
    assert not (tmp_path / "_vanished").exists()
    ids = [line["id"] for line in lines_below(tmp_path)]
    assert len(ids) == len(set(ids)) == len(kept)
    _, facts = audited(capsys, tmp_path)
    assert facts["faults"]["content_range"]["count"] == facts["faults"]["duplicated"]["count"] == 0


@pytest.mark.slow
def test_a_receiver_of_a_container_goes_on_while_rows_are_erased(
    start_receiver: StartReceiver, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    receiver = start_receiver(f"az://{container}", "--instance-id", INSTANCE)
    send(receiver.endpoint, range(60))
    writer = threading.Thread(target=send, args=(receiver.endpoint, range(60, 120)))
    writer.start()
    with reader.open(f"az://{container}") as store:
        while writer.is_alive():
            store.erase(INPUTS, where=CONDITION, dry_run=False)
        writer.join()
        store.erase(INPUTS, where=CONDITION, dry_run=False)
        send(receiver.endpoint, range(120))
        assert rows_of(store) == expected_rows(range(120))
    lines = [json.loads(line) for blob in azurite.blobs(container).values() for line in blob.splitlines()]
    assert len(lines) == len({line["id"] for line in lines}) == sum(number % 50 > 0 for number in range(120))
    assert receiver.logged("vanished") == []
