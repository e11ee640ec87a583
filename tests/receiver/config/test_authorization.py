"""Which certificate may send for which deployment, over real connections."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import grpc
import msgspec
import pytest
from certificate_files import make_certificates
from http_posts import HTTP, http_receiver
from hypothesis import given
from hypothesis import strategies as st
from live_receiver import EXPORT, EXPORT_SPANS, live_receiver
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otlp_requests import NOON, record, request, span, span_request

from otel_modeldata import semconv
from otel_modeldata._delivery.grpc_transport import Delivered, GrpcTransport, Retry
from otel_modeldata._settings.otlp_endpoint import Endpoint
from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.config import receiver as config
from otel_modeldata_receiver.config.authorization import Client, Clients
from otel_modeldata_receiver.config.receiver import ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ConfigError, ForbiddenError
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.ingest.request_info import RequestInfo
from otel_modeldata_receiver.mapping.signal import LOGS
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

GRANTED = {
    "credit-pod": ["credit/blue", "credit/green"],
    "spiffe://corp/fraud": ["fraud/*"],
    "gateway": ["*"],
}
OTHER = {semconv.AZUREML_ENDPOINT_NAME: "fraud", semconv.AZUREML_DEPLOYMENT_NAME: "blue"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
KSERVE = {
    "Content-Type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-type": "org.kubeflow.serving.inference.request",
    "ce-source": "http://localhost:9081/",
    "ce-inferenceservicename": "credit",
    "ce-time": "2026-11-22T12:00:00Z",
}


def one(event_id: str, resource_values: Mapping[str, object] | None = None) -> bytes:
    """A request for credit/blue, or for the deployment that `resource_values` name."""
    return request(record(event_id=event_id, time_ns=NOON), resource_values=resource_values)


# --- Names and grants -------------------------------------------------------------------------------------------


def call_of(common_name: str, *, dns: Sequence[str] = (), uri: Sequence[str] = ()) -> dict[str, list[bytes]]:
    """A call's `auth_context`, as gRPC gives it."""
    names = {"x509_common_name": [common_name], "peer_dns": dns, "peer_uri": uri}
    return {key: [value.encode() for value in values] for key, values in names.items() if values}


def certificate_of(common_name: str, *, dns: Sequence[str] = (), uri: Sequence[str] = ()) -> dict[str, Any]:
    """The same certificate as Python's ssl returns it."""
    others = [*(("DNS", value) for value in dns), ("IP Address", "10.0.0.1"), *(("URI", value) for value in uri)]
    return {"subject": ((("organizationName", "gateway"),), (("commonName", common_name),)), "subjectAltName": others}


@pytest.mark.parametrize(
    ("common_name", "alternatives", "grants"),
    [
        ("credit-pod", {}, {"credit/blue", "credit/green"}),
        ("x", {"uri": ["spiffe://corp/fraud"]}, {"fraud/*"}),
        ("x", {"dns": ["credit-pod"]}, {"credit/blue", "credit/green"}),
        ("credit-pod", {"uri": ["spiffe://corp/fraud"]}, {"credit/blue", "credit/green", "fraud/*"}),
        ("stranger", {"dns": ["Credit-Pod", "10.0.0.1"]}, set()),
    ],
)
def test_a_certificate_may_send_for_what_any_of_its_names_may(
    common_name: str, alternatives: dict[str, list[str]], grants: set[str]
) -> None:
    clients = Clients(GRANTED)
    names = (common_name, *(name for values in alternatives.values() for name in values))
    expected = Client(names=names, grants=frozenset(grants))
    assert clients.of_call(call_of(common_name, **alternatives)) == expected
    assert clients.of_certificate(certificate_of(common_name, **alternatives)) == expected


def test_a_certificate_of_a_gateway_is_not_checked_further() -> None:
    assert Clients(GRANTED).of_call(call_of("x", dns=["gateway"])) is None
    assert Clients(GRANTED).of_certificate(certificate_of("gateway")) is None


def test_other_kinds_of_names_are_ignored() -> None:
    clients = Clients({"10.0.0.1": ["*"], "a@b": ["*"]})
    given = {"x509_subject_alternative_name": [b"10.0.0.1"], "peer_ip": [b"10.0.0.1"], "peer_email": [b"a@b"]}
    assert clients.of_call(given) == Client(names=(), grants=frozenset())
    assert clients.of_certificate(certificate_of("x")) == Client(names=("x",), grants=frozenset())


