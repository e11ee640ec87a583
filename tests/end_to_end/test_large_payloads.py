"""Payloads of every size and kind through the real gateway into Azure append blobs, with objects beside the lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from otlp_requests import NOON, record
from otlp_sender import model_data, send
from waiting import wait_until

from otel_modeldata import semconv

if TYPE_CHECKING:
    from azurite import Azurite
    from gateway import StartGateway
    from receiver_process import StartReceiver

MIB = 1024 * 1024
HOUR = "prod/credit/blue/{}/2026/11/22/12"
TOTAL = 8


@pytest.mark.long
@pytest.mark.timeout(300)
def test_large_and_binary_payloads_arrive_beside_small_lines_in_azure_storage(
    start_gateway: StartGateway, start_receiver: StartReceiver, azurite: Azurite
) -> None:
    """S69, S70: up to 64 MiB; the same image scored twice is stored once."""
    container = azurite.new_container()
    receiver = start_receiver(f"az://{container}/prod", AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string)
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    rows = {name: json.dumps([{"a": "x" * size}]) for name, size in (("5", 5 * MIB), ("63", 63 * MIB))}
    image, scan = b"\x89PNG\r\n\x00", b"\xff\x00" * (30 * MIB)

    def payload(event_id: str, content: bytes) -> None:
        values = {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png", semconv.URL_PATH: "/score"}
        send(gateway.grpc, record(content, values, collection="request", event_id=event_id, time_ns=NOON))

    for name, text in rows.items():
        send(gateway.grpc, model_data(name, text), model_data(f"beside {name}"))
    for event_id, content in (("image", image), ("scan", scan), ("image again", image), ("scan again", scan)):
        payload(event_id, content)

    def stored() -> dict[str, dict[str, str]]:
        blobs = azurite.blobs(container, "prod/credit/")
        lines = [json.loads(line) for blob in blobs.values() for line in blob.splitlines()]
        assert len(lines) == len({line["id"] for line in lines})
        return {line["id"]: line for line in lines}

    wait_until(lambda: len(stored()) >= TOTAL)
    assert gateway.stop() == 0
    assert receiver.stop() == 0
    lines = stored()
    with azurite.open(container) as client:
        names = [name for name in client.list_blob_names() if "/files/" in name]
        objects = {name: client.download_blob(name).readall() for name in names}

    def at(url: str) -> bytes:
        return objects[url.partition(f"/{container}/")[2]]

    assert {name: at(lines[name]["dataref"]) == text.encode() for name, text in rows.items()} == {"5": True, "63": True}
    for one, other, content in (("image", "image again", image), ("scan", "scan again", scan)):
        assert lines[one]["data"] == lines[other]["data"]
        assert at(lines[one]["data"]) == content
        assert lines[one]["contentrange"] == f"bytes 0-{len(content) - 1}/{len(content)}"
    folders = sorted(name.rpartition("/files/")[0] for name in names)
    assert folders == [HOUR.format(name) for name in ("model_inputs", "model_inputs", "request", "request")]
