"""Sends more OTLP requests than a receiver can handle: `python flood.py JSON` prints JSON.

Clients are tasks of one process, each with its own connection. A request is a template with new ids, so the sender
needs much less CPU than the receiver. A refused request is sent again with the same ids, after the delay in the
refusal. At the end, unacknowledged requests are retried for `finish_seconds`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

from otlp_load import RETRY_INFO
from otlp_requests import NOON, record, request
from otlp_sender import LOGS

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NUMBER: Final = "RRRRRRRR"
"""Replaced by the number of the request."""
_ID: Final = re.compile(rb'"(?:id|stringValue)":"(\d{4}-\d{8})-\d{4}"')
_CALL_SECONDS: Final = 30.0
"""As a gateway waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a flood.

    Attributes:
        endpoint: `host:port` of the receiver.
        tenants: `endpoint/deployment` of each client.
        per_second: requests that each client starts in a second, if `in_flight` allows it.
        in_flight: maximum number of unfinished requests of a client.
        records: in each request.
        size: bytes of the rows of each record.
        seconds: how long new requests are started.
        finish_seconds: how long unacknowledged requests are retried afterwards.
        nice: the niceness of the sender; a receiver in production has its own machine.
    """

    endpoint: str
    tenants: list[str]
    per_second: float
    in_flight: int
    records: int
    size: int
    seconds: float
    finish_seconds: float = 60.0
    nice: int = 0


@dataclass(slots=True, kw_only=True)
class Counts:
    """The counts of a client.

    Attributes:
        tenant: its `endpoint/deployment`.
        begun: how many requests it sent; they are numbered from 0.
        in_time: how many were acknowledged before the end of the load.
        acked: numbers of all acknowledged requests.
        refusals: refused requests, by status.
        without_retry_info: refusals without a form of RetryInfo.
    """

    tenant: str
    begun: int = 0
    in_time: int = 0
    acked: list[int] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    without_retry_info: int = 0


def rows(size: int) -> str:
    """JSON rows of about `size` bytes: a few numbers and a text."""
    return json.dumps([{"age": 42, "income": 1234.5, "note": "x" * max(0, size - 40)}], separators=(",", ":"))


def template(client: int, plan: Plan) -> bytes:
    """A request of one client."""
    endpoint, _, deployment = plan.tenants[client].partition("/")
    values = {
        semconv.AZUREML_ENDPOINT_NAME: endpoint,
        semconv.AZUREML_DEPLOYMENT_NAME: deployment,
        semconv.SERVICE_INSTANCE_ID: f"client-{client:04}",
    }
    body = rows(plan.size)
    records = [record(body, event_id=f"{client:04}-{_NUMBER}-{n:04}", time_ns=NOON) for n in range(plan.records)]
    return request(*records, resource_values=values)


async def flood(plan: Plan) -> list[Counts]:
    """Send, and return the counts of each client."""
    os.nice(plan.nice)
    templates = [template(number, plan) for number in range(len(plan.tenants))]  # takes seconds
    began = time.monotonic()
    return await asyncio.gather(*(_client(number, raw, plan, began) for number, raw in enumerate(templates)))


async def _client(number: int, raw: bytes, plan: Plan, began: float) -> Counts:
    counts = Counts(tenant=plan.tenants[number])
    room = asyncio.Semaphore(plan.in_flight)
    end = began + plan.seconds
    due = began + number / len(plan.tenants) / plan.per_second
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(plan.endpoint, options=options) as channel, asyncio.TaskGroup() as calls:
        export = channel.unary_unary(LOGS)
        while True:
            await room.acquire()
            due = max(due, time.monotonic() - 1 / plan.per_second)  # missed requests are not made up for
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += 1 / plan.per_second
            if time.monotonic() >= end:
                break
            message = raw.replace(_NUMBER.encode(), b"%08d" % counts.begun)
            last = end + plan.finish_seconds
            call = calls.create_task(_until_acked(export, message, counts.begun, counts, (end, last)))
            call.add_done_callback(lambda _: room.release())
            counts.begun += 1
    return counts


async def _until_acked(
    export: grpc.aio.UnaryUnaryMultiCallable, message: bytes, number: int, counts: Counts, times: tuple[float, float]
) -> None:
    """Send until acknowledged; `times` are the end of the measurement and the end of the attempts."""
    end, last = times
    while time.monotonic() < last:
        try:
            await export(message, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            counts.refusals[error.code().name] = counts.refusals.get(error.code().name, 0) + 1
            forms = {key for key, _ in error.trailing_metadata() or ()}
            counts.without_retry_info += bool(forms) and not forms >= RETRY_INFO
            await asyncio.sleep(1.0)  # the delay of RetryInfo
        else:
            counts.acked.append(number)
            counts.in_time += time.monotonic() < end
            return


def sent(plan: Plan) -> list[Counts]:
    """Run `flood` in a separate process."""
    command = [sys.executable, __file__, json.dumps(asdict(plan))]
    limit = plan.seconds + plan.finish_seconds + 2 * _CALL_SECONDS
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=limit)
    return [Counts(**counts) for counts in json.loads(done.stdout)]


def check(plan: Plan, counts: list[Counts], lines: Iterable[bytes]) -> None:
    """Compare stored lines with acknowledged requests: every request whole or not at all, every record once.

    Args:
        plan: what was sent.
        counts: of the clients.
        lines: of our receiver, or OTLP JSON as Collectors write it.
    """
    body = rows(plan.size).encode()
    escaped = json.dumps(body.decode()).encode()
    stored: Counter[bytes] = Counter()
    for line in lines:
        ids = _ID.findall(line)
        assert ids, line[:300]
        assert line.count(body) + line.count(escaped) == len(ids), line[:300]
        stored.update(ids)
    acked = {b"%04d-%08d" % (client, number) for client, one in enumerate(counts) for number in one.acked}
    wrong = {key for key in acked | stored.keys() if stored[key] != plan.records}
    assert not wrong, (len(wrong), sorted(wrong)[:20])


def lines_of(folder: Path) -> Iterator[bytes]:
    """Every line of the `.jsonl` files below `folder`."""
    for blob in sorted(folder.rglob("*.jsonl")):
        with blob.open("rb") as content:
            yield from content


if __name__ == "__main__":
    print(json.dumps([asdict(counts) for counts in uvloop.run(flood(Plan(**json.loads(sys.argv[1]))))]))
