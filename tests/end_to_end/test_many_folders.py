"""A request with lines for thousands of folders is stored, and others are served meanwhile."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import grpc
import pytest
from otlp_requests import NOON, raw_request, record, resource
from otlp_sender import LOGS

from otel_modeldata import semconv

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

FOLDERS = 3000


def encoded(endpoint: str, *events: tuple[str, str]) -> bytes:
    """A request of an endpoint with events of these collections and ids."""
    records = [
        record('[{"x":1}]', collection=collection, event_id=event_id, time_ns=NOON).SerializeToString()
        for collection, event_id in events
    ]
    return raw_request(records, resource({semconv.AZUREML_ENDPOINT_NAME: endpoint}).SerializeToString())


@pytest.mark.long
@pytest.mark.timeout(180)
def test_thousands_of_folders_in_one_request_do_not_stop_another_tenant(
    tmp_path: Path, start_receiver: StartReceiver
) -> None:
    receiver = start_receiver(str(tmp_path / "store"))
    many = encoded("many", *((f"c{number}", f"many-{number}") for number in range(FOLDERS)))
    answered = threading.Event()
    beside: list[str] = []

    def send_one_after_the_other() -> None:
        with grpc.insecure_channel(receiver.endpoint) as channel:
            while not answered.is_set():
                event_id = f"few-{len(beside)}"
                channel.unary_unary(LOGS)(encoded("few", ("model_inputs", event_id)), timeout=30)
                beside.append(event_id)

    sender = threading.Thread(target=send_one_after_the_other)
    sender.start()
    try:
        with grpc.insecure_channel(receiver.endpoint) as channel:
            for _ in range(2):  # the second time all of them are duplicates
                assert channel.unary_unary(LOGS)(many, timeout=60) == b""
    finally:
        answered.set()
        sender.join()
    assert receiver.stop() == 0
    contents = [blob.read_bytes() for blob in (tmp_path / "store").rglob("*.jsonl")]
    stored = [json.loads(line)["id"] for content in contents for line in content.splitlines()]
    assert sorted(stored) == sorted([*beside, *(f"many-{number}" for number in range(FOLDERS))])
    assert len(beside) > 10
