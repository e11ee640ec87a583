"""TLS of the gRPC listener, over real connections."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc
import pytest
from certificate_files import make_certificates
from live_receiver import EXPORT, INSTANCE, live_receiver
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from served_store import one

from otel_modeldata_receiver.config.receiver import ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.server import Server

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio

FULL_SUCCESS = ExportLogsServiceResponse()
PROTOBUF = {"Content-Type": "application/x-protobuf"}


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
            assert await channel.unary_unary(EXPORT)(one("1"), timeout=60) == b""
        async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authority)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(EXPORT)(one("2"), timeout=60)
            # UNAVAILABLE, not UNAUTHENTICATED, so a gateway with the wrong certificate keeps its data.
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert [line["id"] for line in receiver.lines()] == ["1"]


def _client(folder: Path, authority: Path) -> grpc.ChannelCredentials:
    key, chain = ((folder / f"client.{kind}").read_bytes() for kind in ("key", "crt"))
    return grpc.ssl_channel_credentials((authority / "ca.crt").read_bytes(), key, chain)


async def _outcome(port: int, credentials: grpc.ChannelCredentials, key: str) -> grpc.StatusCode:
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        try:
            await channel.unary_unary(EXPORT)(one(key), timeout=60)
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