def test_names_that_are_not_utf_8_match_no_grant() -> None:
    assert Clients(GRANTED).of_call({"x509_common_name": [b"gateway\xff"]}) == Client(
        names=("gateway\ufffd",), grants=frozenset()
    )


names = st.sampled_from(["credit", "fraud", "a.b", "credit-2"])


@given(granted=st.frozensets(st.tuples(names, names | st.just("*"))), endpoint=names, deployment=names)
def test_a_deployment_is_covered_by_its_name_or_by_its_endpoints(
    granted: frozenset[tuple[str, str]], endpoint: str, deployment: str
) -> None:
    client = Client(names=("x",), grants=frozenset("/".join(grant) for grant in granted))
    if (endpoint, deployment) in granted or (endpoint, "*") in granted:
        client.check(endpoint, deployment)
    else:
        with pytest.raises(ForbiddenError):
            client.check(endpoint, deployment)


def test_a_refusal_names_the_certificate_and_the_deployment_within_bounds() -> None:
    client = Client(names=("pod\n7", "x" * 1000, "c", "d"), grants=frozenset({"credit/*"}))
    with pytest.raises(ForbiddenError) as caught:
        client.check("fraud", "blue")
    assert str(caught.value) == (
        f"expected a deployment that tls.clients grants the certificate of 'pod\\n7' alias '{'x' * 80}' alias 'c', "
        "got 'fraud/blue'; add it there, or send with another certificate"
    )


# --- The setting ------------------------------------------------------------------------------------------------


def test_the_setting_is_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "receiver.yaml"
    file.write_text(
        "tls:\n  cert_file: s.crt\n  key_file: s.key\n  client_ca_file: ca.crt\n"
        '  clients: {gateway: ["*"], "spiffe://corp/credit": [credit/*], pod: [fraud/blue, fraud/green]}\n'
    )
    loaded = config.load(file, {}).tls
    assert loaded is not None
    assert loaded.clients == {
        "gateway": ("*",),
        "spiffe://corp/credit": ("credit/*",),
        "pod": ("fraud/blue", "fraud/green"),
    }


def test_the_setting_needs_the_authority_of_the_certificates() -> None:
    tls = {"cert_file": "s.crt", "key_file": "s.key", "clients": {"gateway": ["*"]}}
    with pytest.raises(ConfigError) as caught:
        config.load(None, {"tls": tls})
    assert str(caught.value) == (
        "tls.clients: expected client_ca_file beside it, got none; without it no client shows a certificate"
    )


@pytest.mark.parametrize(
    ("granted", "problems"),
    [
        (None, []),
        (GRANTED, []),
        ({}, ["tls.clients: expected the name of a certificate, got an empty one; name who may send, or leave it out"]),
        ({"pod": []}, ["tls.clients.pod: expected deployments, got an empty one; list some, or leave the name out"]),
        *(
            (
                {"pod": [grant, "credit/blue"]},
                [(f"tls.clients.pod[0]: expected 'ENDPOINT/DEPLOYMENT', 'ENDPOINT/*' or '*', got {grant!r}")],
            )
            for grant in ("", "credit", "credit/", "/blue", "*/blue", "*/*", "a/b/c", "credit/bl*", "../x", "**")
        ),
    ],
)
def test_grants_that_could_mean_something_else_are_refused(
    granted: dict[str, list[str]] | None, problems: list[str]
) -> None:
    tls = {"cert_file": "s.crt", "key_file": "s.key", "client_ca_file": "ca.crt", "clients": granted}
    if problems:
        with pytest.raises(ConfigError) as caught:
            config.load(None, {"tls": tls})
        assert str(caught.value).splitlines() == problems
    else:
        config.load(None, {"tls": tls})


def test_a_string_is_not_a_list_of_deployments() -> None:
    tls = {"cert_file": "s.crt", "key_file": "s.key", "client_ca_file": "ca.crt", "clients": {"gateway": "*"}}
    with pytest.raises(ConfigError, match=r"^tls\.clients\.gateway: expected deployments, got text; list some, or"):
        config.load(None, {"tls": tls})


# --- Over the wire ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority and a server certificate; client certificates are in subfolders."""
    folder = make_certificates(tmp_path_factory.mktemp("clients"))
    for name, uri in (
        ("credit-pod", "spiffe://corp/credit"),
        ("some-pod", "spiffe://corp/fraud"),
        ("gateway", "spiffe://corp/gateway"),
        ("stranger", "spiffe://corp/stranger"),
    ):
        (folder / name).mkdir()
        make_certificates(folder / name, authority=folder, client_name=name, client_uris=[uri])
    return folder


