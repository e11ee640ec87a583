"""Records that are only on disk: overflow from memory, and records left by dead processes.

The delivery thread takes records. The thread that holds the lock of the disk queue adds records. Neither waits for the
other: `_added` is changed only by the one, everything else only by the other.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from .._encoding.log_record import RequestEnvelope
from .counters import Counters
from .pending import UNREADABLE, EncodedRecord, OnError, PendingRecord, Producer
from .spool.segment_file import RecordPosition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..report import CollectionReport
    from .spool.disk_queue import DiskQueue
    from .spool.segment_file import SegmentFile
    from .spool.segment_format import SegmentContent

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How often a process looks for segments of dead processes."""


class DiskBacklog:
    """Reads the records that are only on disk, in batches.

    Args:
        disk_queue: holds the records.
        own: this process.

    Attributes:
        in_flight: how many adopted events were taken and are not settled.
        on_errors: by collection, called when a record is lost; a record on disk does not store its own.
    """

    def __init__(self, disk_queue: DiskQueue, own: Producer) -> None:
        self.disk_queue = disk_queue
        self.in_flight = 0
        self.on_errors: dict[str, OnError | None] = {}
        self._own = own
        self._added: dict[str, int] = {}
        self._taken: Counter[str] = Counter()
        self._taken_count = 0
        self._start: tuple[RecordPosition, float, int] | None = None
        self._last: RecordPosition | None = None
        self._since = 0.0
        self._dead: deque[SegmentFile] = deque()
        self._payloads: deque[tuple[RecordPosition, bytes]] = deque()
        self._producers: dict[str, Producer] = {}
        self._look_at = 0.0
        self._requested = self._answered = 0

    @property
    def added(self) -> int:
        """How many events of this process have had no room in memory."""
        return sum(self._added.values())

    @property
    def overflowed(self) -> int:
        """How many events of this process are on disk only."""
        return self.added - self._taken_count

    def overflowed_by_collection(self) -> Counter[str]:
        """The same by collection."""
        return Counter(self._added) - self._taken

    def add(self, collection: str, position: RecordPosition, since: float) -> None:
        """Count an event that had no room in memory."""
        added = self.added
        if added == self._taken_count:
            self._start = position, since, added
        self._added[collection] = self._added.get(collection, 0) + 1

    def withdraw(self, collection: str, position: RecordPosition) -> None:
        """Forget the event that was added last; called when the delivery thread has ended."""
        self._added[collection] -= 1
        self.disk_queue.withdraw(position)

    def holds_adopted(self) -> bool:
        """Whether records of a dead process remain to be taken."""
        return bool(self._dead or self._payloads)

    def request_look(self) -> Callable[[], bool]:
        """Ask the delivery thread to look for segments of dead processes; returns whether it has."""
        self._requested += 1
        number, self._look_at = self._requested, 0.0
        return lambda: self._answered >= number

    def look(self) -> None:
        """Adopt segments of dead processes, every `LOOK_SECONDS` or when asked to."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        requested = self._requested
        self.disk_queue.restore()
        adopted = self.disk_queue.adopt()
        if adopted:
            logger.info("took over %d segment(s) of the spool from processes that ended", len(adopted))
        self._dead += adopted
        self._answered = requested

    def read_own(self, limit: int) -> list[PendingRecord]:
        """The next events that overflowed the memory: up to `limit` bytes, at least one."""
        count = self.overflowed
        batch: list[PendingRecord] = []
        size = 0
        while len(batch) < count and size < limit:
            start = self._start
            if start is not None and start[2] == self._taken_count + len(batch):
                position, self._since, _ = start
            elif self._last is not None:
                position = self.disk_queue.after(self._last)
            else:
                break
            self._last = position
            payload = self._read(position)
            size += len(payload)
            batch.append(self._pending(payload, position, self._own, position.segment.collection(position.ordinal)))
        return batch

    def count_taken(self, batch: Iterable[PendingRecord]) -> None:
        """Note that these events are no longer only on disk."""
        for pending in batch:
            self._taken[pending.record.collection] += 1
            self._taken_count += 1

    def take_adopted(self, limit: int) -> list[PendingRecord]:
        """The next events of a dead process: up to `limit` bytes, at least one if there is any."""
        while self._dead and not self._payloads:
            self._examine(self._dead[0])
        batch: list[PendingRecord] = []
        size = 0
        while self._payloads and size < limit:
            position, payload = self._payloads[0]
            size += len(payload)
            batch.append(self._pending(payload, position, self._producers[position.segment.producer]))
            self.in_flight += 1
            self._payloads.popleft()
        return batch

    def count_settled(self, count: int) -> None:
        """Note that adopted events are settled."""
        self.in_flight -= count

    def _examine(self, segment: SegmentFile) -> None:
        try:
            data, content = self.disk_queue.examine(segment)
            producer = self._producer(segment.producer, content)
        except (OSError, DecodeError, ValueError):  # the disk fails, or a later version wrote it
            logger.exception("a segment of the spool cannot be read, it is left where it is: %s", segment.path)
            self._dead.popleft()
            return
        counters = producer.counters
        if content.corrupt:
            counters.accept(UNREADABLE, content.corrupt)
            counters.settle(UNREADABLE, delivered=0, lost=content.corrupt, reason="corrupt")
        for item in content.records:
            payload = data[item.start : item.end]
            counters.accept(EncodedRecord.restored(payload).collection)
            self._payloads.append((RecordPosition(segment, item.ordinal), payload))
        self._dead.popleft()

    def _producer(self, producer_id: str, content: SegmentContent) -> Producer:
        producer = self._producers.get(producer_id)
        if producer is None or (content.source and producer.envelope is self._own.envelope):
            # Without a source nothing of the segment is sent, so the envelope does not matter.
            envelope = RequestEnvelope.of_request(content.source) if content.source else self._own.envelope
            producer = Producer(producer_id, envelope, Counters() if producer is None else producer.counters)
            self._producers[producer_id] = producer
        return producer

    def not_kept(self, items: Iterable[PendingRecord]) -> list[PendingRecord]:
        """Those of these records that the next process will not find on disk."""
        self.disk_queue.restore()
        in_place: dict[SegmentFile, bool] = {}
        lost = []
        for item in items:
            segment = None if item.position is None else item.position.segment
            if segment is not None and segment not in in_place:
                in_place[segment] = segment.is_in_place()
            if segment is None or not in_place[segment]:
                lost.append(item)
        return lost

    def _read(self, position: RecordPosition) -> bytes:
        try:
            return self.disk_queue.read(position)
        except OSError:
            logger.exception("an event cannot be read back from the spool")
            return b""

    def _pending(
        self, payload: bytes, position: RecordPosition, producer: Producer, collection: str = ""
    ) -> PendingRecord:
        record = EncodedRecord.restored(payload, collection)
        return PendingRecord(record, 0, self._since, self.on_errors.get(record.collection), producer, position)

    def replayed(self) -> Mapping[str, Mapping[str, CollectionReport]]:
        """The counts of adopted records, by producer and collection."""
        return {producer_id: producer.counters.report() for producer_id, producer in self._producers.items()}
