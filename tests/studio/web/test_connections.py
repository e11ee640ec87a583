"""Whoever opens connections and sends nothing, or reads nothing, keeps no one else from an answer."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from uvicorn.server import ServerState

from otel_modeldata_studio.web import server as serving
from otel_modeldata_studio.web.access import HEADERS
from otel_modeldata_studio.web.connections import Connection, ConnectionLimits, _peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PATIENT = ConnectionLimits(asking_seconds=600, idle_seconds=600, reading_seconds=600)
"""Closes nothing for its slowness."""
HASTY = replace(PATIENT, asking_seconds=0.2)
ASKING = b"GET /%b HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
SECONDS = 60
LARGE = 64 << 20


class Answering:
    """An application with one small answer, one large one, and one that waits."""

    def __init__(self) -> None:
        self.may_answer: asyncio.Event | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/large":
            answer: Response = PlainTextResponse(b"x" * LARGE)
        elif scope["path"] == "/waiting":
            answer = StreamingResponse(self._late())
        else:
            answer = PlainTextResponse("small")
        await answer(scope, receive, send)

    def end_streams(self) -> None:
        """Called in the event loop, and after it has ended."""
        if self.may_answer is not None:
            self.may_answer.set()

    async def _late(self) -> AsyncIterator[bytes]:
        self.may_answer = self.may_answer or asyncio.Event()
        yield b"first"
        await self.may_answer.wait()
        yield b"last"


@dataclass
class Served:
    """A server that runs in a thread; `connections` are those that its event loop has."""

    port: int
    connections: set[Any]
    opened: list[socket.socket] = field(default_factory=list)

    def open(self, sent: bytes = b"") -> socket.socket:
        """A connection on which something was sent."""
        one = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        self.opened.append(one)
        one.sendall(sent)
        return one

    def open_and_seen(self, sent: bytes = b"") -> socket.socket:
        """The same, after the server has it too."""
        one = self.open(sent)
        mine = one.getsockname()
        while not any(other.client == mine for other in list(self.connections)):
            assert self.is_open(one)
        return one

    @staticmethod
    def is_open(one: socket.socket) -> bool:
        one.settimeout(0.01)
        try:
            return bool(one.recv(1, socket.MSG_PEEK))
        except TimeoutError:
            return True
        finally:
            one.settimeout(SECONDS)

    @staticmethod
    def answer(one: socket.socket) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        head, _, rest = _until(one, b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = bytearray(rest)
        while len(body) < int(headers["content-length"]):
            more = one.recv(1 << 20)
            assert more, f"{len(body):,} bytes of an answer"
            body += more
        return int(first.split()[1]), headers, bytes(body)


def _until(one: socket.socket, end: bytes) -> bytes:
    got = b""
    while end not in got:
        more = one.recv(1 << 16)
        assert more, got
        got += more
    return got


@contextmanager
def served(limits: ConnectionLimits, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    servers: list[Any] = []
    began = threading.Event()

    class Server(serving._Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            servers.append(self)
            began.set()

    monkeypatch.setattr(serving, "_Server", Server)
    app = Answering()
    listening = socket.create_server(("127.0.0.1", 0))
    running = threading.Thread(target=serving.serve, args=(app, listening, limits))
    port = listening.getsockname()[1]
    running.start()
    assert began.wait(SECONDS)
    found = Served(port, servers[0].server_state.connections)
    try:
        yield found
    finally:
        for one in found.opened:
            one.close()
        if app.may_answer is not None:
            servers[0]._loop.call_soon_threadsafe(app.may_answer.set)
        servers[0].should_exit = True
        running.join(SECONDS)
        assert not running.is_alive()


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n"])
def test_a_connection_without_a_whole_request_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(HASTY, monkeypatch) as server:
        assert server.open(sent).recv(1) == b""


def test_each_request_has_the_same_time_however_slowly_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(HASTY, monkeypatch) as server:
        one = server.open(ASKING % b"")
        assert server.answer(one)[2] == b"small"
        assert not _trickled(one)  # of the next request, a character at a time


def test_a_body_that_no_answer_waits_for_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(HASTY, monkeypatch) as server:
        one = server.open(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000000\r\n\r\n")
        assert server.answer(one)[2] == b"small"
        assert not _trickled(one)


def _trickled(one: socket.socket) -> bool:
    """Whether a connection stays open while a character is sent again and again."""
    ended = threading.Event()
    for _ in range(SECONDS * 50):
        try:
            one.sendall(b"G")
            if not Served.is_open(one):
                return False
        except OSError:
            return False
        ended.wait(0.02)
    return True


def test_after_an_answer_a_connection_waits_longer_for_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(HASTY, monkeypatch) as server:
        one = server.open(ASKING % b"")
        assert server.answer(one)[2] == b"small"
        assert server.open().recv(1) == b""  # the time of a connection that asks nothing is over
        one.sendall(ASKING % b"")
        assert server.answer(one)[2] == b"small"


def test_a_connection_is_closed_some_time_after_its_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(replace(PATIENT, idle_seconds=0.2), monkeypatch) as server:
        one = server.open(ASKING % b"")
        assert server.answer(one)[2] == b"small"
        assert one.recv(1) == b""


def test_an_answer_that_is_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(replace(PATIENT, reading_seconds=0.2), monkeypatch) as server:
        one = server.open_and_seen(ASKING % b"large")
        while server.connections:
            assert one.fileno() >= 0
        assert _all(one) < LARGE


def _all(one: socket.socket) -> int:
    """How many bytes come until the connection ends."""
    got = 0
    try:
        while more := one.recv(1 << 20):
            got += len(more)
    except ConnectionResetError:
        pass
    return got


def test_a_large_answer_that_is_read_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(ConnectionLimits(), monkeypatch) as server:
        assert len(server.answer(server.open(ASKING % b"large"))[2]) == LARGE


class Sending:
    """A transport whose peer has read all but some bytes of an answer."""

    def __init__(self) -> None:
        self.unread = 0
        self.ended: list[str] = []

    def get_write_buffer_size(self) -> int:
        return self.unread

    def close(self) -> None:
        self.ended.append("closed")

    def abort(self) -> None:
        self.ended.append("aborted")


def _sending(limits: ConnectionLimits) -> tuple[Connection, Sending]:
    config = uvicorn.Config(Answering(), log_config=None, lifespan="off")
    with closing(asyncio.new_event_loop()) as loop:
        one = Connection(limits, config=config, server_state=ServerState(), app_state={}, _loop=loop)
    transport = Sending()
    one.transport = transport  # type: ignore[assignment]
    return one, transport


@pytest.mark.parametrize(
    ("unread", "ended"),
    [
        ([900, 500, 100, 0, 900, 500], []),
        ([900, 801, 800, 700], []),  # 100 bytes in 10 seconds
        ([900, 900, 801], ["aborted"]),
        ([50, 0, 50, 0, 50], []),
        ([50, 50, 50], ["aborted"]),
        ([100, 100, 300], ["aborted"]),  # what is added is not read
    ],
)
def test_an_answer_is_read_at_a_pace(unread: list[int], ended: list[str]) -> None:
    """Looked at every 5 seconds."""
    limits = ConnectionLimits(reading_seconds=10, reading_bytes=100)
    one, transport = _sending(limits)
    start = one.since
    for number, size in enumerate(unread):
        transport.unread = size
        one.since = start + 5 * number  # it asks in time
        one.close_if_slow(start + 5 * number)
    assert transport.ended == ended


@pytest.mark.parametrize("of", ["most", "of_peer"])
def test_a_connection_that_waits_makes_room_for_a_new_one(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(replace(PATIENT, **{of: 3}), monkeypatch) as server:
        answered = server.open_and_seen(ASKING % b"")
        assert server.answer(answered)[2] == b"small"
        busy = server.open_and_seen(ASKING % b"waiting")
        _until(busy, b"first")
        asked_later = server.open_and_seen(b"GET /")
        for _ in range(20):
            assert server.answer(server.open(ASKING % b""))[2] == b"small"
        assert answered.recv(1) == b""
        assert asked_later.recv(1) == b""
        assert server.is_open(busy)


@pytest.mark.parametrize("of", ["most", "of_peer"])
def test_where_all_are_busy_a_new_one_gets_a_sentence(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(replace(PATIENT, **{of: 2}), monkeypatch) as server:
        for _ in range(2):
            _until(server.open(ASKING % b"waiting"), b"first")
        status, headers, body = server.answer(server.open(ASKING % b""))
        assert status == 503
        assert json.loads(body) == {
            "error": "expected fewer connections at a time, got too many: close other pages of Studio, then ask again"
        }
        assert headers["connection"] == "close"
        assert HEADERS.items() <= {name: headers.get(name) for name in HEADERS}.items()


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_not_http_gets_a_sentence_with_all_headers(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(PATIENT, monkeypatch) as server:
        status, headers, body = server.answer(server.open(sent))
        assert status == 400
        assert json.loads(body) == {"error": "expected a request of HTTP/1.1, got something else: use a browser"}
        assert HEADERS.items() <= {name: headers.get(name) for name in HEADERS}.items()


def test_what_is_not_http_after_an_answer_has_begun_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with served(PATIENT, monkeypatch) as server:
        one = server.open(b"GET /waiting HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n")
        _until(one, b"first")
        one.sendall(b"no chunk\r\n")
        while one.recv(1 << 16):
            pass
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("client", "peer"),
    [
        (("10.1.2.3", 5), "10.1.2.3"),
        (("::ffff:10.1.2.3", 5), "10.1.2.3"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5), "fe80::/64"),
        (("a name", 5), "a name"),
        (None, ""),
    ],
)
def test_a_peer_is_an_address_or_the_network_of_one_machine(client: Any, peer: str) -> None:
    assert _peer(client) == peer


def test_the_peer_with_the_most_connections_makes_room_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.2 is another peer of the same machine."""
    with served(replace(PATIENT, most=4), monkeypatch) as server:
        mine = server.open_and_seen()
        theirs = []
        for _ in range(3):
            one = socket.socket()
            one.bind(("127.0.0.2", 0))
            one.settimeout(SECONDS)
            one.connect(("127.0.0.1", server.port))
            server.opened.append(one)
            while not any(other.client == one.getsockname() for other in list(server.connections)):
                pass
            theirs.append(one)
        server.open_and_seen()
        assert theirs[0].recv(1) == b""
        assert [server.is_open(one) for one in (mine, *theirs[1:])] == [True] * 3
        assert all(isinstance(one, Connection) for one in list(server.connections))


def test_an_upgrade_is_a_request_like_others_and_no_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: %b\r\n\r\n"
    with served(PATIENT, monkeypatch) as server:
        for upgrade in (b"websocket", b"h2c"):
            status, _, body = server.answer(server.open(head % upgrade))
            assert (status, body) == (200, b"small")
    assert [record.getMessage() for record in caplog.records if record.levelname != "DEBUG"] == []
