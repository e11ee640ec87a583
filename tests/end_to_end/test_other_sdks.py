"""OpenTelemetry SDKs of other languages need no package of this project: structured bodies become the same lines."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gateway import rotel, rotel_agent
from npm_packages import NO_NODE, installed
from otlp_sender import model_data, send
from prerequisites import need
from receiver_process import lines_below, wait_for_lines

if TYPE_CHECKING:
    from gateway import StartAnyGateway
    from receiver_process import StartReceiver

JAVASCRIPT = Path(__file__).parents[1] / "node" / "otel-js"
ROWS: list[dict[str, Any]] = [
    {
        "age": 41,
        "income": 1.5,
        "negative": -3,
        "large": 1e300,
        "exact": 2**53 - 1,
        "zero": 0,
        "name": "Zoë 雪 \U0001f40d",
        "escapes": 'a "quoted"\\path\n\u2028<script>&',
        "missing": None,
        "yes": True,
        "tags": ["a", "b", []],
        "nested": {"deeper": {"x": [1, 2.5, None]}, "empty": {}},
    },
    {"age": 7, "name": ""},
]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


@pytest.fixture(scope="session")
def javascript() -> Path:
    """The service in JavaScript with its packages."""
    return installed(JAVASCRIPT)


def emit(service: Path, endpoint: str, events: list[dict[str, Any]], **variables: str) -> None:
    """Run the JavaScript service, which collects `events` and sends them to `endpoint`."""
    done = subprocess.run(
        [need("node", NO_NODE), "emit.mjs"],
        cwd=service,
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}"} | variables,
        input=json.dumps(events),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def event(collection: str, rows: Any) -> dict[str, Any]:
    return {
        "collection": collection,
        "correlationId": "order-4711",
        "time": "2026-11-22T10:59:59.250Z",
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "rows": rows,
    }


def test_rows_emitted_by_the_javascript_sdk_become_lines_like_any_other(
    javascript: Path, start_receiver: StartReceiver, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path))
    emit(javascript, receiver.endpoint, [event("model_inputs", ROWS), event("model_outputs", {"score": 0.25})])

    hour = tmp_path / "credit-scoring-js" / "default"
    (inputs,) = lines_below(hour / "model_inputs" / "2026" / "11" / "22" / "10")
    (outputs,) = lines_below(hour / "model_outputs" / "2026" / "11" / "22" / "10")
    assert inputs["data"] == ROWS
    assert outputs["data"] == [{"score": 0.25}]
    said = {key: inputs[key] for key in inputs if key not in {"id", "data", "contentrange", "producer"}}
    assert said == {
        "specversion": "1.0",
        "source": "/endpoints/credit-scoring-js/deployments/default",
        "type": "azureml.inference.model_inputs",
        "datacontenttype": "application/json",
        "time": "2026-11-22T10:59:59Z",
        "correlationid": "order-4711",
        "xrequestid": "order-4711",
        "modelversion": "default",
        "collectdatatype": "pandas.core.frame.DataFrame",
        "agent": "score/1.0.0",
        "timens": "1795345199250000000",
        "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01",
    }


def test_the_javascript_sdk_writes_the_same_line_over_http_in_json(
    javascript: Path, start_receiver: StartReceiver, tmp_path: Path
) -> None:
    http_json = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    receiver = start_receiver(str(tmp_path), "--http-listen", "127.0.0.1:0")
    emit(javascript, receiver.endpoint, [event("model_inputs", ROWS)])
    emit(javascript, receiver.startup["http_listen"], [event("model_inputs", ROWS)], **http_json)
    over_grpc, over_http = lines_below(tmp_path / "credit-scoring-js")
    # Each record without an id gets one of its own.
    assert over_http | {"id": ""} == over_grpc | {"id": ""}


@pytest.mark.parametrize("gateway", ["", "through a gateway"])
def test_500_equal_events_of_the_javascript_sdk_are_500_lines(
    javascript: Path,
    start_any_gateway: StartAnyGateway,
    start_receiver: StartReceiver,
    tmp_path: Path,
    *,
    gateway: bool,
) -> None:
    """The SDK's clock has milliseconds, so most of these records are equal to their last byte."""
    receiver = start_receiver(str(tmp_path))
    endpoint = start_any_gateway(receiver.endpoint).grpc if gateway else receiver.endpoint
    emit(javascript, endpoint, [event("model_inputs", [{"a": 1}])] * 500, OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="50")
    wait_for_lines(tmp_path, 500)
    lines = lines_below(tmp_path)
    assert len({line["id"] for line in lines}) == len(lines) == 500
    assert [line["data"] for line in lines] == [[{"a": 1}]] * 500


def test_a_gateway_of_another_vendor_sends_the_same_over_http_and_over_grpc(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    """rotel: Protocol Buffers, compressed with gzip."""
    agent = rotel_agent()
    if agent is None:
        pytest.skip("expected the rotel wheel, found none: it exists for Linux on x86-64 only")
    store = tmp_path / "store"
    receiver = start_receiver(str(store), "--http-listen", "127.0.0.1:0")
    gateway = rotel(agent, receiver.startup["http_listen"], tmp_path, protocol="http")
    gateway.start()
    try:
        send(gateway.grpc, *(model_data(str(number)) for number in range(100)))
        wait_for_lines(store, 100)
    finally:
        gateway.kill()
    assert sorted(line["id"] for line in lines_below(store)) == sorted(str(number) for number in range(100))


def test_the_javascript_sdk_sends_through_the_gateway(
    javascript: Path, start_any_gateway: StartAnyGateway, start_receiver: StartReceiver, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path))
    gateway = start_any_gateway(receiver.endpoint)
    events = [event("model_inputs", [{"number": number}]) for number in range(1000)]
    emit(javascript, gateway.grpc, events)
    wait_for_lines(tmp_path, 1000)
    assert sorted(line["data"][0]["number"] for line in lines_below(tmp_path)) == list(range(1000))
