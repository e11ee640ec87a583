"""The life cycle of the server, over real connections."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

import grpc
import pytest
from certificate_files import make_certificates
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from http_posts import HTTP, OLD, http_receiver
from live_receiver import EXPORT, INSTANCE, live_receiver, until
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from otlp_requests import NOON, record, request, span, span_request
from recorded_metrics import RecordedMetrics

from otel_modeldata_receiver.config.receiver import ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ConfigError, ListenError, StoreCheckError, StoreError
from otel_modeldata_receiver.mapping.signal import LOGS
from otel_modeldata_receiver.server import Server
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.mounts import MountedStores
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_receiver.storage.store import BlobState

pytestmark = pytest.mark.anyio

FULL_SUCCESS = ExportLogsServiceResponse()
PROTOBUF = {"Content-Type": "application/x-protobuf"}


class BrokenStore(LocalStore):
    """A local store that fails while `broken` is set."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.broken: Exception | None = None

    async def check(self) -> None:
        if self.broken is not None:
            raise StoreCheckError("broken")
        await super().check()

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        if self.broken is not None:
            raise self.broken
        return await super().append(name, state, block)


def broken_sink(store: LocalStore) -> Sink:
    return Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0))


def one(event_id: str) -> bytes:
    return request(record(event_id=event_id, time_ns=NOON))


async def health(channel: grpc.aio.Channel, service: str = "") -> str:
    answer = await HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=10)
    return str(HealthCheckResponse.ServingStatus.Name(answer.status))


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server certificate for localhost and a client certificate, all PEM files."""
    return make_certificates(tmp_path_factory.mktemp("tls"))


async def test_with_a_client_authority_only_clients_with_a_certificate_are_served(
    tmp_path: Path, certificates: Path
) -> None:
    tls = TlsConfig(
        cert_file=str(certificates / "server.crt"),
        key_file=str(certificates / "server.key"),
        client_ca_file=str(certificates / "ca.crt"),
    )
    authority = (certificates / "ca.crt").read_bytes()
    known = grpc.ssl_channel_credentials(
        authority, (certificates / "client.key").read_bytes(), (certificates / "client.crt").read_bytes()
    )
    async with live_receiver(tmp_path, tls=tls) as receiver:
        address = f"localhost:{receiver.server.port}"
        async with grpc.aio.secure_channel(address, known) as channel:
            assert await channel.unary_unary(EXPORT)(one("1"), timeout=20) == b""
        async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authority)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(EXPORT)(one("2"), timeout=20)
            # UNAVAILABLE, not UNAUTHENTICATED, so a gateway with the wrong certificate keeps its data.
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert [line["id"] for line in receiver.lines()] == ["1"]


def _client(folder: Path, authority: Path) -> grpc.ChannelCredentials:
    key, chain = ((folder / f"client.{kind}").read_bytes() for kind in ("key", "crt"))
    return grpc.ssl_channel_credentials((authority / "ca.crt").read_bytes(), key, chain)


async def _outcome(port: int, credentials: grpc.ChannelCredentials, key: str) -> grpc.StatusCode:
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        try:
            await channel.unary_unary(EXPORT)(one(key), timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_clients_of_another_authority_or_with_an_expired_certificate_store_nothing(
    tmp_path: Path, certificates: Path
) -> None:
    """A failed handshake is UNAVAILABLE, so a gateway keeps its data meanwhile."""
    stranger, expired = (tmp_path / name for name in ("stranger", "expired"))
    for folder in (stranger, expired):
        folder.mkdir()
    make_certificates(stranger)
    make_certificates(expired, authority=certificates, client_days=-1)
    tls = TlsConfig(
        cert_file=str(certificates / "server.crt"),
        key_file=str(certificates / "server.key"),
        client_ca_file=str(certificates / "ca.crt"),
    )
    async with live_receiver(tmp_path, tls=tls) as receiver:
        port = receiver.server.port
        for folder in (stranger, expired):
            assert await _outcome(port, _client(folder, certificates), "refused") is grpc.StatusCode.UNAVAILABLE
        assert await _outcome(port, _client(certificates, certificates), "served") is grpc.StatusCode.OK
        assert [line["id"] for line in receiver.lines()] == ["served"]


async def test_renewed_certificates_are_used_without_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While only some files are renewed, the previous ones are used."""
    served, renewed = tmp_path / "served", tmp_path / "renewed"
    for folder in (served, renewed):
        folder.mkdir()
        make_certificates(folder)
    former, latter = _client(served, served), _client(renewed, renewed)
    tls = TlsConfig(
        cert_file=str(served / "server.crt"), key_file=str(served / "server.key"), client_ca_file=str(served / "ca.crt")
    )
    async with live_receiver(tmp_path, tls=tls) as receiver:
        port = receiver.server.port
        assert await _outcome(port, former, "1") is grpc.StatusCode.OK
        (renewed / "server.crt").replace(served / "server.crt")
        with caplog.at_level(logging.WARNING):
            assert await _outcome(port, former, "2") is grpc.StatusCode.OK
        assert "the files changed and do not belong together, the previous ones are used" in caplog.text
        (renewed / "server.key").replace(served / "server.key")
        (renewed / "ca.crt").replace(served / "ca.crt")
        assert await _outcome(port, latter, "3") is grpc.StatusCode.OK
        assert await _outcome(port, former, "4") is grpc.StatusCode.UNAVAILABLE
        assert sorted(line["id"] for line in receiver.lines()) == ["1", "2", "3"]


