"""The HTTP listeners: paths, bounds, statuses, start and stop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from certificate_files import make_certificates
from http_posts import HTTP, OLD, http_receiver
from live_receiver import INSTANCE, live_receiver, until
from otlp_requests import NOON, record, request

from otel_modeldata_receiver.config.receiver import ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ConfigError, ListenError, StoreError
from otel_modeldata_receiver.listeners import http_server, otlp_http
from otel_modeldata_receiver.server import Server
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from http_posts import HttpReceiver

    from otel_modeldata_receiver.storage.store import BlobState

pytestmark = pytest.mark.anyio

PROTOBUF = {"Content-Type": "application/x-protobuf"}
LOGS = "/v1/logs"


def one(event_id: str, body: str = '[{"a":1}]') -> bytes:
    return request(record(body, event_id=event_id, time_ns=NOON))


class GatedStore(LocalStore):
    """A local store that raises `broken` if it is set, and otherwise waits for `open`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.broken: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        await self.open.wait()
        if self.broken is not None:
            raise self.broken
        return await super().append(name, state, block)


def sink_on(store: LocalStore) -> Sink:
    return Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0))


async def raw(receiver: HttpReceiver, listener: str, content: bytes) -> bytes:
    """The answer to bytes that an HTTP client would not send, until the connection is closed."""
    host, _, port = receiver.address(listener).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(content)
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


# --- Paths and methods ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listener", "path", "sentence"),
    [
        (HTTP, "/v1/metrics", "expected the path /v1/logs or /v1/traces or /, got '/v1/metrics'; correct the sender\n"),
        (HTTP, "/modeldata/log", "expected the path /v1/logs or /v1/traces or /, got '/modeldata/log'; correct the "),
        (OLD, "/v1/logs", "expected the path /modeldata/log, got '/v1/logs'; correct the sender\n"),
        (OLD, "/modeldata/log/", "expected the path /modeldata/log, got '/modeldata/log/'; correct the sender\n"),
        (OLD, "/", "expected the path /modeldata/log, got '/'; correct the sender\n"),
    ],
)
async def test_the_answer_to_a_wrong_path_lists_the_right_ones(
    tmp_path: Path, listener: str, path: str, sentence: str
) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(listener, path, b"", {})
        assert (answer.status, answer.text[: len(sentence)]) == (404, sentence)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_the_answer_to_a_wrong_method_names_the_right_one(tmp_path: Path, method: str) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.send(method, f"http://{receiver.address(OLD)}/modeldata/log")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.text == f"expected POST, got '{method}'; correct the sender\n"


async def test_wrong_requests_are_logged_once_per_kind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with http_receiver(tmp_path) as receiver:
        for path in ("/a", "/b"):
            await receiver.post(HTTP, path, b"", {})
        for noise in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\r\n\r\n"):
            assert (await raw(receiver, HTTP, noise)).startswith(b"HTTP/1.")
    refusals = [message for message in caplog.messages if "refused" in message]
    assert refusals[0] == ("http_listen: requests are refused: expected the path /v1/logs or /v1/traces or /, got '/a'")
    assert len(refusals) == len({message.partition(":")[2] for message in refusals})
    assert not any(entry.exc_info for entry in caplog.records)


# --- Bounds -----------------------------------------------------------------------------------------------------

BEGIN = b"POST /modeldata/log HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"POST /modeldata/log" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        BEGIN + b"ce-tenant: " + b"x" * 20_000 + b"\r\n\r\n",
        BEGIN + b"".join(b"ce-h%d: x\r\n" % number for number in range(1000)) + b"\r\n",
        BEGIN + b"ce-type: a\rb\r\n\r\n",
        BEGIN + b"ce-type: a\x00b\r\n\r\n",
        BEGIN + b"Content-Length: -1\r\n\r\n",
        BEGIN + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        BEGIN + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
        BEGIN + b"no header at all\r\n\r\n",
    ],
    ids=["line", "header", "headers", "CR", "NUL", "negative", "two lengths", "smuggling", "no colon"],
)
async def test_headers_that_are_too_large_or_malformed_are_refused(tmp_path: Path, content: bytes) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await raw(receiver, OLD, content)
        assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")), answer[:100]
        assert receiver.live.blobs() == []
        assert (await receiver.post(HTTP, LOGS, one("1"), PROTOBUF)).status == 200


async def test_a_body_with_a_content_length_above_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with http_receiver(tmp_path) as receiver:
        length = b"Content-Length: 100000000\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        host, _, port = receiver.address(OLD).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(BEGIN + length)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        sentence = await reader.readline()
        assert sentence == b"expected a body of at most 75497472 bytes, got one of 100000000; send less at a time\n"
        writer.close()


