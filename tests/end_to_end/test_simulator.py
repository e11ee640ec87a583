"""Thousands of simulated runs in which every invariant holds, and planted bugs that the simulator must find."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from planted_bugs import check_that_it_is_found, found
from simulated_loop import SeededLoop
from simulated_store import LATE_SECONDS, OBJECTS, Connection, FaultRates, SimulatedStore
from simulator import World, first_broken, simulate

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.ingest import commit
from otel_modeldata_receiver.ingest.admission import Admission
from otel_modeldata_receiver.layout import partition
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage import group_commit
from otel_modeldata_receiver.storage.folders.known_blobs import KnownBlobs
from otel_modeldata_receiver.storage.folders.known_ids import IdWindow
from otel_modeldata_receiver.storage.group_commit import Appended, PartitionWriter
from otel_modeldata_receiver.storage.parking.parking_sink import ParkingSink
from otel_modeldata_receiver.storage.rolled_blobs import RollingBlobWriter
from otel_modeldata_receiver.storage.store import BlobState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_modeldata_receiver.mapping.event import LargePayload
    from otel_modeldata_receiver.mapping.quarantine import Rejected
    from otel_modeldata_receiver.storage.sink import Sink

pytestmark = pytest.mark.usefixtures("every_exception_is_read")

BATCH = 100
EMPTY = BlobState(size=0, blocks=0)


@pytest.mark.parametrize("first", range(0, 1000, BATCH))
def test_every_invariant_holds(first: int) -> None:
    verdict = first_broken(range(first, first + BATCH))
    assert verdict is None, f"\n{verdict}"


@pytest.mark.long
@pytest.mark.parametrize("first", range(1000, 10_000, 5 * BATCH))
def test_every_invariant_holds_in_ten_thousand_runs(first: int) -> None:
    verdict = first_broken(range(first, first + 5 * BATCH))
    assert verdict is None, f"\n{verdict}"


def test_the_same_seed_gives_the_same_run_in_every_process() -> None:
    command = [sys.executable, str(Path(__file__).parents[1] / "fixtures" / "simulator.py"), "7"]
    steps = [
        subprocess.run(command, env={"PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True).stdout
        for salt in ("1", "2")
    ]
    assert steps[0] == steps[1] == f"{simulate(7).whole}\n"


def test_a_run_that_breaks_an_invariant_shows_how_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = found(forget_what_is_stored, monkeypatch)
    assert verdict.broken.startswith("I2 stored more than once")
    assert str(verdict).endswith(f"uv run --all-extras python tests/fixtures/simulator.py {verdict.seed}")
    assert verdict.trace[0].split()[1] == "world"
    assert simulate(verdict.seed) == verdict


# --- The simulator --------------------------------------------------------------------------------------------------


def test_a_killed_process_takes_no_further_step_and_runs_no_finally() -> None:
    steps: list[str] = []
    loop = SeededLoop(random.Random(0))
    process = loop.process("p")

    async def work(name: str) -> None:
        try:
            while True:
                steps.append(name)
                await asyncio.sleep(1.0)
        finally:
            steps.append("finally")

    async def main() -> list[str]:
        task = process.start(work("dead"))
        await asyncio.sleep(1.5)
        process.kill()
        await asyncio.sleep(3.0)
        assert not task.done()
        return list(steps)

    assert loop.run(main()) == ["dead", "dead"]
    assert steps[2:] == ["finally"]  # cancelled with the loop: no task is left


def test_tasks_run_in_an_order_that_the_seed_decides() -> None:
    def order(seed: int) -> list[int]:
        loop = SeededLoop(random.Random(seed))
        steps: list[int] = []

        async def work(number: int) -> None:
            steps.append(number)

        async def main() -> None:
            await asyncio.gather(*(work(number) for number in range(5)))

        loop.run(main())
        return steps

    orders = [order(seed) for seed in range(50)]
    assert orders == [order(seed) for seed in range(50)]
    assert len(set(map(tuple, orders))) > 30
    assert all(sorted(one) == list(range(5)) for one in orders)


@pytest.mark.parametrize("files", [True, False])
def test_the_append_of_a_killed_writer_is_atomic_in_a_blob_but_may_be_partial_in_a_file(files: bool) -> None:
    def size(seed: int) -> int:
        """The content of a blob whose writer is killed this many milliseconds after it began."""
        loop = SeededLoop(random.Random(seed))
        store = SimulatedStore(random.Random(seed), files=files, trace=lambda *_: None, intruder=lambda _: b"")
        process = loop.process("p")

        async def write() -> None:
            connection = Connection(store, process)
            await connection.append("a.jsonl", await connection.create("a.jsonl") or EMPTY, b"0123456789\n")

        async def main() -> int:
            process.start(write())
            await asyncio.sleep(seed / 1000)
            process.kill()
            store.died(process)
            await asyncio.sleep(LATE_SECONDS)
            return len(store.contents.get("a.jsonl", b""))

        return loop.run(main())

    sizes = set(map(size, range(100)))
    assert {0, 11} <= sizes
    assert bool(sizes - {0, 11}) == files


# --- Bugs to plant: each has occurred in receivers like this one -----------------------------------------------------


def draw_late_appends(monkeypatch: pytest.MonkeyPatch, rates: FaultRates, **limits: int) -> None:
    """Draw only runs in which late appends meet other blocks at their position, in blobs that are full soon.

    A bug that needs several rare faults at once is found in one of a thousand runs otherwise, and in another one
    whenever the receiver sends its requests in another order.
    """
    draw = World._draw

    def narrowed(self: World) -> None:
        draw(self)
        self.files = self.store._files = False
        self.fault_rates = rates
        self.limits = replace(self.limits, retry_seconds=0.0, **limits)
        self.linger, self.breaks, self.restored = 0.0, 0, False
        for sender in self.senders:
            sender.workers = 3

    monkeypatch.setattr(World, "_draw", narrowed)


def forget_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """No de-duplication."""
    monkeypatch.setattr(IdWindow, "add", lambda self, ids, room: None)


def trust_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a give-up the writer goes on at the end of the blob, without reading what was appended meanwhile."""

    async def skims(self: RollingBlobWriter, blob: Any) -> None:
        blob.state = await self._store.state(blob.name) or blob.state
        blob.stale = blob.certain = False
        if blob.fenced:
            self._leave()

    monkeypatch.setattr(RollingBlobWriter, "_reread", skims)


