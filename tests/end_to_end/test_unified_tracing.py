"""One request: spans at a tracing backend and in the store, data in the store, and the links between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from genai_preprocessor import preprocess
from receiver_process import lines_below, wait_for_lines
from recording_backend import RecordingBackend
from traced_service import score, traced_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway import Gateway, StartGateway
    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from receiver_process import ReceiverProcess, StartReceiver

DATA = {"a": [1, 2], "b": [3, 4]}


@pytest.fixture
def tracing() -> Iterator[RecordingBackend]:
    with RecordingBackend() as backend:
        yield backend


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def receiver(start_receiver: StartReceiver, store: Path) -> ReceiverProcess:
    return start_receiver(str(store), "--instance-id", "0123456789abcdef0123456789abcdef")


@pytest.fixture
def gateway(start_gateway: StartGateway, receiver: ReceiverProcess, tracing: RecordingBackend) -> Gateway:
    """Sends spans to both."""
    return start_gateway(
        "gateway-traces.yaml",
        OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint,
        OTEL_MODELDATA_TRACES_EXPORTER="otlp_grpc/traces",
        OTEL_MODELDATA_TRACES_ENDPOINT=tracing.endpoint,
    )


def collected(store: Path, collection: str) -> list[dict[str, Any]]:
    return [line for line in lines_below(store) if line["type"] == f"azureml.inference.{collection}"]


def texts(pairs: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in pairs}


def ids_of(span: Span) -> tuple[str, str]:
    return span.trace_id.hex(), span.span_id.hex()


def span_ids(line: dict[str, Any]) -> tuple[str, str]:
    """Trace id and span id that a line names."""
    _, trace_id, span_id, _ = line["traceparent"].split("-")
    return trace_id, span_id


def line_of(store: Path, about: dict[str, str]) -> dict[str, Any]:
    """The line that a span's event links to, by folder and id."""
    (line,) = [
        line
        for line in lines_below(store / about["azureml.data.folder"])
        if line["id"] == about["cloudevents.event_id"]
    ]
    return line


def test_spans_are_at_the_backend_and_in_the_store_and_link_to_the_lines_of_their_request(
    gateway: Gateway, tracing: RecordingBackend, store: Path, tmp_path: Path
) -> None:
    with traced_service(tmp_path, gateway.grpc, "credit") as port:
        answer = score(port, DATA)
    wait_for_lines(store, 3)
    tracing.wait_until(lambda backend: len(backend.spans()) == 1)

    (span,) = tracing.spans()
    (inputs,), (outputs,), (trace,) = (
        collected(store, name) for name in ("model_inputs", "model_outputs", "app_spans")
    )
    assert inputs["correlationid"] == outputs["correlationid"] == trace["correlationid"] == answer["correlation_id"]
    # From every line to the span.
    assert {span_ids(line) for line in (inputs, outputs, trace)} == {ids_of(span)}
    # From the span to every line.
    span_events = [texts(event.attributes) for event in span.events]
    assert [line_of(store, about) for about in span_events] == [inputs, outputs]
    assert trace["id"] == "-".join(ids_of(span))
    # The stored span is the one at the backend.
    (shape,) = trace["data"]
    assert (shape["name"], shape["kind"], shape["parent_id"]) == (span.name, "SpanKind.SERVER", None)
    assert shape["attributes"]["azureml.correlation.id"] == answer["correlation_id"]
    assert [event["name"] for event in shape["events"]] == [event.name for event in span.events]
    # Azure's monitor of generated text gets nothing to grade: a score has no question and no answer.
    assert preprocess(collected(store, "app_traces")) == []


# S10 across processes, without code that passes the context.
def test_inputs_and_outputs_of_two_services_join_by_the_id_in_the_baggage(
    gateway: Gateway, tracing: RecordingBackend, store: Path, tmp_path: Path
) -> None:
    with (
        traced_service(tmp_path, gateway.grpc, "model") as model,
        traced_service(tmp_path, gateway.grpc, "features", next_port=model) as features,
    ):
        answers = [score(features, DATA) for _ in range(3)]
    wait_for_lines(store, 12)
    tracing.wait_until(lambda backend: len(backend.spans()) == 6)

    ids = sorted(answer["correlation_id"] for answer in answers)
    assert len(set(ids)) == 3
    inputs, outputs = collected(store, "model_inputs"), collected(store, "model_outputs")
    assert sorted(line["correlationid"] for line in inputs) == ids
    assert sorted(line["correlationid"] for line in outputs) == ids
    assert {line["source"] for line in inputs} == {"/endpoints/features/deployments/default"}
    assert {line["source"] for line in outputs} == {"/endpoints/model/deployments/default"}
    # The trace joins them as well, under a span of each service.
    traces = {line["correlationid"]: span_ids(line)[0] for line in inputs}
    assert {line["correlationid"]: span_ids(line)[0] for line in outputs} == traces
    spans = collected(store, "app_spans")
    assert sorted(line["correlationid"] for line in spans) == sorted(ids * 2)
    for service in ("features", "model"):
        assert len([line for line in spans if line["source"].split("/")[2] == service]) == 3


def test_spans_sent_during_a_receiver_outage_are_at_the_backend_at_once_and_stored_once_later(
    gateway: Gateway, receiver: ReceiverProcess, tracing: RecordingBackend, store: Path, tmp_path: Path
) -> None:
    with traced_service(tmp_path, gateway.grpc, "credit") as port:
        score(port, DATA)
        wait_for_lines(store, 3)
        receiver.kill()
        for _ in range(5):
            score(port, DATA)
    tracing.wait_until(lambda backend: len(backend.spans()) == 6)
    gateway.kill()
    gateway.start()
    receiver.start()
    wait_for_lines(store, 18)
    gateway.stop()
    assert receiver.stop() == 0
    ids = [line["id"] for line in lines_below(store)]
    assert len(ids) == len(set(ids)) == 18
    assert sorted(map(span_ids, collected(store, "app_spans"))) == sorted(map(ids_of, tracing.spans()))
