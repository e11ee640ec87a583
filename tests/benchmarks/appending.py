"""Cases of appends to Azure: their speed compared with the client library alone, and their number."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

import flood
import official
from azure.storage.blob.aio import BlobServiceClient
from azurite import Azurite, running_azurite
from case import Case, Effort, Run, Sides, Target, in_turn
from fault_proxy import FaultProxy
from receiving import ANY_VERSION, azure_blob, blob_lines, create_blob, peer
from usage import MIB

from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.azure_account import CONNECTION_STRING_VARIABLE, EMULATOR_API_VERSION
from otel_modeldata_receiver.storage.open_store import open_store
from otel_modeldata_receiver.storage.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER: Final = "credit/blue/model_inputs/2026/11/22/12"
_LINE_BYTES: Final = 1024


def _block(number: int, size: int) -> list[Line]:
    """Lines that fill one append of `size` bytes."""
    lines = []
    for n in range(size // _LINE_BYTES):
        head = json.dumps({"id": f"{number}-{n}", "data": [{"text": ""}]}).encode()
        lines.append(Line(f"{number}-{n}", head[:-4] + b"x" * (_LINE_BYTES - len(head) - 1) + head[-4:] + b"\n"))
    return lines


async def _through_sink(azurite: Azurite, container: str, blocks: list[list[Line]]) -> float:
    with mock.patch.dict("os.environ", {CONNECTION_STRING_VARIABLE: azurite.connection_string}):
        sink = Sink(open_store(f"az://{container}"), instance="0" * 32)
    await sink.append(FOLDER, [Line("first", b'{"id":"first"}\n')])
    began = time.perf_counter()
    for block in blocks:
        await sink.append(FOLDER, block)
    seconds = time.perf_counter() - began
    await sink.close()
    return seconds


async def _alone(azurite: Azurite, container: str, blocks: list[list[Line]], **options: str) -> float:
    raw = [b"".join(line.data for line in block) for block in blocks]
    service = BlobServiceClient.from_connection_string(azurite.connection_string, api_version=EMULATOR_API_VERSION)
    async with service, service.get_blob_client(container, "alone.jsonl") as blob:
        await blob.create_append_blob()
        await blob.append_block(b'{"id":"first"}\n')
        began = time.perf_counter()
        for block in raw:
            await blob.append_block(block, **options)
        return time.perf_counter() - began


def _appends(size: int, count: int) -> Callable[[Effort], Sides]:
    """`count` appends of `size` bytes, one after the other, by each side."""

    def run(effort: Effort) -> Sides:
        blocks = [_block(number, size) for number in range(effort.of(count, 3))]
        content = b'{"id":"first"}\n' + b"".join(line.data for block in blocks for line in block)

        def side(do: Callable[..., object]) -> Run:
            container = azurite.new_container()
            seconds = asyncio.run(do(azurite, container, blocks))
            (stored,) = azurite.blobs(container).values()
            assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()
            return {"mb_per_second": len(content) / seconds / 1e6, "appends_per_second": len(blocks) / seconds}

        with tempfile.TemporaryDirectory() as folder, running_azurite(Path(folder), ANY_VERSION) as azurite:
            sides = {
                "ours": lambda: side(_through_sink),
                "client": lambda: side(_alone),
                # Our store sets this without TLS, that is, only for an emulator over plain HTTP.
                "client, MD5": lambda: side(functools.partial(_alone, validate_content="md5")),
            }
            return in_turn(effort.repeat, sides)

    return run


def _cost(clients: int, per_second: float) -> Callable[[Effort], Sides]:
    """Count the appends that reach the service, at a linger of one second; requests of one event."""

    def plan(endpoint: str, effort: Effort) -> flood.Plan:
        return flood.Plan(
            endpoint=endpoint,
            tenants=["credit/blue"] * clients,
            per_second=per_second,
            in_flight=max(10, round(2 * per_second)),
            records=1,
            size=500,
            seconds=effort.seconds(10),
        )

    def run(effort: Effort) -> Sides:
        with tempfile.TemporaryDirectory() as folder, running_azurite(Path(folder), ANY_VERSION) as azurite:
            sides = {"ours": lambda: _our_cost(lambda endpoint: plan(endpoint, effort), azurite)}
            if shutil.which("go"):
                sides["azure_blob exporter"] = lambda: _exporters_cost(lambda endpoint: plan(endpoint, effort), azurite)
            return in_turn(1, sides)  # a count, not a time

    return run


def _our_cost(plan_for: Callable[[str], flood.Plan], azurite: Azurite) -> Run:
    container = azurite.new_container()
    with FaultProxy(azurite.host) as proxy:
        variables = {CONNECTION_STRING_VARIABLE: azurite.connection_string_through(proxy.host)}
        with official.receiver(f"az://{container}", "linger_ms: 1000\n", **variables) as one:
            plan = plan_for(one.endpoint)
            counts = flood.sent(plan)
            assert one.stop() == 0
        flood.check(plan, counts, blob_lines(azurite, container))
        return _operations(proxy, counts)


def _exporters_cost(plan_for: Callable[[str], flood.Plan], azurite: Azurite) -> Run:
    container = azurite.new_container()
    create_blob(azurite, container)
    with FaultProxy(azurite.host) as proxy:
        connection = azurite.connection_string_through(proxy.host)
        with peer(azure_blob(connection, container)) as one:
            plan = plan_for(one.grpc)
            counts = flood.sent(plan)
            assert one.stop() == 0
        flood.check(plan, counts, blob_lines(azurite, container))
        return _operations(proxy, counts)


def _operations(proxy: FaultProxy, counts: list[flood.Counts]) -> Run:
    events = sum(len(one.acked) for one in counts)
    return {"appends_per_1000_events": proxy.appends() / events * 1000, "events": float(events)}


_NEAR_THE_CEILING: Final = {"mb_per_second": [Target(least=0.9, peer="client, MD5")]}
_CHEAP: Final = {"appends_per_1000_events": [Target(most=5, absolute=True)]}

CASES: Final[dict[str, Case]] = {
    "appends-4-mib": Case(
        about="appends of 4 MiB to Azurite, beside azure-storage-blob alone",
        run=_appends(4 * MIB, 40),
        targets=_NEAR_THE_CEILING,
    ),
    "appends-grouped": Case(
        about="the same with 256 KiB, about one gateway batch of small events",
        run=_appends(MIB // 4, 200),
        targets=_NEAR_THE_CEILING,
    ),
    "cost-1-client": Case(
        about="append operations for 1000 events, one client with single events at 500/s, linger 1 s",
        run=_cost(1, 500),
        targets=_CHEAP,
    ),
    "cost-50-clients": Case(
        about="the same from 50 clients at 10/s each",
        run=_cost(50, 10),
        targets=_CHEAP,
    ),
}
