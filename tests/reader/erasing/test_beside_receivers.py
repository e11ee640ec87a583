"""Rows are erased while a receiver writes: nothing is lost, nothing stored twice, and nothing reported as vanished."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from audited_store import audited
from erased_rows import CONDITION, INPUTS, PERSON, expected_rows, rows_of, send
from planted_person import INSTANCE
from receiver_process import lines_below

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite
    from receiver_process import StartReceiver

COUNT = 400


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
    send(receiver.endpoint, range(20))
    writer = threading.Thread(target=send, args=(receiver.endpoint, range(20, 60)))
    writer.start()
    with reader.open(f"az://{container}") as store:
        while writer.is_alive():
            store.erase(INPUTS, where=CONDITION, dry_run=False)
        writer.join()
        store.erase(INPUTS, where=CONDITION, dry_run=False)
        send(receiver.endpoint, range(60))
        assert rows_of(store) == expected_rows(range(60))
    lines = [json.loads(line) for blob in azurite.blobs(container).values() for line in blob.splitlines()]
    assert len(lines) == len({line["id"] for line in lines}) == sum(number % 50 > 0 for number in range(60))
    assert receiver.logged("vanished") == []