async def test_a_tls_file_that_is_missing_is_named(tmp_path: Path) -> None:
    tls = TlsConfig(cert_file=str(tmp_path / "no.crt"), key_file=str(tmp_path / "no.key"))
    config = ReceiverConfig(listen="127.0.0.1:0", store=str(tmp_path), instance_id=INSTANCE, tls=tls)
    with pytest.raises(
        ConfigError, match=r"^tls: expected readable PEM files .* got No such file or directory in .*no\.crt"
    ):
        await Server(config).start()


async def test_a_tls_file_that_is_not_a_certificate_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "noise.pem"
    file.write_text("noise")
    tls = TlsConfig(cert_file=str(file), key_file=str(file))
    config = ReceiverConfig(listen="127.0.0.1:0", store=str(tmp_path / "s"), instance_id=INSTANCE, tls=tls)
    with pytest.raises(ConfigError, match=r"^tls: expected readable PEM files that belong together, got "):
        await Server(config).start()


# --- Outages ---


def outage_log(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """All log records of the receiver: module, level, message."""
    return [
        (record.name.removeprefix("otel_modeldata_receiver."), record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("otel_modeldata_receiver")
    ]


async def test_an_outage_of_the_store_is_logged_once_at_its_start_and_once_at_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The number of requests, their protocols and their folders do not matter."""
    caplog.set_level(logging.DEBUG, "otel_modeldata_receiver")
    store = BrokenStore(tmp_path)
    recorded = RecordedMetrics()
    sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0), instruments=recorded.instruments)
    async with http_receiver(tmp_path, sink=sink, instruments=recorded.instruments) as receiver:
        store.broken = StoreError("disk full")
        for number in range(3):
            for collection in ("model_inputs", "model_outputs"):
                raw = request(record(event_id=str(number), collection=collection, time_ns=NOON))
                with pytest.raises(grpc.aio.AioRpcError):
                    await receiver.live.export(raw)
                assert (await receiver.post(HTTP, "/v1/logs", raw, PROTOBUF)).status == 503
        with pytest.raises(grpc.aio.AioRpcError):
            await receiver.live.export(request(record("no json", time_ns=NOON)))
        store.broken = None

        async def ready() -> bool:
            return await health(receiver.live.channel) == "SERVING"

        await until(ready)
        assert await receiver.live.export(one("1")) == FULL_SUCCESS
        assert outage_log(caplog) == [
            ("listeners.health", "WARNING", "not ready: disk full"),
            ("listeners.health", "WARNING", "ready again: the store can be written"),
        ]
        assert recorded.values()["otel_modeldata.refused_requests"] == {
            (("error.type", "StoreError"), ("transport", "grpc")): 7,
            (("error.type", "StoreError"), ("transport", "http")): 6,
        }
    recorded.close()


async def test_an_outage_of_a_datastore_is_logged_once_at_its_start_and_once_at_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The receiver stays ready: only the lines of that datastore's collections are refused."""
    caplog.set_level(logging.DEBUG, "otel_modeldata_receiver")
    store, lake = MountedStores(LocalStore(tmp_path / "store")), BrokenStore(tmp_path / "lake")
    store.mount("lake", lake)
    (tmp_path / "blue.yml").write_text(
        "endpoint_name: credit\nname: blue\ndata_collector: {collections: {model_inputs: {data: "
        "{path: 'azureml://datastores/lake/paths/in', version: 1}}, model_outputs: {}}}\n"
    )
    settings = {"deployments": (str(tmp_path / "blue.yml"),), "datastores": {"lake": str(tmp_path / "lake")}}
    sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0))
    async with live_receiver(tmp_path / "store", **settings) as receiver:
        # The default sink retries for seconds; this one does not.
        receiver.server._pipeline._sink = sink
        lake.broken = StoreError("disk full")
        for number in range(3):
            with pytest.raises(grpc.aio.AioRpcError):
                await receiver.export(one(str(number)))
            outputs = request(record(event_id=str(number), collection="model_outputs", time_ns=NOON))
            assert await receiver.export(outputs) == FULL_SUCCESS
        assert await health(receiver.channel) == "SERVING"
        lake.broken = None
        for number in range(2):
            assert await receiver.export(one(str(number))) == FULL_SUCCESS
        assert outage_log(caplog) == [
            (
                "listeners.health",
                "WARNING",
                "lines for a datastore are not stored, requests with them are refused: datastore 'lake': disk full",
            ),
            (
                "deployments.first_lines",
                "INFO",
                f"first event of credit/blue/model_outputs is stored, below {tmp_path}/store/credit/blue/model_outputs",
            ),
            (
                "deployments.first_lines",
                "INFO",
                "first event of credit/blue/model_inputs is stored, below azureml://datastores/lake/paths/in",
            ),
            ("listeners.health", "WARNING", "lines for a datastore are stored again: datastore 'lake'"),
        ]
    await sink.close()


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
