"""Connections of the server: how long one may take to ask and to read, how many there are, and which makes room.

uvicorn waits for a request as long as its sender likes, and gives no new connection an answer while all are taken. So
someone who opens connections and sends nothing would end Studio for all others, without the token. Here

- a request comes within seconds, and its answer is read at a least pace; what is slower is closed;
- where all connections are taken, the one that has waited longest for a request makes room, and first of the peer with
  the most connections;
- what is not HTTP gets a sentence with the same headers as every answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .access import HEADERS
from .answers import failure

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

__all__ = ["Connection", "ConnectionLimits", "close_slow_ones"]

_LOOKS: Final = 8
"""How often connections are looked at within the shortest time that one may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections there may be, and how slow one may be."""

    asking_seconds: float = 5.0
    """How long a connection may take until its first request begins, and each request until it is whole."""
    idle_seconds: float = 30.0
    """How long a connection stays open after an answer."""
    reading_seconds: float = 10.0
    """How long a peer may take for `reading_bytes` of an answer."""
    reading_bytes: int = 64 << 10
    most: int = 200
    """Where there are so many, one that is idle makes room for a new one; if none is, requests of a new one are
    refused."""
    of_peer: int = 100
    """The same for those of one peer."""


class Connection(H11Protocol):
    """One connection.

    Args:
        limits: of all connections of the server.
        arguments: those of uvicorn.
    """

    def __init__(self, limits: ConnectionLimits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.peer = ""
        self.since = time.monotonic()
        self._limits = limits
        self._has_begun = False
        self._unread = (0, self.since)

    @property
    def is_idle(self) -> bool:
        """Whether no request is whole, and no answer is under way."""
        return not self._is_asked and not self.transport.get_write_buffer_size()

    @property
    def _is_asked(self) -> bool:
        cycle = self._cycle
        return cycle is not None and not cycle.response_complete

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The last request; None before the first one."""
        return cast("RequestResponseCycle | None", self.cycle)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop; makes room for this connection, or refuses what it will ask."""
        super().connection_made(transport)
        self.peer = _peer(self.client)
        others = [one for one in _open(self.connections) if one is not self]
        counts = Counter(one.peer for one in others)
        of_peer = [one for one in others if one.peer == self.peer]
        if len(of_peer) < self._limits.of_peer and len(others) < self._limits.most:
            return
        some = of_peer if len(of_peer) >= self._limits.of_peer else others
        idle = min((one for one in some if one.is_idle), key=lambda one: (-counts[one.peer], one.since), default=None)
        if idle is not None:
            idle.transport.close()
        else:
            self.app = _refusing

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if not self._has_begun and not self._is_asked:
            self._has_begun, self.since = True, time.monotonic()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Called when an answer was handed to the transport, which may still be sending it."""
        super().on_response_complete()
        if not self._is_asked:
            # Of the next request, or of the body of this one: answers do not wait for it.
            self._has_begun = bool(self.conn.trailing_data[0]) or self.conn.their_state is h11.SEND_BODY
            self.since = time.monotonic()

    def _unsupported_upgrade_warning(self) -> None:
        """Answer it as a request without an upgrade; uvicorn's advice is for those who write servers."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's text, which is no sentence)
        """Answer what is not HTTP."""
        answer = _with_headers(failure(400, "expected a request of HTTP/1.1, got something else: use a browser"))
        try:
            for event in (
                h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request"),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            pass  # it came after a request whose answer has begun
        self.transport.close()

    def close_if_slow(self, now: float) -> None:
        """Close it if its peer takes too long to ask or to read."""
        limits, waiting = self._limits, self.transport.get_write_buffer_size()
        before, since = self._unread
        if not waiting or not before:
            self._unread = (waiting, now)
        elif now - since >= limits.reading_seconds:
            if waiting > before - limits.reading_bytes:
                self.transport.abort()
            self._unread = (waiting, now)
        if self.is_idle:
            is_first = self._cycle is None
            seconds = limits.asking_seconds if is_first or self._has_begun else limits.idle_seconds
            if now - self.since >= seconds:
                self.transport.close()


async def close_slow_ones(connections: Collection[Any], limits: ConnectionLimits) -> None:
    """Look at all connections again and again; never returns.

    Args:
        connections: those of the server, which come and go meanwhile.
        limits: of each.
    """
    pause = min(limits.asking_seconds, limits.idle_seconds, limits.reading_seconds) / _LOOKS
    while True:
        await asyncio.sleep(pause)
        now = time.monotonic()
        for one in _open(connections, with_closing=True):
            one.close_if_slow(now)


def _open(connections: Collection[Any], *, with_closing: bool = False) -> list[Connection]:
    return [
        one for one in connections if isinstance(one, Connection) and (with_closing or not one.transport.is_closing())
    ]


def _peer(client: tuple[str, int] | None) -> str:
    """Who is counted as one: an address, or the 64 bits of an IPv6 network, in which one machine has any address."""
    try:
        address = ipaddress.ip_address("" if client is None else client[0].partition("%")[0])
    except ValueError:
        return "" if client is None else client[0]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def _with_headers(answer: Response) -> Response:
    answer.headers.update({**HEADERS, "connection": "close"})
    return answer


async def _refusing(scope: Scope, receive: Receive, send: Send) -> None:
    sentence = "expected fewer connections at a time, got too many: close other pages of Studio, then ask again"
    await _with_headers(failure(503, sentence))(scope, receive, send)
