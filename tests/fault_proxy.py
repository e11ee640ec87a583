"""An HTTP proxy in front of a real server that breaks chosen requests in the ways networks and busy services do.

    with FaultProxy(azurite.host, script([Fault.DROP_ANSWER])) as proxy:
        connection = azurite.connection_string_through(proxy.host)

Which request is broken, and how, is decided by a plan: `script` for the first ones, `dice` for a seeded share of all.
Plans look at append blocks only, unless they are given other `requests`. `proxy.seen` tells what happened.
"""

from __future__ import annotations

import enum
import http.client
import random
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    Requests = Callable[[str, str, str], bool]
    """Whether a rule is about the request of this method, `comp` and path."""
    Plan = Callable[[str, str, str], "Fault | None"]
    """What becomes of the request of this method, `comp` and path."""


class Fault(enum.Enum):
    """What becomes of a request."""

    BUSY_BEFORE = "answered 503, never forwarded"
    FORBIDDEN = "answered 403, never forwarded, as when a key or a signature is no longer good"
    UNAUTHORIZED = "answered 401, never forwarded, as when a token has expired"
    CUT_BEFORE = "connection closed, never forwarded"
    HALF_BODY = "half of the body forwarded, then both connections closed"
    CHANGED_BODY = "forwarded with another last byte"
    DROP_ANSWER = "forwarded and answered, the answer is lost"
    ERROR_AFTER = "forwarded and answered, the answer is replaced by a 500"
    BUSY_AFTER = "forwarded and answered, the answer is replaced by a 503"
    LATE = "connection closed, forwarded when `release` is called"
    SLOW = "forwarded and answered, the answer is held back until `release` is called"


WITHOUT_EFFECT = (Fault.BUSY_BEFORE, Fault.CUT_BEFORE, Fault.HALF_BODY)
"""The server applies nothing."""
WITH_EFFECT = (Fault.DROP_ANSWER, Fault.ERROR_AFTER, Fault.BUSY_AFTER)
"""The server applies the request, and the client cannot know."""


class Seen(NamedTuple):
    """One request: `method`, the query's `comp` (or ""), the path, and what became of it."""

    method: str
    comp: str
    path: str
    fault: Fault | None


def is_append(method: str, comp: str, path: str) -> bool:
    """Whether the request is an append to a blob."""
    return (method, comp) == ("PUT", "appendblock")


def script(faults: Iterable[Fault | None], requests: Requests = is_append) -> Plan:
    """The first of `requests` get these faults, in this order; later ones pass."""
    rest = iter(faults)
    return lambda method, comp, path: next(rest, None) if requests(method, comp, path) else None


def dice(seed: int, share: float, faults: Sequence[Fault], requests: Requests = is_append) -> Plan:
    """Each of `requests` gets one of `faults` with probability `share`."""
    rng = random.Random(seed)

    def plan(method: str, comp: str, path: str) -> Fault | None:
        return rng.choice(faults) if requests(method, comp, path) and rng.random() < share else None

    return plan


def no_faults(method: str, comp: str, path: str) -> Fault | None:
    """Everything passes."""
    return None


def always(fault: Fault) -> Plan:
    """Every request gets this fault, whatever it is about."""
    return lambda method, comp, path: fault


@dataclass(frozen=True, slots=True)
class _Held:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class FaultProxy:
    """Forwards to `upstream` (`host:port`) what `plan` does not break; `plan` may be replaced at any time."""

    def __init__(self, upstream: str, plan: Plan = no_faults) -> None:
        self.upstream = upstream
        self.plan = plan
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._late: list[_Held] = []
        self._go_on = threading.Event()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def release(self) -> list[int]:
        """Let the held requests happen, oldest first; the status codes of the late ones."""
        with self._lock:
            late, self._late = self._late, []
        statuses = [self.forward(held)[0] for held in late]
        self._go_on.set()
        return statuses

    def count(self, *faults: Fault) -> int:
        """How many requests were broken in these ways."""
        return sum(1 for seen in self.seen if seen.fault in faults)

    def appends(self) -> int:
        """How many append blocks were asked for."""
        return sum(1 for seen in self.seen if is_append(*seen[:3]))

    def decide(self, method: str, path: str) -> Fault | None:
        parts = urlsplit(path)
        comp = parse_qs(parts.query).get("comp", [""])[0]
        with self._lock:
            fault = self.plan(method, comp, parts.path)
            self.seen.append(Seen(method, comp, parts.path, fault))
        return fault

    def hold(self, held: _Held) -> None:
        with self._lock:
            self._late.append(held)

    def wait(self) -> None:
        self._go_on.wait(timeout=60)

    def forward(self, request: _Held, *, half: bool = False) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send the request on; status, headers and body of the answer."""
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(request.body[: len(request.body) // 2] if half else request.body)
            if half:
                return 0, [], b""
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is an ordinary thing here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: FaultProxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = _Held(self.command, self.path, dict(self.headers.items()), body)
        fault = self.owner.decide(self.command, self.path)
        match fault:
            case None:
                self._answer(*self.owner.forward(request))
            case Fault.BUSY_BEFORE:
                self._refuse(503, "ServerBusy")
            case Fault.FORBIDDEN:
                self._refuse(403, "AuthenticationFailed")
            case Fault.UNAUTHORIZED:
                self._refuse(401, "InvalidAuthenticationInfo")
            case Fault.CUT_BEFORE:
                self.close_connection = True
            case Fault.HALF_BODY:
                self.owner.forward(request, half=True)
                self.close_connection = True
            case Fault.CHANGED_BODY:
                self._answer(*self.owner.forward(replace(request, body=request.body[:-1] + b"?")))
            case Fault.DROP_ANSWER:
                self.owner.forward(request)
                self.close_connection = True
            case Fault.ERROR_AFTER:
                self.owner.forward(request)
                self._refuse(500, "InternalError")
            case Fault.BUSY_AFTER:
                self.owner.forward(request)
                self._refuse(503, "ServerBusy")
            case Fault.LATE:
                self.owner.hold(request)
                self.close_connection = True
            case Fault.SLOW:
                answer = self.owner.forward(request)
                self.owner.wait()
                self._answer(*answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 (names that the library looks for)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "connection", "keep-alive", "content-length"}:
                self.send_header(name, value)
        length = dict(headers).get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":  # whose answer ends with the headers
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>planned</Message></Error>'
        headers = [("Content-Type", "application/xml"), ("x-ms-error-code", code)]
        self._answer(status, headers, text.encode())
