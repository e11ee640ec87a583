"""The life cycle of the server, over real connections."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from http_posts import HTTP, OLD, http_receiver
from live_receiver import INSTANCE, live_receiver, until
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from otlp_requests import NOON, record, request, span, span_request
from recorded_metrics import RecordedMetrics
from served_store import BrokenStore, broken_sink, health, one

from otel_modeldata_receiver.config.receiver import ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ListenError, StoreCheckError, StoreError
from otel_modeldata_receiver.mapping.signal import LOGS
from otel_modeldata_receiver.server import Server
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits
from otel_modeldata_receiver.telemetry.tenants import MOST_TENANTS

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_receiver.storage.store import BlobState

pytestmark = pytest.mark.anyio

FULL_SUCCESS = ExportLogsServiceResponse()
PROTOBUF = {"Content-Type": "application/x-protobuf"}


async def test_a_request_over_the_wire_is_stored_in_the_hour_folder(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        assert await receiver.export(one("1")) == FULL_SUCCESS
        assert receiver.blobs() == [f"credit/blue/model_inputs/2026/11/22/12/{INSTANCE}000000.jsonl"]
        assert [line["id"] for line in receiver.lines()] == ["1"]


async def test_an_empty_request_is_acknowledged(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        assert await receiver.export(b"") == FULL_SUCCESS


async def test_gzip_requests_are_accepted(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        assert await receiver.export(one("1"), compression=grpc.Compression.Gzip) == FULL_SUCCESS
        assert len(receiver.lines()) == 1


async def test_otlp_metrics_are_refused(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        call = receiver.channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_bytes_that_are_not_a_request_are_refused_permanently_and_quarantined(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await receiver.export(b"\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [line["request"] for line in receiver.quarantine()] == ["/w=="]


@pytest.mark.parametrize("fault", [StoreError("disk full"), RuntimeError("a bug")])
async def test_any_error_of_the_receiver_asks_the_sender_to_retry(
    tmp_path: Path, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = BrokenStore(tmp_path)
    async with live_receiver(tmp_path, sink=broken_sink(store)) as receiver:
        store.broken = fault
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await receiver.export(one("1"))
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            trailers = dict(caught.value.trailing_metadata())
            assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]).retry_delay.seconds == 1
            assert "grpc-status-details-bin" in trailers
        store.broken = None
        assert await receiver.export(one("1")) == FULL_SUCCESS
        assert len(receiver.lines()) == 1
    assert len([message for message in caplog.messages if message.startswith("not ready: ")]) == 1
    assert [message for message in caplog.messages if message.startswith("requests are refused")] == []


async def test_readiness_follows_the_store(tmp_path: Path) -> None:
    store = BrokenStore(tmp_path)
    async with live_receiver(tmp_path, sink=broken_sink(store)) as receiver:
        assert (await health(receiver.channel), await health(receiver.channel, LOGS.service)) == ("SERVING", "SERVING")
        store.broken = StoreError("disk full")
        with pytest.raises(grpc.aio.AioRpcError):
            await receiver.export(one("1"))
        assert await health(receiver.channel) == "NOT_SERVING"
        store.broken = None

        async def ready() -> bool:
            return await health(receiver.channel) == "SERVING"

        await until(ready)


async def test_a_store_that_cannot_be_used_is_reported_at_start(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    server = Server(ReceiverConfig(listen="127.0.0.1:0", store=str(file), instance_id=INSTANCE))
    with pytest.raises(StoreCheckError, match=re.escape(str(file))):
        await server.start()


async def test_an_address_in_use_is_reported_at_start(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        config = ReceiverConfig(listen=f"127.0.0.1:{receiver.server.port}", store=str(tmp_path), instance_id=INSTANCE)
        with pytest.raises(ListenError, match=r"^expected a free address of this machine to listen on, got "):
            await Server(config).start()


async def test_stopping_is_safe_before_start_and_twice(tmp_path: Path) -> None:
    config = ReceiverConfig(listen="127.0.0.1:0", store=str(tmp_path), instance_id=INSTANCE)
    idle = Server(config)
    await idle.stop()
    server = Server(config)
    await server.start()
    await server.stop()
    await server.stop()


async def test_lines_that_linger_are_stored_and_acknowledged_when_the_server_stops(tmp_path: Path) -> None:
    async with live_receiver(tmp_path, linger_ms=60_000, grace_seconds=30.0) as receiver:
        call = asyncio.create_task(receiver.export(one("1")))
        await until(receiver.in_flight)
        await receiver.server.stop()
        assert await call == FULL_SUCCESS
        assert [line["id"] for line in receiver.lines()] == ["1"]


async def test_a_stop_does_not_wait_longer_than_its_grace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class StuckStore(LocalStore):
        async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
            await asyncio.Event().wait()
            raise AssertionError(name)

    async with live_receiver(tmp_path, sink=broken_sink(StuckStore(tmp_path)), grace_seconds=0.05) as receiver:
        call = asyncio.create_task(receiver.export(one("1")))
        await until(receiver.in_flight)
        await receiver.server.stop()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert any("their senders keep them" in message for message in caplog.messages)


async def test_stored_lines_survive_a_restart_and_a_retry_after_it(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(one("1"))
    async with live_receiver(tmp_path) as receiver:
        assert await receiver.export(request(*(record(event_id=i, time_ns=NOON) for i in "12"))) == FULL_SUCCESS
        assert [line["id"] for line in receiver.lines()] == ["1", "2"]


# --- Metrics ---


async def test_metrics_have_the_transport_of_the_records(tmp_path: Path) -> None:
    """Every protocol over a real connection: accepted and refused records of both signals."""
    store = BrokenStore(tmp_path)
    recorded = RecordedMetrics()
    sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0), instruments=recorded.instruments)
    azureml = {"ce-type": "azureml.inference.model_inputs", "ce-time": "1763812800", "trace-id": "azureml"}
    kserve = {"ce-type": "org.kubeflow.serving.inference.request", "ce-inferenceservicename": "credit"}
    async with http_receiver(tmp_path, sink=sink, instruments=recorded.instruments) as receiver:
        assert await receiver.live.export(one("grpc")) == FULL_SUCCESS
        await receiver.live.export_spans(span_request(span(), span(span_id=b"2" * 8)))
        logs = request(*(record(event_id=f"http {number}", time_ns=NOON) for number in range(3)))
        assert (await receiver.post(HTTP, "/v1/logs", logs, PROTOBUF)).status == 200
        spans = span_request(*(span(span_id=bytes([number]) * 8) for number in range(3, 7)))
        assert (await receiver.post(HTTP, "/v1/traces", spans, PROTOBUF)).status == 200
        assert (await receiver.post(OLD, "/modeldata/log", b'[{"a":1}]', azureml)).status == 200
        assert (await receiver.post(HTTP, "/", b"{}", kserve)).status == 200
        store.broken = StoreError("disk full")
        for signal in (
            receiver.live.export(one("refused")),
            receiver.live.export_spans(span_request(span(span_id=b"9" * 8))),
        ):
            with pytest.raises(grpc.aio.AioRpcError):
                await signal
        refused = request(record(event_id="a", time_ns=NOON), record(event_id="b", time_ns=NOON))
        assert (await receiver.post(HTTP, "/v1/logs", refused, PROTOBUF)).status == 503
        refused_spans = span_request(*(span(span_id=bytes([number]) * 8) for number in (10, 11, 12)))
        assert (await receiver.post(HTTP, "/v1/traces", refused_spans, PROTOBUF)).status == 503
        store.broken = None
    by_grpc, by_http = ((("receiver", "otel-modeldata"), ("transport", transport)) for transport in ("grpc", "http"))
    values = recorded.values()
    sizes = values.pop("otel_modeldata.append.bytes")
    assert values == {
        "otelcol_receiver_accepted_log_records": {by_grpc: 1, by_http: 5},
        "otelcol_receiver_accepted_spans": {by_grpc: 2, by_http: 4},
        "otelcol_receiver_refused_log_records": {by_grpc: 1, by_http: 2},
        "otelcol_receiver_refused_spans": {by_grpc: 1, by_http: 3},
        "otel_modeldata.refused_requests": {
            (("error.type", "StoreError"), ("transport", "grpc")): 2,
            (("error.type", "StoreError"), ("transport", "http")): 2,
        },
        "otel_modeldata.tenant.records": {
            (("deployment", "blue"), ("endpoint", "credit"), ("outcome", "accepted")): 10,
            (("deployment", "blue"), ("endpoint", "credit"), ("outcome", "refused")): 7,
            (("deployment", "default"), ("endpoint", "credit"), ("outcome", "accepted")): 1,
            (("deployment", "default"), ("endpoint", "local"), ("outcome", "accepted")): 1,
        },
        "otel_modeldata.delay": {(): 6},
        "otel_modeldata.in_flight": {(): 0},
        "otel_modeldata.appends": {(): 6},
        "otel_modeldata.append.duration": {(): 6},
        "otel_modeldata.rolls": {(): 4},
    }
    assert set(sizes) == {()}
    recorded.close()


async def test_deployments_that_the_configuration_names_have_metrics_of_their_own(tmp_path: Path) -> None:
    """Names that strangers send take no place from them."""
    file = tmp_path / "deployment.yml"
    file.write_text(
        "endpoint_name: Fraud\nname: green\ndata_collector: {collections: {model_inputs: {enabled: 'True'}}}\n"
    )
    config = ReceiverConfig(
        store=str(tmp_path / "store"),
        deployments=(str(file),),
        tls=TlsConfig(cert_file="c", key_file="k", client_ca_file="ca", clients={"pod": ("credit/blue", "ops/*")}),
    )
    recorded = RecordedMetrics()
    server = Server(config, instruments=recorded.instruments)
    names = ("Fraud/green", "fraud/Green", "credit/blue", "credit/Blue", "ops/one", "junk")
    configured = [server._configured(name) for name in names]
    assert configured == ["fraud/green", "fraud/green", "credit/blue", None, None, None]
    add = recorded.instruments.tenant_records.add
    for number in range(MOST_TENANTS):
        add(100, f"junk/{number}", "accepted")
    add(1, "Fraud/green", "accepted")
    add(1, "credit/blue", "accepted")
    add(1, "other/one", "accepted")
    shown = recorded.values()["otel_modeldata.tenant.records"]
    places = [("Fraud", "green"), ("credit", "blue"), ("other", "other")]
    assert [
        shown.get((("deployment", deployment), ("endpoint", endpoint), ("outcome", "accepted")))
        for endpoint, deployment in places
    ] == [1, 1, 1]
    assert len(shown) == MOST_TENANTS + len(places)
    await server.stop()
    recorded.close()
