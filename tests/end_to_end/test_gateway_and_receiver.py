"""A real gateway sends to a real receiver: every record that the gateway acknowledged is stored exactly once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import grpc
import pytest
from certificate_files import make_certificates
from otlp_requests import NOON, ROWS, record, request, scopes_of
from otlp_sender import LOGS, model_data, send, send_request
from receiver_process import lines_below, wait_for_lines
from waiting import wait_until

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import resource
from otel_modeldata_receiver.mapping.line_template.scope_templates import ScopeTemplates
from otel_modeldata_receiver.mapping.line_template.template_cache import TemplateCache
from otel_modeldata_receiver.mapping.log_record_mapper import LogRecordMapper
from otel_modeldata_receiver.mapping.scope import ScopeContext, agent_of

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite
    from gateway import Gateway, StartGateway
    from receiver_process import ReceiverProcess, StartReceiver


BLOB_FOLDER = "credit/blue/model_inputs/2026/11/22/12"


SAME = ("--instance-id", "0123456789abcdef0123456789abcdef")
"""The same instance after a restart: the default id contains the port, which is a free one on each start."""


@pytest.fixture
def receiver(start_receiver: StartReceiver, tmp_path: Path) -> ReceiverProcess:
    """A receiver that stores in the folder of the test."""
    return start_receiver(str(tmp_path), *SAME)


@pytest.fixture
def gateway(start_gateway: StartGateway, receiver: ReceiverProcess) -> Gateway:
    """A gateway that sends to that receiver."""
    return start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)


def stored_ids(folder: Path) -> list[str]:
    return sorted(line["id"] for line in lines_below(folder))


def test_a_record_becomes_a_line_in_the_blob_of_its_endpoint_collection_and_hour(
    gateway: Gateway, tmp_path: Path
) -> None:
    send(gateway.grpc, model_data("event-1", '[{"age": 41, "name": "Zo\\u00eb"}]'))
    wait_for_lines(tmp_path, 1)
    (blob,) = (tmp_path / BLOB_FOLDER).iterdir()
    (line,) = lines_below(tmp_path)
    assert (line["id"], line["data"]) == ("event-1", [{"age": 41, "name": "Zoë"}])
    assert b'"data":[{"age": 41, "name": "Zo\\u00eb"}],' in blob.read_bytes()


def test_records_as_the_gateway_writes_them_have_a_line_template_in_the_receiver(start_gateway: StartGateway) -> None:
    """The gateway writes the fields of a record in reverse order, which no builder of requests does."""
    arrived: SimpleQueue[bytes] = SimpleQueue()

    def export(raw: bytes, _: grpc.ServicerContext) -> bytes:
        arrived.put(raw)
        return b""

    server = grpc.server(ThreadPoolExecutor(1))
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(LOGS.split("/")[1], handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=f"127.0.0.1:{port}")
    values = {semconv.AZUREML_PRODUCER_SEQUENCE: 300, semconv.AZUREML_CORRELATION_ID: "c-1", "code.function": "run"}
    span = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "flags": 1, "event_name": "azureml.inference.model_inputs"}
    for fields in (span, {}):
        send(gateway.grpc, *(record(ROWS, values, event_id=f"e-{n}", time_ns=NOON + n, **fields) for n in range(3)))
        (scope,) = scopes_of(arrived.get(timeout=60))
        context = ScopeContext(
            resource=resource.read(scope.resource),
            encoded_resource=scope.resource,
            agent=agent_of(scope.scope),
            destinations=Destinations().of_deployment("credit", "blue", None),
            arrival_ns=NOON,
        )
        cache = TemplateCache()
        for one in scope.records.contents():
            LogRecordMapper(context, cache).map(one)
        placed = [ScopeTemplates(context, cache).line_of(one) for one in scope.records.contents()]
        assert [(one.folder, one.line.id) for one in placed if one] == [(BLOB_FOLDER, f"e-{n}") for n in range(3)]
    server.stop(None)


def test_600_records_of_100_kb_are_stored(gateway: Gateway, tmp_path: Path) -> None:
    for start in range(0, 600, 30):
        send(
            gateway.grpc, *(model_data(f"{n:03}", json.dumps([{"a": "x" * 100_000}])) for n in range(start, start + 30))
        )
    wait_for_lines(tmp_path, 600)
    assert stored_ids(tmp_path) == [f"{number:03}" for number in range(600)]


def test_a_record_of_16_mib_is_stored_as_a_file_and_small_ones_inside_their_lines(
    gateway: Gateway, tmp_path: Path
) -> None:
    rows = json.dumps([{"a": "x" * (16 * 1024 * 1024)}])
    send(gateway.grpc, model_data("before"), model_data("large", rows), model_data("after"))
    wait_for_lines(tmp_path, 3)
    lines = {line["id"]: line for line in lines_below(tmp_path)}
    assert {name: line.get("data") for name, line in lines.items()} == {
        "before": json.loads(ROWS),
        "large": None,
        "after": json.loads(ROWS),
    }
    (kept,) = (tmp_path / BLOB_FOLDER / "files").iterdir()
    assert kept.read_text() == rows


@pytest.mark.parametrize("victims", ["receiver", "gateway", "both"])
def test_a_kill_under_load_neither_loses_nor_duplicates_a_line(
    gateway: Gateway, receiver: ReceiverProcess, tmp_path: Path, victims: str
) -> None:
    killed: dict[str, list[Gateway | ReceiverProcess]] = {
        "receiver": [receiver],
        "gateway": [gateway],
        "both": [receiver, gateway],
    }
    for number in range(120):
        if number % 40 == 30:
            for victim in killed[victims]:
                victim.kill()
            for victim in killed[victims]:
                victim.start()
        send(gateway.grpc, model_data(f"{number:03}"))
    wait_for_lines(tmp_path, 120)
    # A request in flight could become a copy, so both stop before the check.
    gateway.stop()
    assert receiver.stop() == 0
    assert stored_ids(tmp_path) == [f"{number:03}" for number in range(120)]


def test_agent_gateway_and_receiver_write_append_blobs_of_azure_storage(
    start_gateway: StartGateway, start_receiver: StartReceiver, azurite: Azurite
) -> None:
    container = azurite.new_container()
    receiver = start_receiver(
        f"az://{container}/prod", *SAME, AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string
    )
    gateway = start_gateway(OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint)
    agent = start_gateway(
        "agent.yaml", OTEL_MODELDATA_GATEWAY_ENDPOINT=gateway.grpc, OTEL_MODELDATA_GATEWAY_INSECURE="true"
    )
    for number in range(120):
        if number in {40, 80}:
            receiver.kill()
            receiver.start()
        if number in {60, 80}:
            gateway.kill()
            gateway.start()
        send(agent.grpc, model_data(f"{number:03}"))

    def ids_in_blobs() -> list[str]:
        blobs = azurite.blobs(container, f"prod/{BLOB_FOLDER}/").values()
        return sorted(json.loads(line)["id"] for blob in blobs for line in blob.splitlines())

    wait_until(lambda: len(ids_in_blobs()) >= 120)
    agent.stop()
    gateway.stop()
    assert receiver.stop() == 0
    assert ids_in_blobs() == [f"{number:03}" for number in range(120)]


@pytest.mark.parametrize(("grant", "stored"), [("*", ["credit", "local"]), ("credit/*", ["credit"])])
def test_a_gateway_delivers_what_its_certificate_allows_and_drops_the_rest(
    start_gateway: StartGateway, start_receiver: StartReceiver, tmp_path: Path, grant: str, stored: list[str]
) -> None:
    files, store = make_certificates(tmp_path, client_name="gateway"), tmp_path / "store"
    tls = {"cert_file": files / "server.crt", "key_file": files / "server.key", "client_ca_file": files / "ca.crt"}
    settings = {key: str(path) for key, path in tls.items()} | {"clients": {"gateway": [grant]}}
    (tmp_path / "receiver.yaml").write_text(json.dumps({"tls": settings}))
    receiver = start_receiver(str(store), *SAME, "--config", str(tmp_path / "receiver.yaml"))
    gateway = start_gateway(
        OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint,
        OTEL_MODELDATA_RECEIVER_INSECURE="false",
        OTEL_MODELDATA_RECEIVER_CA_FILE=str(files / "ca.crt"),
        OTEL_MODELDATA_RECEIVER_CERT_FILE=str(files / "client.crt"),
        OTEL_MODELDATA_RECEIVER_KEY_FILE=str(files / "client.key"),
    )
    send_request(gateway.grpc, request(model_data("local"), resource_values={}))
    wait_until(lambda: "PermissionDenied" in gateway.log_text() or bool(lines_below(store)))
    send(gateway.grpc, model_data("credit"))
    wait_for_lines(store, len(stored))
    assert gateway.stop() == 0
    assert receiver.stop() == 0
    assert stored_ids(store) == stored
    assert ("PermissionDenied" in gateway.log_text()) is (len(stored) == 1)
