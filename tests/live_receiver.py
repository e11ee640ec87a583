"""A real receiver on a free loopback port with a real store below a test's folder."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_modeldata_receiver.config import ReceiverConfig
from otel_modeldata_receiver.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from otel_modeldata_receiver.sink import Sink

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
EXPORT_SPANS = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
INSTANCE = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReceiver:
    """A receiver that takes calls.

    Attributes:
        server: the server itself.
        channel: connected to it.
        folder: what its store holds.
    """

    server: Server
    channel: grpc.aio.Channel
    folder: Path

    async def export(self, request: bytes, **options: Any) -> ExportLogsServiceResponse:
        raw: bytes = await self.channel.unary_unary(EXPORT)(request, timeout=60, **options)
        return ExportLogsServiceResponse.FromString(raw)

    async def export_spans(self, request: bytes, **options: Any) -> ExportTraceServiceResponse:
        raw: bytes = await self.channel.unary_unary(EXPORT_SPANS)(request, timeout=60, **options)
        return ExportTraceServiceResponse.FromString(raw)

    def raw_lines(self, pattern: str = "[!_]*/**/*.jsonl") -> list[bytes]:
        """Every stored line, blobs in the order of their names; each must end with LF."""
        lines: list[bytes] = []
        for blob in sorted(self.folder.glob(pattern)):
            content = blob.read_bytes()
            assert content.endswith(b"\n"), blob
            lines.extend(content.split(b"\n")[:-1])
        return lines

    def lines(self, pattern: str = "[!_]*/**/*.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw_lines(pattern)]

    def quarantine(self) -> list[dict[str, Any]]:
        return self.lines("_quarantine/**/*.jsonl")

    async def in_flight(self) -> bool:
        """Whether a request is admitted and not yet resolved."""
        return self.server._service.in_flight_bytes > 0

    def blobs(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait for a condition that nobody announces; `seconds` are only ever spent by a failing test."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def live_receiver(
    folder: Path, *, sink: Sink | None = None, probe_seconds: float = 0.01, **settings: Any
) -> AsyncIterator[LiveReceiver]:
    """Start a receiver that stores below `folder`, and stop it in the end."""
    settings = {"listen": "127.0.0.1:0", "instance_id": INSTANCE, "grace_seconds": 5.0, "assets": False, **settings}
    server = Server(ReceiverConfig(store=str(folder), **settings), sink, probe_seconds=probe_seconds)
    await server.start()
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
            yield LiveReceiver(server=server, channel=channel, folder=folder)
    finally:
        await server.stop()