def leave_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full blob is left although a late append may still be applied to it."""
    original = RollingBlobWriter._blob_with_room

    async def rolls(self: RollingBlobWriter, size: int) -> Any:
        if self._blob is not None:
            self._blob.certain = True
        return await original(self, size)

    monkeypatch.setattr(RollingBlobWriter, "_blob_with_room", rolls)
    draw_late_appends(monkeypatch, FaultRates(late=0.3), max_bytes=3000, max_blocks=49_900)


def leave_unread_when_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fenced writer goes to the next blob without reading the bytes at its position, maybe its own late append."""
    original = RollingBlobWriter._fence

    def leaves(self: RollingBlobWriter, blob: Any) -> None:
        original(self, blob)
        blob.stale = False
        self._leave()

    monkeypatch.setattr(RollingBlobWriter, "_fence", leaves)


def overlook_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block found at its position is taken for the whole append, although it is the start of a larger block."""
    apply = SimulatedStore._apply

    def overlook(self: SimulatedStore, append: Any) -> BlobState:
        content = self._memory.contents.get(append.name, b"")
        end = append.position + len(append.block)
        if len(content) > append.position and content[append.position : end] == append.block:
            return BlobState(size=end, blocks=len(self._memory.blocks[append.name]))
        return apply(self, append)

    async def directly(self: ParkingSink, folder: str, lines: Sequence[Line], *, callers: int = 1) -> Appended:
        return await self._sink.append(folder, lines, callers=callers)

    async def put(self: ParkingSink, name: str, content: bytes, content_type: str) -> str:
        return await self._sink.put(name, content, content_type)

    monkeypatch.setattr(SimulatedStore, "_apply", overlook)
    # Parked lines are repeated in the same block, so without parking it is found sooner.
    monkeypatch.setattr(ParkingSink, "append", directly)
    monkeypatch.setattr(ParkingSink, "put", put)
    draw_late_appends(monkeypatch, FaultRates(late=0.3, slow=0.3), max_bytes=1 << 30, max_blocks=1, block_bytes=1 << 20)


def forget_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tail of its own blobs is not read."""

    async def learns_nothing(self: KnownBlobs, name: str, start: int, end: int) -> tuple[bool, int]:
        return True, 0

    monkeypatch.setattr(KnownBlobs, "learn", learns_nothing)


