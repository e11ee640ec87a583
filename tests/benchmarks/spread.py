"""Requests whose events are spread over deployments, senders or folders, over one connection, as a gateway sends them.

Afterwards every stored line is read: each event must be there once, in the folder of its deployment, collection and
hour, with the rows that were sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import uvloop
from otlp_requests import NOON, record, request
from otlp_sender import LOGS

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOUR_NS: Final = 3600 * 10**9
_HOURS: Final = 100
"""Hours of one collection, for loads with many folders."""
_IN_FLIGHT: Final = 8
_CALL_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What is sent.

    Attributes:
        deployments: of the events, in turn.
        senders: instances of the service, in turn.
        folders: of a deployment: collections and hours, in turn.
        events: of each deployment, sender or folder, whichever are most.
        in_request: events of one request; all are of one deployment and one sender.
    """

    deployments: int = 1
    senders: int = 1
    folders: int = 1
    events: int = 20
    in_request: int = 20

    @property
    def total(self) -> int:
        """The number of events."""
        return max(self.deployments, self.senders, self.folders) * self.events


def _body(number: int) -> str:
    return json.dumps([{"number": number, "note": "x" * 400}], separators=(",", ":"))


def _deployment(number: int, spread: Spread) -> str:
    return f"blue-{number // spread.in_request % spread.deployments}"


def _place(number: int, spread: Spread) -> tuple[str, int]:
    """Collection and hour of an event."""
    folder = number % spread.folders
    return f"inputs_{folder // _HOURS}", folder % _HOURS


def requests(spread: Spread) -> Iterator[bytes]:
    """Every request, in order."""
    for first in range(0, spread.total, spread.in_request):
        numbers = range(first, min(first + spread.in_request, spread.total))
        values = {
            semconv.AZUREML_ENDPOINT_NAME: "credit",
            semconv.AZUREML_DEPLOYMENT_NAME: _deployment(first, spread),
            semconv.SERVICE_INSTANCE_ID: f"sender-{first // spread.in_request % spread.senders}",
        }
        yield request(*(_record(number, spread) for number in numbers), resource_values=values)


def _record(number: int, spread: Spread) -> object:
    collection, hour = _place(number, spread)
    return record(_body(number), collection=collection, event_id=f"event-{number}", time_ns=NOON - hour * _HOUR_NS)


def seconds_to_send(spread: Spread, endpoint: str) -> float:
    """From the first request to the last answer."""
    made = list(requests(spread))
    return uvloop.run(_send(made, endpoint))


async def _send(made: list[bytes], endpoint: str) -> float:
    left = iter(made)

    async def client(channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary(LOGS)
        for raw in left:
            await call(raw, timeout=_CALL_SECONDS, wait_for_ready=True)

    async with grpc.aio.insecure_channel(endpoint, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        await channel.channel_ready()
        began = time.perf_counter()
        await asyncio.gather(*(client(channel) for _ in range(_IN_FLIGHT)))
        return time.perf_counter() - began


def check(spread: Spread, store: Path) -> None:
    """Every event is stored once, in its folder, with its rows: the checksums of both lists are equal."""
    found = []
    for blob in store.rglob("*.jsonl"):
        folder = "/".join(blob.relative_to(store).parts[1:3])
        hour = "/".join(blob.parts[-5:-1])
        with blob.open("rb") as lines:
            for line in map(json.loads, lines):
                assert line["time"][:13].replace("-", "/").replace("T", "/") == hour, (line["time"], blob)
                found.append(f"{folder} {line['id']} {json.dumps(line['data'], separators=(',', ':'))}")
    expected = [
        f"{_deployment(number, spread)}/{_place(number, spread)[0]} event-{number} {_body(number)}"
        for number in range(spread.total)
    ]
    assert len(found) == len(expected)
    assert _checksum(found) == _checksum(expected)


def _checksum(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()
