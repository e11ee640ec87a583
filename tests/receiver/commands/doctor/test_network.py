"""The layers of the network, each broken."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import pytest
from certificate_files import make_certificates
from doctor_hops import Hops, http_server, outcomes
from gateway import free_port
from recording_backend import RecordingBackend

from otel_modeldata.environment import Endpoint
from otel_modeldata_receiver.commands.doctor import network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway import StartAnyGateway
    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://b:2"},
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        ),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": ""}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_the_variable_that_is_used_is_named(variables: dict[str, str], named: str) -> None:
    assert network.endpoint_variable(variables) == named


def way(endpoint: Endpoint) -> Hops:
    return {
        hop.name: (hop.outcome, hop.sentence) for hop in network.hops(endpoint, 10.0, "OTEL_EXPORTER_OTLP_ENDPOINT")
    }


def test_a_name_that_does_not_resolve_is_reported() -> None:
    hops = way(Endpoint(target="no-such-host.invalid:4317"))
    assert outcomes(hops) == {"name": "failed"}
    assert hops["name"][1].startswith("expected an address of 'no-such-host.invalid', got ")


def test_a_port_where_nothing_listens_is_reported() -> None:
    target = f"127.0.0.1:{free_port()}"
    assert way(Endpoint(target=target)) == {
        "name": ("ok", "127.0.0.1 is 127.0.0.1"),
        "connection": (
            "failed",
            (
                f"expected a listener on {target}, got Connection refused: start the gateway or a receiver there "
                "(otel-modeldata receive), correct the port in OTEL_EXPORTER_OTLP_ENDPOINT, or do without either "
                "(OTEL_MODELDATA_STORE=./modeldata)"
            ),
        ),
    }


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def tls_receiver(start: StartReceiver, folder: Path, certificates: Path, *, mutual: bool = False) -> Iterator[str]:
    config = folder / "receiver.yml"
    tls = {"cert_file": str(certificates / "server.crt"), "key_file": str(certificates / "server.key")}
    if mutual:
        tls["client_ca_file"] = str(certificates / "ca.crt")
    config.write_text(json.dumps({"tls": tls}))
    yield start(str(folder / "store"), "--config", str(config)).endpoint


def test_tls_is_reported_with_the_expiry_of_the_certificate(
    start_receiver: StartReceiver, tmp_path: Path, certificates: Path
) -> None:
    with tls_receiver(start_receiver, tmp_path, certificates) as target:
        hops = way(Endpoint(target=target, secure=True, certificate=str(certificates / "ca.crt")))
    assert set(outcomes(hops).values()) == {"ok"}
    assert hops["TLS"][1].startswith("TLSv1.3, the certificate is valid until ")


def test_each_mismatch_of_tls_has_its_own_message(
    start_receiver: StartReceiver, tmp_path: Path, certificates: Path
) -> None:
    with tls_receiver(start_receiver, tmp_path, certificates) as target:
        plain = way(Endpoint(target=target))
        untrusted = way(Endpoint(target=target, secure=True))
    assert plain["protocol"] == (
        "failed",
        (
            f"expected gRPC in plain text on {target}, got a closed connection: if it uses TLS, write "
            "https:// in OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
    )
    assert untrusted["TLS"] == (
        "failed",
        (
            f"expected a certificate for {target} from an authority that is trusted here, "
            "got unable to get local issuer certificate: name the authority's file in OTEL_EXPORTER_OTLP_CERTIFICATE, "
            "or correct the certificate"
        ),
    )
    with RecordingBackend() as backend:
        encrypted = way(Endpoint(target=backend.endpoint, secure=True))
        unreadable = way(Endpoint(target=backend.endpoint, secure=True, certificate="/no/file"))
    assert encrypted["TLS"][1].startswith(f"expected {backend.endpoint} to use TLS, got ")
    assert unreadable["TLS"][1].startswith("expected to read the certificate files, got ")


def test_a_server_that_wants_a_client_certificate_is_reported(
    start_receiver: StartReceiver, tmp_path: Path, certificates: Path
) -> None:
    trusted = {"secure": True, "certificate": str(certificates / "ca.crt")}
    with tls_receiver(start_receiver, tmp_path, certificates, mutual=True) as target:
        without = way(Endpoint(target=target, **trusted))  # type: ignore[arg-type]
        own = {"client_certificate": str(certificates / "client.crt"), "client_key": str(certificates / "client.key")}
        with_it = way(Endpoint(target=target, **trusted, **own))  # type: ignore[arg-type]
    assert without["protocol"][0] == "failed"
    assert without["protocol"][1].endswith(
        "it may want a certificate in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY"
    )
    assert set(outcomes(with_it).values()) == {"ok"}


def test_an_expired_certificate_of_either_side_is_named(
    start_receiver: StartReceiver, tmp_path: Path, certificates: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    make_certificates(old, authority=certificates, days=-1, client_days=-1)
    trusted = {"secure": True, "certificate": str(certificates / "ca.crt")}
    own = {"client_certificate": str(old / "client.crt"), "client_key": str(old / "client.key")}
    with tls_receiver(start_receiver, tmp_path, certificates, mutual=True) as target:
        client = way(Endpoint(target=target, **trusted, **own))  # type: ignore[arg-type]
    assert client["protocol"][0] == "failed"
    assert client["protocol"][1].endswith(
        "got a closed connection: the certificate in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE may have expired (`openssl "
        f"x509 -noout -enddate -in {old}/client.crt` shows it), or its authority is not trusted there"
    )
    with tls_receiver(start_receiver, tmp_path, old) as target:
        server = way(Endpoint(target=target, secure=True, certificate=str(old / "ca.crt")))
    assert server["TLS"] == (
        "failed",
        (
            f"expected a certificate for {target} that is valid now, got certificate has expired: renew it there, or "
            "correct the clock of this machine"
        ),
    )


def test_the_port_of_otlp_over_http_is_recognized(start_any_gateway: StartAnyGateway) -> None:
    gateway = start_any_gateway("127.0.0.1:1")
    with http_server() as other:
        for target in (gateway.http, other):
            assert way(Endpoint(target=target))["protocol"] == (
                "failed",
                (
                    f"expected gRPC on {target}, got an HTTP/1 server: OTLP over gRPC usually has port 4317, "
                    "and 4318 is OTLP over HTTP"
                ),
            )


@pytest.mark.parametrize(("answer", "got"), [(b"", "no answer for 0.2 s"), (b"220 mail ready\r\n", "something else")])
def test_a_server_of_another_kind_is_reported(monkeypatch: pytest.MonkeyPatch, answer: bytes, got: str) -> None:
    monkeypatch.setattr(network, "_PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        held: list[socket.socket] = []

        def answer_once() -> None:
            held.append(listener.accept()[0])
            held[0].sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        hops = way(Endpoint(target=target))
        thread.join()
        held[0].close()
    assert hops["protocol"] == ("failed", f"expected gRPC on {target}, got {got}: correct the port")


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        ("UNAUTHENTICATED", "put credentials into OTEL_EXPORTER_OTLP_HEADERS, as in authorization=Bearer%20TOKEN"),
        ("PERMISSION_DENIED", "ask for the right to write, or put other credentials into OTEL_EXPORTER_OTLP_HEADERS"),
        ("UNIMPLEMENTED", "use the gateway's otlp receiver in a logs pipeline, or correct the port"),
        ("INTERNAL", "look at its log"),
    ],
)
def test_a_refusal_is_reported_with_advice_and_without_the_secret(code: str, cure: str) -> None:
    with RecordingBackend() as backend:
        backend.refuse(lambda context: context.abort(grpc.StatusCode[code], "no entry"))
        hops = way(Endpoint(target=backend.endpoint, headers=(("authorization", "Bearer secret"),)))
    assert hops["authorized"] == (
        "failed",
        f"expected an answer to an empty request with the headers authorization, got {code}: no entry: {cure}",
    )


def test_behind_a_proxy_the_layers_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    hops = way(Endpoint(target="gateway.invalid:4317"))
    assert outcomes(hops) == {
        "name": "not checked",
        "connection": "not checked",
        "TLS": "not checked",
        "protocol": "not checked",
        "authorized": "failed",
    }
    assert hops["name"][1] == "gRPC uses the proxy of the variable https_proxy"
    assert "secret" not in json.dumps(hops)