def answer_before_the_append(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is acknowledged when it is queued."""
    original = PartitionWriter.add

    def answers(self: PartitionWriter, lines: Any, *more: Any) -> asyncio.Future[Appended]:
        original(self, lines, *more)
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        done.set_result(Appended(len(lines), 0))
        return done

    monkeypatch.setattr(PartitionWriter, "add", answers)


def answer_for_the_first_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request for several folders is acknowledged when the first of them is durable."""

    async def hasty(sink: Sink, lines: Any, *_: Any) -> commit.Committed:
        tasks = [asyncio.ensure_future(sink.append(*item)) for item in lines.items()]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:  # the results of the others are ignored
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return commit.Committed(duplicates=(await done.pop()).duplicates)

    monkeypatch.setattr(commit, "_append", hasty)


def give_up_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """An append that keeps failing is treated as successful."""

    async def indifferent(attempt: Callable[[], Any], *_: Any) -> Any:
        try:
            return await attempt()
        except StoreError:
            return None

    original = PartitionWriter._store_block

    async def resolves(self: PartitionWriter) -> None:
        try:
            await original(self)
        except StoreError:
            if self._block is None:
                raise
            self._resolve(self._block)

    monkeypatch.setattr(group_commit, "retry_for", indifferent)
    monkeypatch.setattr(PartitionWriter, "_store_block", resolves)


def drop_bad_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot become a line is rejected, but not stored in quarantine."""

    async def keeps_nothing(sink: Sink, rejected: Sequence[Rejected], arrival_ns: int) -> commit.Committed:
        return commit.Committed(rejected=tuple(rejected))

    monkeypatch.setattr(commit, "quarantine", keeps_nothing)


def point_to_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is stored at the same time as the object that it refers to, not after it."""

    async def beside(sink: Sink, large: LargePayload, arrival_ns: int) -> commit.Committed:
        line = Line(large.event.line.id, large.line_at(OBJECTS + large.object_name()))
        put = sink.put(large.object_name(), large.content, large.content_type)
        appended, _ = await asyncio.gather(sink.append(large.event.folder, [line]), put)
        return commit.Committed(duplicates=appended.duplicates)

    monkeypatch.setattr(commit, "_store_large", beside)


def file_by_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder has the hour of arrival."""
    original = partition.folder

    def by_arrival(root: str, time_ns: int, rate: partition.RollingRate) -> str:
        return original(root, 0, rate)

    monkeypatch.setattr(partition, "folder", by_arrival)


def shrink_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few ids are remembered, so a retry is not recognized."""
    original = IdWindow.add
    monkeypatch.setattr(IdWindow, "add", lambda self, ids, room: original(self, ids, 2))


def split_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a block is appended, then the other half."""
    original = RollingBlobWriter.append

    async def halves(self: RollingBlobWriter, block: bytes) -> bool:
        middle = len(block) // 2
        return await original(self, block[:middle] + b"\n") and await original(self, block[middle:])

    monkeypatch.setattr(RollingBlobWriter, "append", halves)


def leak_bytes_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are not released when their request is resolved."""
    original = Admission.release
    monkeypatch.setattr(
        Admission, "release", lambda self, tenant, size, *more: original(self, tenant, size // 2, *more)
    )


def trust_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blobs are not looked at before an id is called stored, so a loss is neither noticed nor noted."""

    async def sees_nothing(self: KnownBlobs, only: str = "") -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(KnownBlobs, "look", sees_nothing)


def forget_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that was noticed, and not noted because of an error, is forgotten when the folder is closed."""
    marks = KnownBlobs.marks.fget
    assert marks is not None

    def forgets(self: KnownBlobs) -> Any:
        loss, self._loss = self._loss, None
        try:
            return marks(self)
        finally:
            self._loss = loss

    monkeypatch.setattr(KnownBlobs, "marks", property(forgets))


# What is found first depends on the draw if a bug breaks two invariants.
BUGS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    forget_what_is_stored: "I2 stored more than once",
    trust_the_size: "I2 stored more than once",
    leave_in_doubt: "I2 stored more than once",
    leave_unread_when_fenced: "I2 stored more than once",
    overlook_what_follows: "I2 stored more than once",
    forget_after_a_restart: "I2 stored more than once",
    answer_before_the_append: "I2 acknowledged, but not durable at this moment",
    answer_for_the_first_folder: "I2 acknowledged, but not durable at this moment",
    give_up_silently: "I2 acknowledged, but not durable at this moment",
    drop_bad_records: "I1 accepted, but neither stored, lost nor in quarantine",
    point_to_what_is_not_there: "I2 stored before the object it points to",
    file_by_arrival: "I3 under a wrong path",
    shrink_the_window: "I2 stored more than once",
    split_a_line: "I3 unreadable|I2 acknowledged, but not durable at this moment",
    leak_bytes_in_flight: "in flight",
    trust_what_is_known: "I2 acknowledged, but not durable at this moment|I4 acknowledged lines have vanished without",
    forget_a_loss: "I4 acknowledged lines have vanished without a note",
}


@pytest.mark.parametrize(("plant", "finding"), BUGS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_it_is_found(plant, finding, monkeypatch)
