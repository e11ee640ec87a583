"""The admin listener among clients that hold connections open."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import pytest

from otel_modeldata_receiver.listeners import http_server
from otel_modeldata_receiver.listeners.admin import admin_listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from otel_modeldata_receiver.listeners.http_server import HttpServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpServer]:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 3)
    listener = admin_listener("127.0.0.1:0", lambda: "starting", None)
    await listener.start()
    yield listener
    await listener.stop()


async def test_connections_that_are_held_open_keep_no_probe_out(admin: HttpServer) -> None:
    """The oldest one is closed for a new one."""
    host, _, port = admin.address.rpartition(":")
    held = [await asyncio.open_connection(host, int(port)) for _ in range(10)]
    async with aiohttp.ClientSession() as session, session.get(f"http://{admin.address}/livez") as answer:
        assert (answer.status, await answer.text()) == (200, "alive\n")
    for reader, writer in held[:8]:
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
    for _, writer in held[8:]:
        writer.close()


async def test_head_is_answered_without_a_body(admin: HttpServer) -> None:
    async with aiohttp.ClientSession() as session:
        for path, status in (("/livez", 200), ("/readyz", 503), ("/metrics", 501), ("/other", 404)):
            async with session.head(f"http://{admin.address}{path}") as answer:
                assert (answer.status, await answer.read()) == (status, b""), path
        async with session.post(f"http://{admin.address}/livez") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
