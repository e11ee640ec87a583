"""TLS from the sender to the receiver: certificates that are renewed are used without a restart of their process."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.request
from typing import TYPE_CHECKING

import grpc
import pytest
from certificate_files import make_certificates
from cryptography import x509
from otlp_requests import request
from otlp_sender import LOGS, SEND_SECONDS, model_data
from receiver_process import lines_below, wait_for_lines
from waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from gateway import StartGateway
    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow
SAME = ("--instance-id", "0123456789abcdef0123456789abcdef")


def install(live: Path, servers: Path, clients: Path) -> None:
    """Put the files of a renewal in place, each atomically: a server, a client, and the authority of the clients."""
    sources = {
        "server.crt": servers / "server.crt",
        "server.key": servers / "server.key",
        "client.crt": clients / "client.crt",
        "client.key": clients / "client.key",
        "client-ca.crt": clients / "ca.crt",
    }
    for name, source in sources.items():
        fresh = live / f"{name}.new"
        fresh.write_bytes(source.read_bytes())
        fresh.replace(live / name)


def context_of(servers: Path, clients: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(servers / "ca.crt"))
    if clients is not None:
        context.load_cert_chain(clients / "client.crt", clients / "client.key")
    return context


def served(endpoint: str, servers: Path, clients: Path) -> int:
    """The serial number of the certificate of a server."""
    host, port = endpoint.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=60) as plain,
        context_of(servers, clients).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


def serial(folder: Path) -> int:
    return x509.load_pem_x509_certificate((folder / "server.crt").read_bytes()).serial_number


def credentials_of(servers: Path, clients: Path) -> grpc.ChannelCredentials:
    key, certificate = (clients / "client.key").read_bytes(), (clients / "client.crt").read_bytes()
    return grpc.ssl_channel_credentials((servers / "ca.crt").read_bytes(), key, certificate)


def send(endpoint: str, servers: Path, clients: Path, event_id: str) -> None:
    """Send one event over TLS; returning means that it was acknowledged."""
    with grpc.secure_channel(endpoint, credentials_of(servers, clients)) as channel:
        export = channel.unary_unary(LOGS)
        export(request(model_data(event_id)), timeout=SEND_SECONDS, wait_for_ready=True)


def is_refused(endpoint: str, credentials: grpc.ChannelCredentials | None) -> bool:
    open_channel = (
        grpc.insecure_channel(endpoint) if credentials is None else grpc.secure_channel(endpoint, credentials)
    )
    with open_channel as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(LOGS)(request(model_data("refused")), timeout=SEND_SECONDS)
    return refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_agent_gateway_and_receiver_use_renewed_certificates(
    start_gateway: StartGateway, start_receiver: StartReceiver, tmp_path: Path
) -> None:
    for name in ("servers", "renewed", "first", "second", "live"):
        (tmp_path / name).mkdir()
    servers, first = make_certificates(tmp_path / "servers"), make_certificates(tmp_path / "first")
    renewed = make_certificates(tmp_path / "renewed", authority=servers)
    second = make_certificates(tmp_path / "second")
    (renewed / "ca.crt").write_bytes((servers / "ca.crt").read_bytes())
    live, store = tmp_path / "live", tmp_path / "store"
    install(live, servers, first)

    tls = {"cert_file": "server.crt", "key_file": "server.key", "client_ca_file": "client-ca.crt"}
    settings = {"tls": {key: str(live / name) for key, name in tls.items()}}
    (tmp_path / "receiver.yaml").write_text(json.dumps(settings))
    receiver = start_receiver(str(store), *SAME, "--config", str(tmp_path / "receiver.yaml"))

    def client(of: str) -> dict[str, str]:
        return {
            f"OTEL_MODELDATA_{of}_INSECURE": "false",
            f"OTEL_MODELDATA_{of}_CA_FILE": str(servers / "ca.crt"),
            f"OTEL_MODELDATA_{of}_CERT_FILE": str(live / "client.crt"),
            f"OTEL_MODELDATA_{of}_KEY_FILE": str(live / "client.key"),
        }

    def listener(of: str) -> dict[str, str]:
        return {
            f"OTEL_MODELDATA_{of}_LISTEN_TLS": "true",
            f"OTEL_MODELDATA_{of}_LISTEN_CERT_FILE": str(live / "server.crt"),
            f"OTEL_MODELDATA_{of}_LISTEN_KEY_FILE": str(live / "server.key"),
            f"OTEL_MODELDATA_{of}_LISTEN_CLIENT_CA_FILE": str(live / "client-ca.crt"),
        }

    gateway = start_gateway(
        OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint, **client("RECEIVER"), **listener("GATEWAY")
    )
    agent = start_gateway(
        "agent.yaml", OTEL_MODELDATA_GATEWAY_ENDPOINT=gateway.grpc, **client("GATEWAY"), **listener("AGENT")
    )
    send(agent.grpc, servers, first, "before")
    wait_for_lines(store, 1)
    for endpoint in (agent.grpc, gateway.grpc):
        assert is_refused(endpoint, None)
        assert is_refused(endpoint, grpc.ssl_channel_credentials((servers / "ca.crt").read_bytes()))

    install(live, renewed, second)
    for endpoint in (agent.grpc, gateway.grpc, gateway.http):
        wait_until(lambda at=endpoint: served(at, servers, second) == serial(renewed))
    assert is_refused(agent.grpc, credentials_of(servers, first))
    send(agent.grpc, servers, second, "after")
    # A connection that is open keeps its certificate: each server restarts, so that its client connects again.
    receiver.stop()
    receiver.start()
    send(agent.grpc, servers, second, "gateway as a client")
    wait_for_lines(store, 3)
    gateway.stop()
    gateway.start()
    send(agent.grpc, servers, second, "agent as a client")
    wait_for_lines(store, 4)
    post = urllib.request.Request(
        f"https://localhost:{gateway.http.split(':')[1]}/v1/logs",
        data=request(model_data("over HTTPS")),
        headers={"Content-Type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(post, timeout=SEND_SECONDS, context=context_of(servers, second)) as response:
        assert response.status == 200
    wait_for_lines(store, 5)
    assert agent.stop() == gateway.stop() == receiver.stop() == 0
    assert sorted(line["id"] for line in lines_below(store)) == [
        "after",
        "agent as a client",
        "before",
        "gateway as a client",
        "over HTTPS",
    ]
