"""Certificates are renewed and tokens rotate while a process lives: no event is lost, and failures are heard."""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING, Any

import grpc
import pandas as pd
import pytest
from recording_backend import RecordingBackend
from waiting import wait_until

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata._delivery.grpc_transport import GrpcTransport
from otel_modeldata._settings.credential_renewal import PATIENCE_SECONDS, CredentialRenewal
from otel_modeldata._settings.otlp_endpoint import Endpoint
from otel_modeldata.exceptions import CredentialsError
from otel_modeldata.transport import Answer, Delivered, Retry

pytest.importorskip("cryptography")

from certificate_files import make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAME = pd.DataFrame({"a": [1]})
MINUTE = 60.0


class TlsBackend(RecordingBackend):
    """A backend that accepts only clients with a certificate of its authority.

    Args:
        folder: has the files of the server.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _listen(self, server: grpc.Server, address: str) -> int:
        names = ("server.key", "server.crt", "ca.crt")
        key, certificate, authority = ((self._folder / name).read_bytes() for name in names)
        credentials = grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)
        return server.add_secure_port(address, credentials)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The server's files; the client has copies of its own."""
    (tmp_path / "served").mkdir()
    return make_certificates(tmp_path / "served")


@pytest.fixture
def server(served: Path) -> Iterator[TlsBackend]:
    with TlsBackend(served) as running:
        yield running


