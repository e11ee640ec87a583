"""The senders of the simulated world: gateways that send until they are acknowledged, each in its own bad habits."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from history import Sent
from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import ReceiverError
from otlp_requests import NOON, record, request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from otel_modeldata_receiver.service import LogsService
    from otel_modeldata_receiver.sink import Sink
    from simulated_loop import SimulatedProcess
    from simulator import World

HOUR_NS: Final = 3600 * 10**9
PAYLOADS: Final = "request"
COLLECTIONS: Final = ("model_inputs", "model_outputs")
IMAGES: Final = (b"\x89PNG 1", b"\x89PNG 2")
"""Few: most of them are stored already when they come."""


class BrokenError(AssertionError):
    """The story shows a defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a sender: what the judge knows of it, and its record."""

    sent: Sent
    record: LogRecord
    bad: bool


@dataclass(slots=True, kw_only=True)
class Replica:
    """A receiver: a place where processes with one instance id live one after the other."""

    name: str
    instance: str
    process: SimulatedProcess | None = None
    service: LogsService | None = None
    sink: Sink | None = None
    lives: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)


class Sender:
    """A gateway: it sends the events of one tenant until they are acknowledged, several requests at a time.

    Args:
        world: its world.
        number: which of the senders.
    """

    def __init__(self, world: World, number: int) -> None:
        rng = world.rng
        self.name = f"s{number}"
        self.tenant = (f"endpoint{number % 3}", f"blue{number}")
        self.replica = world.replicas[number % len(world.replicas)]
        self.workers = rng.choice([1, 1, 2, 3])
        self.impatient = rng.random() < 0.3
        self.forgets = rng.choice([0.0, 0.0, 0.2])
        bad = 0.0 if world.clock_jumps else rng.choice([0.0, 0.0, 0.1])
        self.events = list(self._make(rng, rng.randint(1, 25), bad))
        self.waiting = list(self.events)

    def _make(self, rng: random.Random, count: int, bad: float) -> Iterator[Event]:
        hours = rng.choice([[12], [11, 12], [12, 13]])
        images = random.Random(f"images of {self.name} among {count}")
        share = images.choice([0.0, 0.0, 0.0, 0.3])
        numbers = dict.fromkeys(COLLECTIONS, 0)
        for number in range(count):
            collection = rng.choice(COLLECTIONS)
            if images.random() < share:
                collection = PAYLOADS
            hour = rng.choice(hours)
            key = f"{self.name}-{number}"
            is_bad = rng.random() < bad
            body: object = json.dumps([{"x": "y" * rng.choice([0, 10, 800])}])
            sequence = None
            values: dict[str, object] = {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png"}
            if collection == PAYLOADS:  # without numbers: objects keep no order
                body = images.choice(IMAGES)
            else:
                sequence, numbers[collection] = numbers[collection], numbers[collection] + 1
                values = {semconv.AZUREML_PRODUCER_SEQUENCE: sequence}
            raw = record(
                body,
                values,
                collection=".." if is_bad else collection,
                event_id=key,
                time_ns=NOON + (hour - 12) * HOUR_NS + number * 10**9,
            )
            sent = Sent(
                id=key,
                tenant="/".join(self.tenant),
                collection=collection,
                producer=self.name,
                sequence=sequence,
                hour=f"2026/11/22/{hour}",
            )
            yield Event(sent=sent, record=raw, bad=is_bad)

    def encode(self, events: Sequence[Event]) -> bytes:
        """One request."""
        endpoint, deployment = self.tenant
        values = {
            semconv.AZUREML_ENDPOINT_NAME: endpoint,
            semconv.AZUREML_DEPLOYMENT_NAME: deployment,
            semconv.SERVICE_INSTANCE_ID: self.name,
        }
        return request(*(event.record for event in events), resource_values=values)

    async def send_all(self, world: World) -> None:
        await asyncio.gather(*(self._work(world) for _ in range(self.workers)))

    async def _work(self, world: World) -> None:
        """Take the next events, and send them until they are acknowledged."""
        rng = world.rng
        while self.waiting:
            count = rng.randint(1, 6)
            batch, self.waiting = self.waiting[:count], self.waiting[count:]
            pause = 0.05
            while not await self._try(world, batch):
                await asyncio.sleep(rng.uniform(0.0, pause))
                pause = min(2 * pause, 4.0)
                if self.waiting and rng.random() < 0.2:  # a gateway puts what waits together anew
                    batch = [*batch, self.waiting.pop(0)]
            if rng.random() < 0.3:
                await asyncio.sleep(rng.expovariate(10.0))

    async def _try(self, world: World, batch: Sequence[Event]) -> bool:
        """Send once; whether the sender knows of an acknowledgment."""
        rng = world.rng
        await self.replica.up.wait()
        process, service = self.replica.process, self.replica.service
        assert process is not None
        assert service is not None
        names = " ".join(event.sent.id for event in batch)
        world.note(self.name, f"sends {names} to {process.name}")
        call = process.start(_quietly(service, self.encode(batch)))
        patience = rng.choice([0.01, 0.1, 1.0]) if self.impatient and rng.random() < 0.5 else 30.0
        first: set[asyncio.Future[Any]] = {call, process.died}
        await asyncio.wait(first, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not call.done():
            world.note(self.name, f"hears nothing about {names}")
            return False
        answer = call.result()
        if isinstance(answer, (ReceiverError, TimeoutError)):
            world.note(self.name, f"is refused with {names}: {type(answer).__name__}")
            return False
        if isinstance(answer, Exception):
            raise BrokenError(f"a defect: {answer!r}")
        world.note(self.name, f"is acknowledged {names}")
        world.acknowledge(batch, answer)
        if rng.random() < self.forgets:
            world.note(self.name, f"does not hear that {names} was acknowledged")
            return False
        return True


async def _quietly(service: LogsService, raw: bytes) -> bytes | Exception:
    """The answer or the error: one that nobody waits for any more must not be reported as forgotten."""
    try:
        return await service.accept(raw)
    except Exception as error:  # noqa: BLE001 - the sender looks at it
        return error