@pytest.mark.parametrize("listener", [HTTP, OLD])
async def test_a_body_without_a_content_length_is_read_up_to_the_limit(tmp_path: Path, listener: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 65536
            yield bytes(65536)

    path = LOGS if listener == HTTP else "/modeldata/log"
    async with http_receiver(tmp_path, max_message_bytes=100_000) as receiver:
        answer = await receiver.post(listener, path, endless(), PROTOBUF)
        assert answer.status == 413
        assert b"expected a body of at most 100000 bytes, got more; send less at a time" in answer.body
        assert receiver.live.blobs() == []


async def test_a_client_that_expects_100_continue_gets_it(tmp_path: Path) -> None:
    """`curl` sends it for larger bodies, and waits a second if it gets no 100."""
    body = one("1")
    async with http_receiver(tmp_path) as receiver:
        host, _, port = receiver.address(HTTP).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {LOGS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


async def test_connections_without_a_request_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent connections, connections that stop in the middle of headers, and connections that got their answer."""
    monkeypatch.setattr(http_server, "IDLE_SECONDS", 0.2)
    async with http_receiver(tmp_path) as receiver:
        wrong = BEGIN + b"Content-Length: 0\r\n\r\n"
        silent, halting, answered = await asyncio.gather(*(raw(receiver, HTTP, sent) for sent in (b"", BEGIN, wrong)))
        assert (silent, halting) == (b"", b"")
        assert answered.startswith(b"HTTP/1.1 404 ")


async def test_a_sender_that_disconnects_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    async with http_receiver(tmp_path) as receiver:
        for tail in (b"Content-Length: 100\r\n\r\n[", b"Transfer-Encoding: chunked\r\n\r\n5\r\n[{", b"Content-Le"):
            with receiver.connect(OLD) as connection:
                connection.sendall(BEGIN + b"ce-type: azureml.inference.x\r\n" + tail)

        async def idle() -> bool:
            return not any(len(listener._connections.connections) for listener in receiver.live.server._http)

        await until(idle)
        assert receiver.live.blobs() == []
        assert (await receiver.post(HTTP, LOGS, one("1"), PROTOBUF)).status == 200


async def test_connections_above_the_bound_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 2)
    async with http_receiver(tmp_path) as receiver:
        with receiver.connect(OLD), receiver.connect(OLD), suppress(ConnectionResetError):
            assert await raw(receiver, OLD, b"") == b""

        async def free() -> bool:
            with suppress(aiohttp.ClientConnectionError):
                return (await receiver.post(OLD, "/modeldata/log", b"", {})).status == 400
            return False

        await until(free)


# --- Statuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [StoreError("disk full"), RuntimeError("a bug")])
async def test_an_error_of_the_receiver_asks_the_sender_to_retry(tmp_path: Path, fault: Exception) -> None:
    store = GatedStore(tmp_path)
    async with http_receiver(tmp_path, sink=sink_on(store)) as receiver:
        store.broken = fault
        answer = await receiver.post(HTTP, LOGS, one("1"), PROTOBUF)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        store.broken = None
        assert (await receiver.post(HTTP, LOGS, one("1"), PROTOBUF)).status == 200
        assert [line["id"] for line in receiver.live.lines()] == ["1"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("read_body", "requests are refused: RuntimeError: S3CRET"),
        ("request_info", "internal error (a bug), requests are refused: RuntimeError"),
    ],
    ids=["in the pipeline", "in the route"],
)
async def test_a_bug_is_logged_once_with_its_traceback_and_the_sender_is_asked_to_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str, message: str
) -> None:
    def defective(*_: object) -> None:
        raise RuntimeError("S3CRET")

    monkeypatch.setattr(otlp_http, broken, defective)
    async with http_receiver(tmp_path) as receiver:
        for _ in range(2):
            answer = await receiver.post(HTTP, LOGS, one("1"), PROTOBUF)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert b"unexpected RuntimeError in the receiver, see its log; send again" in answer.body
            assert b"S3CRET" not in answer.body
    assert caplog.messages == [message]
    assert "in defective" in caplog.text


async def test_an_overload_is_a_429_and_a_deadline_a_503(tmp_path: Path) -> None:
    store = GatedStore(tmp_path)
    store.open.clear()
    big = '[{"a":"' + "x" * 60_000 + '"}]'
    settings: dict[str, Any] = {"max_message_bytes": 100_000, "max_in_flight_bytes": 100_000, "deadline_seconds": 0.5}
    async with http_receiver(tmp_path, sink=sink_on(store), **settings) as receiver:
        first = asyncio.create_task(receiver.post(HTTP, LOGS, one("1", big), PROTOBUF))
        await until(receiver.live.in_flight)
        answer = await receiver.post(HTTP, LOGS, one("2", big), PROTOBUF)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        late = await first
        assert (late.status, b"the store did not confirm in time" in late.body) == (503, True)
        store.open.set()


async def test_a_stop_answers_requests_in_progress_and_refuses_later_ones(tmp_path: Path) -> None:
    store = GatedStore(tmp_path)
    store.open.clear()
    async with http_receiver(tmp_path, sink=sink_on(store)) as receiver:
        in_progress = asyncio.create_task(receiver.post(HTTP, LOGS, one("1"), PROTOBUF))
        await until(receiver.live.in_flight)
        stop = asyncio.create_task(receiver.live.server.stop())

        async def stopping() -> bool:
            answer = await receiver.post(HTTP, LOGS, one("2"), PROTOBUF)
            return answer.status == 503 and b"the receiver is shutting down" in answer.body

        await until(stopping)
        store.open.set()
        assert (await in_progress).status == 200
        await stop
        with pytest.raises(ConnectionRefusedError):
            receiver.connect(HTTP)
        assert [line["id"] for line in receiver.live.lines()] == ["1"]


# --- Where it listens -------------------------------------------------------------------------------------------


async def test_http_is_off_by_default(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        assert receiver.server.addresses == {"listen": f"127.0.0.1:{receiver.server.port}"}


@pytest.mark.parametrize("name", [HTTP, OLD])
async def test_an_address_in_use_is_reported_at_start_and_nothing_is_left_open(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = ReceiverConfig(listen="127.0.0.1:0", store=str(tmp_path), instance_id=INSTANCE, **{name: address})  # type: ignore[arg-type]
        with pytest.raises(ListenError) as caught:
            await Server(config).start()
    assert str(caught.value) == (
        f"expected a free address of this machine as {name}, got '{address}', which is in use, "
        "not of this machine, or not resolvable; choose another"
    )


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", 0), ("localhost", 0), ("0.0.0.0", 2)])
async def test_listening_beyond_this_machine_without_authentication_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, warned: int
) -> None:
    async with http_receiver(tmp_path, **{HTTP: f"{host}:0", OLD: f"{host}:0"}):
        pass
    assert sum("without authentication" in message for message in caplog.messages) == warned


async def test_an_ipv6_address_is_listened_on(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6: switch it on to run this test")
    async with http_receiver(tmp_path, **{HTTP: "[::1]:0"}) as receiver:
        assert receiver.address(HTTP).startswith("[::1]:")
        assert (await receiver.post(HTTP, LOGS, one("1"), PROTOBUF)).status == 200


# --- TLS --------------------------------------------------------------------------------------------------------


def client_of(folder: Path, authority: Path, *, known: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority / "ca.crt")
    if known:
        context.load_cert_chain(folder / "client.crt", folder / "client.key")
    return context


def tls_of(folder: Path) -> TlsConfig:
    return TlsConfig(
        cert_file=str(folder / "server.crt"), key_file=str(folder / "server.key"), client_ca_file=str(folder / "ca.crt")
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_https_requires_a_client_certificate_and_uses_renewed_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    served, renewed = tmp_path / "served", tmp_path / "renewed"
    for folder in (served, renewed):
        folder.mkdir()
        make_certificates(folder)
    former, latter = client_of(served, served), client_of(renewed, renewed)
    unknown = client_of(served, served, known=False)
    async with http_receiver(tmp_path / "store", tls=tls_of(served), **{HTTP: "0.0.0.0:0"}) as receiver:
        url = f"https://{host}:{receiver.address(HTTP).rpartition(':')[2]}{LOGS}"

        async def outcome(context: ssl.SSLContext, event_id: str) -> int:
            close = PROTOBUF | {"Connection": "close"}
            try:
                return (await receiver.send("POST", url, data=one(event_id), headers=close, ssl=context)).status
            except (aiohttp.ClientConnectionError, OSError):
                return 0

        assert [await outcome(former, "1"), await outcome(unknown, "2")] == [200, 0]
        (renewed / "server.crt").replace(served / "server.crt")
        assert await outcome(former, "3") == 200
        (renewed / "server.key").replace(served / "server.key")
        (renewed / "ca.crt").replace(served / "ca.crt")
        assert [await outcome(latter, "4"), await outcome(former, "5")] == [200, 0]
        assert sorted(line["id"] for line in receiver.live.lines()) == ["1", "3", "4"]
    assert [message for message in caplog.messages if "without authentication" in message] == []


async def test_a_tls_file_that_is_missing_is_named(tmp_path: Path) -> None:
    config = ReceiverConfig(http_listen="127.0.0.1:0", store=str(tmp_path), tls=tls_of(tmp_path))
    with pytest.raises(ConfigError, match=r"^tls: expected readable PEM files .* got No such file or directory in "):
        Server(config)