@pytest.fixture
def mounted(tmp_path: Path, served: Path, server: TlsBackend, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client's files as Kubernetes mounts a secret: links into a folder, which is swapped as a whole."""
    mount = tmp_path / "mount"
    mount.mkdir()
    _swap(mount, served, "1")
    variables = {"CERTIFICATE": "ca.crt", "CLIENT_KEY": "client.key", "CLIENT_CERTIFICATE": "client.crt"}
    for variable, name in variables.items():
        (mount / name).symlink_to(mount / "..data" / name)
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", str(mount / name))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"https://{server.endpoint}")
    return mount


def _with_certificates(target: str, served: Path, **more: Any) -> Endpoint:
    files = {"certificate": "ca.crt", "client_key": "client.key", "client_certificate": "client.crt"}
    return Endpoint(target=target, secure=True, **{key: str(served / name) for key, name in files.items()}, **more)


def _swap(mount: Path, source: Path, version: str) -> None:
    shutil.copytree(source, mount / version)
    link = mount / "..data_tmp"
    link.symlink_to(version)
    link.replace(mount / "..data")


def _sent(collector: Collector, count: int) -> int:
    """Collect events, and return how many are delivered by then."""
    for _ in range(count):
        collector.collect(FRAME)
    return otel_modeldata.flush(MINUTE).delivered


def test_certificates_that_are_renewed_under_a_new_authority_lose_no_event(
    server: TlsBackend, served: Path, mounted: Path
) -> None:
    heard: list[Exception] = []
    collector = Collector(name="model_inputs", on_error=heard.append)
    assert _sent(collector, 1) == 1
    server.stop()
    make_certificates(served)
    _swap(mounted, served, "2")
    server.start()
    assert _sent(collector, 3) == 4
    report = otel_modeldata.shutdown()
    assert (report.accepted, report.delivered, report.lost, heard) == (4, 4, {}, [])
    assert len(server.records()) == 4


def test_a_renewal_of_the_server_alone_is_heard_and_ends_when_the_client_follows(
    server: TlsBackend, served: Path, mounted: Path
) -> None:
    heard: list[Exception] = []
    collector = Collector(name="model_inputs", on_error=lambda error: (heard.append(error), follow()))
    assert _sent(collector, 1) == 1

    def follow() -> None:
        _swap(mounted, served, "2")

    server.stop()
    make_certificates(served)
    server.start()
    assert _sent(collector, 3) == 4
    (error,) = heard
    assert isinstance(error, CredentialsError)
    assert error.code == "UNAVAILABLE"
    assert otel_modeldata.shutdown().lost == {}


def test_a_renewed_certificate_that_the_server_refuses_is_heard_and_its_events_wait(
    server: TlsBackend, mounted: Path, tmp_path: Path
) -> None:
    """With TLS 1.3 the client only sees that the connection is closed."""
    heard: list[Exception] = []
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    make_certificates(foreign)
    shutil.copy(mounted / "ca.crt", foreign / "ca.crt")
    collector = Collector(name="model_inputs", on_error=lambda error: (heard.append(error), back()))
    assert _sent(collector, 1) == 1

    def back() -> None:
        (mounted / "..data").unlink()
        (mounted / "..data").symlink_to("1")

    _swap(mounted, foreign, "2")
    assert _sent(collector, 3) == 4
    assert [type(error) for error in heard] == [CredentialsError]


@pytest.mark.slow
def test_a_client_certificate_that_the_server_no_longer_accepts_is_heard(
    server: TlsBackend, served: Path, mounted: Path, tmp_path: Path
) -> None:
    """As when it has expired: nothing changes in the files."""
    heard: list[Exception] = []
    collector = Collector(name="model_inputs", on_error=lambda error: (heard.append(error), restore()))
    assert _sent(collector, 1) == 1
    authority = (served / "ca.crt").read_bytes()

    def restore() -> None:
        server.stop()
        (served / "ca.crt").write_bytes(authority)
        server.start()

    server.stop()
    (tmp_path / "other").mkdir()
    shutil.copy(make_certificates(tmp_path / "other") / "ca.crt", served / "ca.crt")
    server.start()
    assert _sent(collector, 3) == 4
    assert [type(error) for error in heard] == [CredentialsError]


def test_a_connection_that_is_closed_under_two_calls_counts_once(served: Path) -> None:
    """A server that restarts closes a connection once or twice."""
    endpoint = _with_certificates("127.0.0.1:1", served)
    transport = GrpcTransport(endpoint.checked())
    closed = Retry("UNAVAILABLE", "Socket closed")
    blamed = [transport._with_blame(closed, before).is_about_credentials for before in (0, 0, 1, 1, 2, 2)]
    transport.close()
    assert blamed == [False, False, False, False, True, True]


def test_files_in_the_middle_of_a_renewal_change_nothing(served: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(served, mine)
    paths = {"certificate": "ca.crt", "client_key": "client.key", "client_certificate": "client.crt"}
    files = {field: str(mine / name) for field, name in paths.items()}
    endpoint = Endpoint(target="x:1", secure=True, **files).checked()  # type: ignore[arg-type]
    renewal = CredentialRenewal(endpoint)
    assert renewal.renewed() is None
    make_certificates(served)
    for change in ("client.crt", "client.key"):
        half = (served / change).read_bytes()
        (mine / change).write_bytes(half[:100])
        assert renewal.renewed() is None
        (mine / change).write_bytes(b"")
        assert renewal.renewed() is None
        (mine / change).unlink()
        assert renewal.renewed() is None
        (mine / change).write_bytes(half)
    renewed = renewal.renewed()
    assert renewed == Endpoint(target="x:1", secure=True, **files).checked()  # type: ignore[arg-type]
    assert renewed != endpoint
    assert renewal.renewed() is None


def test_files_that_stay_unusable_are_reported_once_a_minute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "token"
    path.write_text("s3cr3t")
    now = 0.0
    renewal = CredentialRenewal(Endpoint(target="x:1", token_file=str(path)).checked(), clock=lambda: now)
    path.write_text("s3cr3t\nsecond line")
    for seconds in (0.0, PATIENCE_SECONDS - 1, PATIENCE_SECONDS, PATIENCE_SECONDS + 1):
        now = seconds
        assert renewal.renewed() is None
    (record,) = caplog.records
    assert record.getMessage() == (
        "the credential files changed and cannot be used, so the previous credentials are used: "
        f"OTEL_MODELDATA_TOKEN_FILE: expected a file with a token in {str(path)!r}, got a file without a token of "
        "printable ASCII characters in one line: correct it"
    )
    path.write_text("other")
    renewed = renewal.renewed()
    assert renewed is not None
    assert renewed.metadata() == (("authorization", "Bearer other"),)


def test_a_rotated_token_is_used_and_an_expired_one_is_heard(
    backend: RecordingBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    monkeypatch.setenv("OTEL_MODELDATA_TOKEN_FILE", str(path))
    accepted = {"Bearer first"}

    def judge(context: grpc.ServicerContext) -> None:
        if dict(context.invocation_metadata())["authorization"] not in accepted:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "token expired")
        backend.refuse(None)

    heard: list[Exception] = []
    collector = Collector(name="model_inputs", on_error=lambda error: (heard.append(error), path.write_text("second")))
    assert _sent(collector, 1) == 1
    accepted = {"Bearer second"}
    backend.refuse(judge)
    assert _sent(collector, 3) == 4
    (error,) = heard
    assert isinstance(error, CredentialsError)
    assert str(error) == (
        "expected the endpoint to accept the certificates, headers and token of this process, got UNAUTHENTICATED: "
        "token expired; events wait: renew the files, which are read again, or correct the endpoint"
    )


@pytest.mark.slow
def test_a_refusal_that_lasts_is_heard_once_a_minute_and_an_on_error_that_fails_stops_nothing(
    backend: RecordingBackend,
) -> None:
    tries: list[grpc.ServicerContext] = []

    def judge(context: grpc.ServicerContext) -> None:
        tries.append(context)
        if len(tries) < 3:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not yours")
        backend.refuse(None)

    heard: list[Exception] = []

    def fail(error: Exception) -> None:
        heard.append(error)
        raise LookupError("an error of the application")

    backend.refuse(judge)
    assert _sent(Collector(name="model_inputs", on_error=fail), 1) == 1
    assert len(tries) == 3
    assert [type(error) for error in heard] == [CredentialsError]


def test_another_token_keeps_the_connection_and_other_certificates_open_a_new_one(
    server: TlsBackend, served: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "token").write_text("a")
    endpoint = _with_certificates(server.endpoint, served, token_file=str(tmp_path / "token"))
    transport = GrpcTransport(endpoint.checked())
    assert transport.send(b"") == Delivered(0, "")
    channel = transport._channel
    (tmp_path / "token").write_text("b")
    assert transport.send(b"") == Delivered(0, "")
    assert transport._channel is channel
    make_certificates(served, authority=served)
    assert transport.send(b"") == Delivered(0, "")
    assert transport._channel is not channel
    transport.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"the credentials of {server.endpoint} changed and are used now"
    ] * 2


def test_certificates_that_are_renewed_during_a_call_do_not_cancel_it(
    server: TlsBackend, served: Path, tmp_path: Path
) -> None:
    endpoint = _with_certificates(server.endpoint, served, timeout=30.0)
    transport = GrpcTransport(endpoint.checked())
    gate = threading.Event()

    def judge(context: grpc.ServicerContext) -> None:
        assert gate.wait(60)
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")

    server.refuse(judge)
    answers: list[Answer] = []
    senders = [threading.Thread(target=lambda: answers.append(transport.send(b""))) for _ in range(2)]
    senders[0].start()
    server.wait_until(lambda backend: backend.refused == 1)
    server.refuse(None)
    make_certificates(served, authority=served)
    before, channel = transport._endpoint, transport._channel
    senders[1].start()
    wait_until(lambda: transport._endpoint is not before)
    assert (transport._renewing.locked(), transport._channel is channel, answers) == (True, True, [])
    gate.set()
    for sender in senders:
        sender.join(60)
    assert answers == [Retry("RESOURCE_EXHAUSTED", "busy"), Delivered(0, "")]
    assert transport._channel is not channel
    transport.close()


def test_a_renewed_certificate_is_blamed_also_if_a_call_with_the_old_one_succeeds_meanwhile(
    server: TlsBackend, served: Path, tmp_path: Path
) -> None:
    mine, foreign = tmp_path / "mine", tmp_path / "foreign"
    shutil.copytree(served, mine)
    foreign.mkdir()
    make_certificates(foreign)
    transport = GrpcTransport(_with_certificates(server.endpoint, mine, timeout=30.0).checked())
    gate = threading.Event()
    server.refuse(lambda _: gate.wait(60))
    answers: list[Answer] = []
    sender = threading.Thread(target=lambda: answers.append(transport.send(b"")))
    sender.start()
    server.wait_until(lambda backend: backend.refused == 1)
    for name in ("client.key", "client.crt"):
        shutil.copy(foreign / name, mine / name)
    second = threading.Thread(target=lambda: answers.append(transport.send(b"")))
    before = transport._endpoint
    second.start()
    wait_until(lambda: transport._endpoint is not before)
    gate.set()
    for one in (sender, second):
        one.join(60)
    transport.close()
    assert answers[0] == Delivered(0, "")
    assert isinstance(answers[1], Retry)
    assert (answers[1].code, answers[1].is_about_credentials) == ("UNAVAILABLE", True)


def test_a_process_that_forks_after_a_renewal_needs_no_file_in_its_first_collect(served: Path, tmp_path: Path) -> None:
    """The contents that `Collector(...)` has checked are used until the files can be used again."""
    mine = tmp_path / "mine"
    shutil.copytree(served, mine)
    endpoint = Endpoint(target="x:1", secure=True, certificate=str(mine / "ca.crt")).checked()
    (mine / "ca.crt").unlink()
    transport = GrpcTransport(endpoint)
    assert transport._endpoint == endpoint
    transport.close()


def test_a_server_that_is_down_is_not_blamed_on_credentials_even_after_a_renewal(
    server: TlsBackend, served: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a")
    endpoint = Endpoint(
        target=server.endpoint, secure=True, certificate=str(served / "ca.crt"), token_file=str(tmp_path / "token")
    )
    transport = GrpcTransport(endpoint.checked())
    server.stop()
    (tmp_path / "token").write_text("b")
    answer = transport.send(b"")
    transport.close()
    assert isinstance(answer, Retry)
    assert (answer.code, answer.is_about_credentials) == ("UNAVAILABLE", False)