def tls_of(authority: Path, granted: Mapping[str, Sequence[str]] | None) -> TlsConfig:
    return TlsConfig(
        cert_file=str(authority / "server.crt"),
        key_file=str(authority / "server.key"),
        client_ca_file=str(authority / "ca.crt"),
        clients=None if granted is None else {name: tuple(grants) for name, grants in granted.items()},
    )


async def sent(port: int, authority: Path, client: str, message: bytes, method: str = EXPORT) -> grpc.StatusCode:
    """The answer to a request with the certificate of `client`."""
    key, chain = ((authority / client / f"client.{kind}").read_bytes() for kind in ("key", "crt"))
    credentials = grpc.ssl_channel_credentials((authority / "ca.crt").read_bytes(), key, chain)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        try:
            await channel.unary_unary(method)(message, timeout=60)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.anyio
async def test_a_client_stores_for_its_own_deployments_only(
    tmp_path: Path, authority: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with live_receiver(tmp_path, tls=tls_of(authority, GRANTED)) as receiver:
        port = receiver.server.port
        assert await sent(port, authority, "credit-pod", one("1", OTHER)) is DENIED
        assert await sent(port, authority, "stranger", one("2")) is DENIED
        assert await sent(port, authority, "stranger", b"\xff") is DENIED
        # One foreign resource refuses the whole request: nothing of it is stored or quarantined.
        broken = record(None, event_id="3", time_ns=NOON, collection="..")
        assert await sent(port, authority, "credit-pod", request(broken) + one("4") + one("5", OTHER)) is DENIED
        assert receiver.blobs() == []
        assert await sent(port, authority, "credit-pod", one("6")) is OK
        assert await sent(port, authority, "some-pod", one("7", OTHER)) is OK
        assert await sent(port, authority, "gateway", one("8") + one("9", OTHER)) is OK
        stored = {line["id"]: line["source"] for line in receiver.lines()}
        credit, fraud = "/endpoints/credit/deployments/blue", "/endpoints/fraud/deployments/blue"
        assert stored == {"6": credit, "7": fraud, "8": credit, "9": fraud}
        assert receiver.quarantine() == []
    (line,) = (message for message in caplog.messages if message.startswith("requests are refused"))
    assert line == (
        "requests are refused: ForbiddenError: expected a deployment that tls.clients grants the certificate of "
        "'credit-pod' alias 'localhost' alias 'spiffe://corp/credit', got 'fraud/blue'; add it there, or "
        "send with another certificate"
    )


@pytest.mark.anyio
async def test_who_may_send_changes_without_a_restart(tmp_path: Path, authority: Path) -> None:
    before = tls_of(authority, GRANTED)
    async with live_receiver(tmp_path, tls=before) as receiver:
        port, server = receiver.server.port, receiver.server
        assert await sent(port, authority, "credit-pod", one("1", OTHER)) is DENIED
        server.use(msgspec.structs.replace(server._config, tls=tls_of(authority, {"credit-pod": ["fraud/*"]})))
        assert await sent(port, authority, "credit-pod", one("2", OTHER)) is OK
        assert await sent(port, authority, "credit-pod", one("3")) is DENIED
        assert [line["id"] for line in receiver.lines()] == ["2"]


@pytest.mark.anyio
async def test_traces_follow_the_same_rule(tmp_path: Path, authority: Path) -> None:
    async with live_receiver(tmp_path, tls=tls_of(authority, GRANTED)) as receiver:
        port = receiver.server.port
        foreign, own = span_request(span("foreign"), resource_values=OTHER), span_request(span("own"))
        assert await sent(port, authority, "credit-pod", own + foreign, EXPORT_SPANS) is DENIED
        assert receiver.blobs() == []
        assert await sent(port, authority, "credit-pod", own, EXPORT_SPANS) is OK
        assert len(receiver.lines("credit/blue/app_spans/**/*.jsonl")) == len(receiver.lines()) == 1


@pytest.mark.anyio
async def test_records_without_a_deployment_from_known_clients_are_quarantined(tmp_path: Path, authority: Path) -> None:
    async with live_receiver(tmp_path, tls=tls_of(authority, GRANTED)) as receiver:
        port = receiver.server.port
        nobodys = one("1", {semconv.AZUREML_ENDPOINT_NAME: "../fraud"})
        assert await sent(port, authority, "credit-pod", nobodys) is OK
        assert await sent(port, authority, "credit-pod", b"\xff") is grpc.StatusCode.INVALID_ARGUMENT
        kept = [(line["reason"].partition(":")[0], line.get("endpoint")) for line in receiver.quarantine()]
        assert sorted(kept, key=str) == [("name", None), ("undecodable request", None)]
        assert receiver.lines() == []


@pytest.mark.anyio
async def test_without_the_setting_every_certificate_of_the_authority_may_send(tmp_path: Path, authority: Path) -> None:
    async with live_receiver(tmp_path, tls=tls_of(authority, None)) as receiver:
        assert await sent(receiver.server.port, authority, "stranger", one("1", OTHER)) is OK
        assert [line["id"] for line in receiver.lines()] == ["1"]


@pytest.mark.anyio
async def test_http_follows_the_same_rule(tmp_path: Path, authority: Path) -> None:
    async with http_receiver(tmp_path, tls=tls_of(authority, GRANTED)) as receiver:

        async def posted(client: str, path: str, body: bytes, headers: Mapping[str, str] = PROTOBUF) -> int:
            trust = ssl.create_default_context(cafile=authority / "ca.crt")
            trust.load_cert_chain(authority / client / "client.crt", authority / client / "client.key")
            url = f"https://{receiver.address(HTTP)}{path}"
            return (await receiver.send("POST", url, data=body, headers=headers, ssl=trust)).status

        foreign = span_request(span(), resource_values=OTHER)
        assert await posted("credit-pod", "/v1/logs", one("1") + one("2", OTHER)) == 403
        assert await posted("credit-pod", "/v1/traces", foreign) == 403
        assert await posted("stranger", "/v1/logs", one("3")) == 403
        assert await posted("credit-pod", "/", b"[1]", KSERVE) == 403  # credit/default: another deployment
        assert receiver.live.blobs() == []
        assert await posted("credit-pod", "/v1/logs", one("4")) == 200
        assert await posted("gateway", "/", b"[1]", KSERVE) == 200
        assert sorted(line["source"] for line in receiver.live.lines()) == [
            "/endpoints/credit/deployments/blue",
            "/endpoints/credit/deployments/default",
        ]


@pytest.mark.anyio
async def test_the_sdk_keeps_what_is_refused_until_the_operator_grants_it(tmp_path: Path, authority: Path) -> None:
    async def tried(port: int) -> object:
        endpoint = Endpoint(
            target=f"localhost:{port}",
            secure=True,
            timeout=60.0,
            certificate=str(authority / "ca.crt"),
            client_key=str(authority / "stranger" / "client.key"),
            client_certificate=str(authority / "stranger" / "client.crt"),
        )
        transport = GrpcTransport(endpoint)
        try:
            return await anyio.to_thread.run_sync(transport.send, one("1"))
        finally:
            transport.close()

    async with live_receiver(tmp_path, tls=tls_of(authority, GRANTED)) as receiver:
        answer = await tried(receiver.server.port)
        assert isinstance(answer, Retry)
        assert re.fullmatch(r"expected a certificate that tls\.clients names, got one of 'stranger' .*", answer.details)
    granted = GRANTED | {"stranger": ["credit/blue"]}
    async with live_receiver(tmp_path, tls=tls_of(authority, granted)) as receiver:
        assert await tried(receiver.server.port) == Delivered()
        assert [line["id"] for line in receiver.lines()] == ["1"]


@pytest.mark.anyio
async def test_refused_requests_are_counted_by_their_error(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    sink = Sink(LocalStore(tmp_path), instance="0" * 32)
    pipeline = Pipeline(sink, ReceiverConfig(), telemetry.instruments(provider.get_meter("test")))
    client = Client(names=("pod",), grants=frozenset({"fraud/*"}))
    info = RequestInfo(signal=LOGS, transport="grpc", client=client)

    async def read() -> bytes:
        return one("1")

    for _ in range(2):
        with pytest.raises(ForbiddenError):
            await pipeline.receive(read, info)
    assert pipeline.in_flight_bytes == 0
    data = reader.get_metrics_data()
    assert data is not None
    counted = {
        (metric.name, *(point.attributes or {}).values()): getattr(point, "value", None)
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    assert counted == {
        ("otel_modeldata.refused_requests", "ForbiddenError", "grpc"): 2,
        ("otel_modeldata.in_flight",): 0,
    }
    await sink.close()
    provider.shutdown()
