"""The receiver's core in a world that a seed makes up: its clock, its store, its senders, its deaths and its schedule.

    uv run --all-extras python tests/simulator.py SEED          # tell the story of one seed
    uv run --all-extras python tests/simulator.py FIRST LAST    # try many, stop at the first that breaks

Everything between the encoded OTLP request and the store is the real thing: `LogsService.accept`, intake, sink, folder,
series. The world around it is simulated on one seeded loop (`simulated_loop.py`) with one seeded store
(`simulated_store.py`): replicas that are killed, stopped and started again, senders that give up early, lose answers
and send again in other combinations, outages, late appends, intruders, full queues, late events, bad records.

At every acknowledgment, and in the end, the judge of `history.py` compares what was promised with what is stored. The
same seed tells the same story, word for word, in every process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from history import HistoryError, Sent, check
from otel_modeldata import semconv
from otel_modeldata_receiver.config import ReceiverConfig
from otel_modeldata_receiver.service import LogsService
from otel_modeldata_receiver.sink import Sink, SinkLimits
from otlp_requests import NOON
from simulated_loop import SeededLoop
from simulated_sender import HOUR_NS, BrokenError, Event, Replica, Sender
from simulated_store import CALM, LATE_SECONDS, Connection, SimulatedStore, Weather

if TYPE_CHECKING:
    from collections.abc import Sequence


PATIENCE_SECONDS: Final = 3600.0
"""Virtual time after which senders that still wait mean that the receiver is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a story ended.

    Attributes:
        seed: the story.
        broken: what was wrong; empty when nothing was.
        trace: what happened, in order.
        acknowledged: how many events were.
    """

    seed: int
    broken: str
    trace: list[str]
    acknowledged: int

    def __str__(self) -> str:
        command = f"uv run --all-extras python tests/simulator.py {self.seed}"
        return "\n".join([*self.trace, self.broken or "every invariant holds", f"again: {command}"])


class World:
    """One story.

    Args:
        seed: decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.loop = SeededLoop(random.Random(seed + 1))
        self.trace_lines: list[str] = []
        self.acknowledged: set[str] = set()
        self.rejected: set[str] = set()
        self.senders: list[Sender] = []
        self.intruders: list[Sent] = []

    def run(self) -> Verdict:
        """Live through the story."""
        broken = ""
        try:
            self.loop.run(self._main())
        except (HistoryError, BrokenError) as error:
            broken = str(error)
        except AssertionError as error:  # a loop on which everybody waits
            broken = f"stuck: {error}"
        return Verdict(seed=self.seed, broken=broken, trace=self.trace_lines, acknowledged=len(self.acknowledged))

    def note(self, who: str, what: str) -> None:
        """Add to the trace."""
        self.trace_lines.append(f"{self.loop.time():10.4f}  {who:<8} {what}")

    def clock_ns(self) -> int:
        """The wall clock of every receiver, which now and then jumps."""
        return NOON + int(self.loop.time() * 1e9) + self.clock_error_ns

    async def _main(self) -> None:
        self._draw()
        for replica in self.replicas:
            self._start(replica)
        sending = [asyncio.ensure_future(sender.send_all(self)) for sender in self.senders]
        nemesis = asyncio.ensure_future(self._nemesis())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(nemesis, *sending)
                await asyncio.sleep(LATE_SECONDS)  # what is under way may land when everybody has gone home
        except TimeoutError:
            raise BrokenError(f"stuck: senders still wait after {PATIENCE_SECONDS:.0f} s") from None
        for replica in self.replicas:
            await self._stop(replica)
        self._judge()

    def _draw(self) -> None:
        """Make the world up."""
        rng = self.rng
        self.clock_error_ns = 0
        self.files = rng.random() < 0.3
        self.store = SimulatedStore(rng, files=self.files, trace=self.note, intruder=self._intruder)
        self.bad_weather = Weather(
            refused=rng.choice([0.0, 0.05, 0.3]),
            lost=rng.choice([0.0, 0.1, 0.4]),
            late=rng.choice([0.0, 0.1, 0.3]),
            slow=rng.choice([0.0, 0.0, 0.1]),
            intruded=rng.choice([0.0, 0.0, 0.03]),
        )
        self.limits = SinkLimits(
            block_bytes=rng.choice([2000, 6000, 1 << 20]),
            max_blocks=rng.choice([1, 3, 10, 49_900]),
            max_bytes=rng.choice([1, 1500, 3000, 8000, 1 << 30]),
            open_folders=rng.choice([1, 2, 256]),
            idle_seconds=rng.choice([1.0, 900.0]),
            retry_seconds=rng.choice([0.0, 0.0, 0.2, 2.0, 8.0]),
        )
        # A bad record is kept under the hour of its arrival: sent again in another hour, it is kept again.
        self.clock_jumps = rng.random() < 0.3
        self.linger = rng.choice([0.0, 0.0, 0.05, 0.5])
        self.config = ReceiverConfig(
            deadline_seconds=rng.choice([0.2, 3.0, 25.0]),
            max_message_bytes=20_000,
            max_in_flight_bytes=rng.choice([20_000, 1 << 28]),
        )
        self.replicas = [
            Replica(name=f"r{number}", instance=f"{number:032x}") for number in range(rng.choice([1, 1, 2]))
        ]
        self.senders = [Sender(self, number) for number in range(rng.randint(1, 4))]
        self.note("world", f"{'files' if self.files else 'append blobs'}, {self.bad_weather}")
        self.note("world", f"{self.limits}, linger {self.linger}, deadline {self.config.deadline_seconds}")

    def _start(self, replica: Replica) -> None:
        replica.lives += 1
        replica.process = self.loop.process(f"{replica.name}.{replica.lives}")

        def make() -> None:
            assert replica.process is not None
            connection = Connection(self.store, replica.process)
            replica.sink = Sink(connection, instance=replica.instance, linger=self.linger, limits=self.limits)
            replica.service = LogsService(replica.sink, self.config, clock_ns=self.clock_ns)

        replica.process.enter(make)
        replica.up.set()
        self.note(replica.process.name, "starts")

    def _kill(self, replica: Replica) -> None:
        assert replica.process is not None
        self.note(replica.process.name, "is killed")
        replica.up.clear()
        replica.process.kill()
        self.store.died(replica.process)

    async def _stop(self, replica: Replica) -> None:
        """A graceful end, as `Server.stop` does it."""
        process, service, sink = replica.process, replica.service, replica.sink
        assert process is not None
        assert service is not None
        assert sink is not None
        self.note(process.name, "stops")
        replica.up.clear()

        async def stop() -> None:
            service.stop()
            try:
                async with asyncio.timeout(20.0):
                    await service.drain()
                left = service.in_flight_bytes
            except TimeoutError:
                left = 0
            await sink.close()
            if left:
                raise BrokenError(f"{left} bytes are in flight of a receiver that has drained")

        await process.start(stop())
        process.kill()

    async def _nemesis(self) -> None:
        """Break things for a while, then mend everything."""
        rng = self.rng
        self.store.weather = self.bad_weather
        for _ in range(rng.randint(0, 6)):
            await asyncio.sleep(rng.choice([rng.expovariate(20.0), rng.expovariate(1.0)]))
            replica = rng.choice(self.replicas)
            match rng.choice(["kill", "kill", "stop", "outage", *(["clock"] if self.clock_jumps else [])]):
                case "kill":
                    self._kill(replica)
                    await asyncio.sleep(rng.choice([0.0, rng.uniform(0.0, 3.0)]))
                    self._start(replica)
                case "stop":
                    await self._stop(replica)
                    self._start(replica)
                case "outage":
                    self.note("store", "is down")
                    self.store.down = True
                    await asyncio.sleep(rng.uniform(0.0, 15.0))
                    self.store.down = False
                    self.note("store", "is back")
                case "clock":
                    self.clock_error_ns += rng.choice([-HOUR_NS, HOUR_NS, 10 * 365 * 24 * HOUR_NS])
                    self.note("world", "the clock jumps")
        await asyncio.sleep(rng.expovariate(0.2))
        self.store.weather = CALM
        self.note("world", "the weather is calm from now on")

    def _intruder(self, blob: str) -> bytes:
        """A line of another writer, in its place, so that the judge has nothing to say about it."""
        endpoint, deployment, collection, *hour, _ = blob.split("/")
        number = len(self.intruders)
        if endpoint == "_quarantine":
            line = {"id": f"intruder-{number}", "reason": "intruder: planted"}
        else:
            line = {
                "id": f"intruder-{number}",
                "source": semconv.local_source(endpoint, deployment),
                "type": semconv.event_type(collection),
                "time": f"{'-'.join(hour[:3])}T{hour[3]}:00:00Z",
            }
        self.intruders.append(Sent(id=f"intruder-{number}"))
        return json.dumps(line).encode() + b"\n"

    def acknowledge(self, events: Sequence[Event], response: bytes) -> None:
        """What was acknowledged is durable at this moment: whatever happens next, it is there.

        Raises:
            BrokenError: it is not.
        """
        rejected = ExportLogsServiceResponse.FromString(response).partial_success.rejected_log_records
        if rejected != sum(event.bad for event in events):
            raise BrokenError(f"{rejected} records were rejected of {[event.sent.id for event in events if event.bad]}")
        if self.store.dangling:
            raise BrokenError(f"I2 stored before the object it points to: {self.store.dangling[0]}")
        content = b"".join(self.store.contents.values())
        for event in events:
            if not event.bad and f'"{event.sent.id}"'.encode() not in content:
                raise BrokenError(f"I2 acknowledged, but not durable at this moment: {event.sent.id}")
        self.acknowledged.update(event.sent.id for event in events)

    def _judge(self) -> None:
        events = [event for sender in self.senders for event in sender.events]
        check(
            accepted=[*(event.sent for event in events), *self.intruders],
            acked=[event.sent.id for event in events],
            unknown=[one.id for one in self.intruders],
            store=self.store.contents,
            torn_tails=self.files,
            quarantined=[event.sent.id for event in events if event.bad]
            + [one.id for one in self.intruders if self._is_quarantined(one.id)],
            in_order=all(sender.workers == 1 for sender in self.senders),
        )

    def _is_quarantined(self, key: str) -> bool:
        return any(
            f'"{key}"'.encode() in content
            for name, content in self.store.contents.items()
            if name.startswith("_quarantine/")
        )


def simulate(seed: int) -> Verdict:
    """Live through the story of `seed`; what the receivers would log is left out, the trace says more."""
    logging.disable(logging.CRITICAL)
    try:
        return World(seed).run()
    finally:
        logging.disable(logging.NOTSET)


def first_broken(seeds: Sequence[int] | range) -> Verdict | None:
    """The first story that shows a defect."""
    return next((verdict for verdict in map(simulate, seeds) if verdict.broken), None)


def main(arguments: Sequence[str]) -> int:
    """Tell one story, or try many."""
    if len(arguments) not in {1, 2} or not all(text.isdigit() for text in arguments):
        print(__doc__)
        return 2
    numbers = [int(text) for text in arguments]
    if len(numbers) == 1:
        verdict: Verdict | None = simulate(numbers[0])
    else:
        verdict = first_broken(range(numbers[0], numbers[1] + 1))
    print(verdict if verdict is not None else f"seeds {arguments[0]} to {arguments[1]}: every invariant holds")
    return int(verdict is not None and bool(verdict.broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
