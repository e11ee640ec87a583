"""The trace service of a real receiver: the same guarantees as for model data."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from live_receiver import ANY_EVENT_TIME, live_receiver
from memory_store import MemoryStore
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp_requests import DEPLOYMENT, SCOPE, raw_request, record, request, resource, scopes_of, span, span_request

from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.config import receiver as config
from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.exceptions import ConfigError, StoreError
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.ingest.request_info import RequestInfo
from otel_modeldata_receiver.mapping import signal
from otel_modeldata_receiver.mapping import span as span_module
from otel_modeldata_receiver.mapping.genai import content as genai_content
from otel_modeldata_receiver.mapping.signal import LOGS
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = pytest.mark.anyio

FOLDER = "credit/blue/app_spans/2026/11/22/12"
WITH_CONTENT = "credit/blue/app_traces/2026/11/22/12"
EVERYTHING_ACCEPTED = ExportTraceServiceResponse()


def numbered(number: int, **fields: Any) -> Span:
    return span(span_id=number.to_bytes(8, "big"), **fields)


def event_id(number: int) -> str:
    return f"{(b't' * 16).hex()}-{number:016x}"


# --- Over the wire ------------------------------------------------------------------------------------------------


async def test_spans_are_stored_once_even_if_sent_again_with_other_spans(tmp_path: Path) -> None:
    spans = [numbered(number) for number in range(1, 7)]
    async with live_receiver(tmp_path) as receiver:
        for group in (spans[:3], spans[:3], spans[2:], spans[::2]):
            assert await receiver.export_spans(span_request(*group)) == EVERYTHING_ACCEPTED
        assert [line["id"] for line in receiver.lines(f"{FOLDER}/*.jsonl")] == [
            event_id(number) for number in range(1, 7)
        ]
    async with live_receiver(tmp_path) as receiver:  # another process: it reads the blobs of the previous one
        assert await receiver.export_spans(span_request(*spans)) == EVERYTHING_ACCEPTED
        assert len(receiver.lines()) == 6


async def test_one_bad_span_does_not_affect_the_others_and_is_reported_to_the_sender(tmp_path: Path) -> None:
    bad = numbered(2, trace_id=b"short")
    broken = numbered(3, name="placeholder").SerializeToString().replace(b"placeholder", b"\xff" * 11)
    raw = raw_request(
        [numbered(1).SerializeToString(), bad.SerializeToString(), broken, numbered(4).SerializeToString()]
    )
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export_spans(raw)
        kept = {line["reason"].partition(":")[0]: line for line in receiver.quarantine()}
        assert [line["id"] for line in receiver.lines()] == [event_id(1), event_id(4)]
    assert answer.partial_success.rejected_spans == 2
    assert "span ids: expected a trace_id of 16 bytes" in answer.partial_success.error_message
    assert "undecodable Span: expected Protocol Buffers with UTF-8 strings" in answer.partial_success.error_message
    assert {kind: base64.b64decode(line["record"]) for kind, line in kept.items()} == {
        "span ids": bad.SerializeToString(),
        "undecodable Span": broken,
    }
    assert (kept["span ids"]["endpoint"], kept["span ids"]["collection"]) == ("credit", "app_traces")


async def test_bytes_that_are_not_a_request_are_quarantined_and_refused_permanently(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await receiver.export_spans(b"\xff\xff\xff")
        (kept,) = receiver.quarantine()
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert base64.b64decode(kept["request"]) == b"\xff\xff\xff"


async def test_names_that_must_not_reach_a_path_do_not_reach_one(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export_spans(
            span_request(span(), resource_values={"azureml.endpoint.name": "../../etc"})
        )
        assert receiver.lines() == []
        assert len(receiver.quarantine()) == 1
    assert answer.partial_success.rejected_spans == 1


async def test_compressed_spans_and_the_exporter_of_opentelemetry_python_are_supported(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        assert await receiver.export_spans(gzip.compress(span_request(numbered(1)))) == EVERYTHING_ACCEPTED
        endpoint = f"http://127.0.0.1:{receiver.server.port}"

        def send() -> list[str]:
            provider = TracerProvider()
            exporter = OTLPSpanExporter(endpoint=endpoint, compression=grpc.Compression.Gzip)
            provider.add_span_processor(BatchSpanProcessor(exporter))
            ids = []
            for number in range(20):
                with provider.get_tracer("test").start_as_current_span(f"request {number}") as started:
                    context = started.get_span_context()
                    ids.append(f"{context.trace_id:032x}-{context.span_id:016x}")
            provider.shutdown()
            return ids

        sent = await asyncio.to_thread(send)
        stored = {line["id"] for line in receiver.lines("local/**/*.jsonl")}
    assert stored == set(sent)


async def test_a_span_above_4_mib_is_stored_beside_its_line(tmp_path: Path) -> None:
    large = span(attributes={"inputs": "x" * (5 << 20), "output": "y"})
    async with live_receiver(tmp_path) as receiver:
        assert await receiver.export_spans(span_request(numbered(1), large, numbered(2))) == EVERYTHING_ACCEPTED
        lines = {line["id"]: line for line in receiver.lines()}
    (kept,) = (tmp_path / WITH_CONTENT / "files").iterdir()
    (shape,) = json.loads(kept.read_bytes())
    pointing = lines.pop(f"{(b't' * 16).hex()}-{(b's' * 8).hex()}")
    assert set(lines) == {event_id(1), event_id(2)}
    assert len(shape["attributes"]["inputs"]) == 5 << 20
    assert "data" not in pointing
    assert pointing["dataref"].endswith(f"{WITH_CONTENT}/files/{kept.name}")


async def test_spans_that_the_setting_excludes_are_acknowledged_and_not_stored(tmp_path: Path) -> None:
    async with live_receiver(tmp_path, spans=KeptSpans.CONTENT) as receiver:
        assert await receiver.export_spans(span_request(numbered(1), numbered(2))) == EVERYTHING_ACCEPTED
        assert receiver.blobs() == []


async def test_when_the_store_is_down_the_sender_is_asked_to_retry(tmp_path: Path) -> None:
    store = MemoryStore(["ok", "refused", "refused", "refused"])
    sink = Sink(store, instance="0" * 32, limits=SinkLimits(retry_seconds=0.0))
    async with live_receiver(tmp_path, sink=sink) as receiver:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await receiver.export_spans(span_request(numbered(1)))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    trailers = dict(raised.value.trailing_metadata() or ())
    (detail,) = status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).details
    assert detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR)


# --- The pipeline alone -------------------------------------------------------------------------------------------


class Service:
    """A pipeline on a store in memory, with its metrics."""

    def __init__(self, store: MemoryStore, **settings: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self.reader])
        instruments = telemetry.instruments(self.provider.get_meter("test"))
        sink = Sink(store, instance="0" * 32, limits=SinkLimits(retry_seconds=0.0), instruments=instruments)
        self.pipeline = Pipeline(sink, ReceiverConfig(limits=ANY_EVENT_TIME, **settings), instruments)

    async def accept(self, raw: bytes) -> bytes:
        return await self.pipeline.accept(raw, RequestInfo(signal=self.pipeline.spans, transport="grpc"))

    def counted(self) -> dict[str, int]:
        """The metrics of records: accepted, refused, left out, quarantined."""
        data = self.reader.get_metrics_data()
        assert data is not None
        self.provider.shutdown()
        return {
            metric.name: sum(point.value for point in metric.data.data_points)  # type: ignore[union-attr]
            for metric in data.resource_metrics[0].scope_metrics[0].metrics
            if "spans" in metric.name or "log_records" in metric.name or "quarantined" in metric.name
        }


async def test_spans_are_counted_as_spans() -> None:
    service = Service(MemoryStore(), spans=KeptSpans.CONTENT)
    talking = numbered(1, attributes={"inputs": "i", "output": "o"})
    assert await service.accept(span_request(talking, numbered(2))) == b""
    await service.accept(span_request(numbered(3, trace_id=b"")))
    await service.pipeline.accept(request(record(event_id="1")), RequestInfo(signal=LOGS, transport="grpc"))
    assert service.counted() == {
        "otelcol_receiver_accepted_spans": 2,
        "otel_modeldata.spans.left_out": 1,
        "otel_modeldata.quarantined": 1,
        "otelcol_receiver_accepted_log_records": 1,
    }


@pytest.mark.parametrize(
    ("kept", "outcome"), [(KeptSpans.ALL, "are in app_spans"), (KeptSpans.CONTENT, "are not stored")]
)
async def test_calls_without_content_are_counted_and_reported_once_for_a_deployment(
    kept: KeptSpans, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(MemoryStore(), spans=kept)
    for number in range(1, 4):
        call = numbered(number, name="what is a loan?", attributes={"gen_ai.operation.name": "chat"})
        assert await service.accept(span_request(call, numbered(number + 10))) == b""
    (message,) = caplog.messages
    assert message == (
        "calls of a language model in credit/blue carry no prompts and answers: their spans "
        f"{outcome}; if they may be collected, set in the application, with OpenTelemetry's instrumentation, "
        "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental and "
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only"
    )
    counted = service.counted()
    assert counted["otel_modeldata.spans.without_content"] == 3
    assert counted["otelcol_receiver_accepted_spans"] == 6


async def test_spans_are_refused_while_the_store_is_down() -> None:
    store = MemoryStore(["ok", "refused"])
    service = Service(store)
    with pytest.raises(StoreError):
        await service.accept(span_request(numbered(1)))
    assert await service.accept(span_request(numbered(1))) == b""
    ids = [json.loads(line)["id"] for content in store.contents.values() for line in content.splitlines()]
    assert ids == [event_id(1)]
    assert service.counted() == {"otelcol_receiver_accepted_spans": 1, "otelcol_receiver_refused_spans": 1}


async def test_an_internal_error_affects_only_the_span_that_causes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = genai_content.completed

    def defective(attributes: Any, *about: Any, **more: Any) -> dict[str, object]:
        if "bad" in attributes:
            raise RuntimeError("secret")
        return whole(attributes, *about, **more)

    monkeypatch.setattr(genai_content, "completed", defective)
    store = MemoryStore()
    service = Service(store)
    answer = await service.accept(span_request(numbered(1), numbered(2, attributes={"bad": True}), numbered(3)))
    assert ExportTraceServiceResponse.FromString(answer).partial_success == ExportTracePartialSuccess(
        rejected_spans=1,
        error_message="defect: expected to make a line, got RuntimeError; report it with the receiver's log",
    )
    stored = {name: content for name, content in store.contents.items() if not name.startswith("_")}
    ids = [json.loads(line)["id"] for content in stored.values() for line in content.splitlines()]
    assert ids == [event_id(1), event_id(3)]


async def test_a_resource_that_cannot_be_read_affects_only_its_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(span_module, "Resource", None)
    store = MemoryStore()
    answer = await Service(store).accept(span_request(numbered(1), numbered(2)))
    assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 2
    assert all(name.startswith("_quarantine/") for name in store.contents)


async def test_a_nested_value_of_the_resource_is_stored_as_text() -> None:
    deep: dict[str, object] = {"a": 1}
    for _ in range(20):
        deep = {"a": deep}
    store = MemoryStore()
    await Service(store).accept(span_request(span(), resource_values={**DEPLOYMENT, "deep": deep}))
    (line,) = (json.loads(line) for content in store.contents.values() for line in content.splitlines())
    assert json.loads(line["data"][0]["resource"]["attributes"]["deep"]) == deep


# --- The wire format and the setting ------------------------------------------------------------------------------


async def test_the_outline_of_spans_is_that_of_log_records() -> None:
    (found,) = scopes_of(span_request(numbered(1), numbered(2)))
    assert (found.resource, found.encoded_scope) == (resource().SerializeToString(), SCOPE.SerializeToString())
    assert found.records.contents() == [numbered(1).SerializeToString(), numbered(2).SerializeToString()]


async def test_the_schema_of_the_resource_is_decoded() -> None:
    export = ExportTraceServiceRequest.FromString(span_request(span()))
    export.resource_spans[0].schema_url = "https://opentelemetry.io/schemas/1.37.0"
    assert scopes_of(export.SerializeToString())[0].schema_url == "https://opentelemetry.io/schemas/1.37.0"


async def test_the_setting_is_one_of_two_words() -> None:
    assert config.load(None, {"spans": " Content"}).spans is KeptSpans.CONTENT
    assert config.load(None, {}).spans is KeptSpans.ALL
    with pytest.raises(ConfigError, match=r"^spans: expected one of all, content, got 'genai'$"):
        config.load(None, {"spans": "genai"})


async def test_the_two_services_are_those_of_otlp() -> None:
    assert (signal.LOGS.service, signal.spans(KeptSpans.ALL).service) == (
        "opentelemetry.proto.collector.logs.v1.LogsService",
        "opentelemetry.proto.collector.trace.v1.TraceService",
    )
