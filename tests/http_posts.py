"""HTTP requests to a receiver, as clients send them and as they should not."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from live_receiver import LiveReceiver, live_receiver

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

HTTP, OLD = "http_listen", "old_protocol_listen"
"""Names of the two settings, and of the two listeners."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReceiver:
    """A receiver that listens for HTTP on free loopback ports."""

    live: LiveReceiver
    session: aiohttp.ClientSession

    def address(self, listener: str) -> str:
        return self.live.server.addresses[listener]

    async def send(self, method: str, url: str, **options: Any) -> Answer:
        async with self.session.request(method, url, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def post(self, listener: str, path: str, body: Any, headers: Mapping[str, str], **options: Any) -> Answer:
        return await self.send("POST", f"http://{self.address(listener)}{path}", data=body, headers=headers, **options)

    def connect(self, listener: str) -> socket.socket:
        """A bare connection."""
        host, _, port = self.address(listener).rpartition(":")
        return socket.create_connection((host, int(port)), timeout=30)


@asynccontextmanager
async def http_receiver(
    folder: Path, *, trust: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[HttpReceiver]:
    """A receiver that stores below `folder`, with both HTTP listeners."""
    listeners = {HTTP: "127.0.0.1:0", OLD: "127.0.0.1:0"}
    connector = aiohttp.TCPConnector(ssl=trust or True)
    # Only what a test sets is sent, and nothing is unpacked on the way.
    quiet = {"skip_auto_headers": ["Content-Type", "Accept-Encoding"], "auto_decompress": False}
    async with (
        live_receiver(folder, **(listeners | settings)) as live,
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60), **quiet) as session,
    ):
        yield HttpReceiver(live=live, session=session)
