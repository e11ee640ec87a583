"""Records that are only on disk: overflow from memory, and records left by dead processes.

One thread takes records. Any thread may add records while it holds the queue's lock.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from .._encoding.log_record import RequestEnvelope
from .counters import Counters
from .pending import UNREADABLE, EncodedRecord, OnError, PendingRecord, Producer
from .segment_file import RecordPosition

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from ..report import CollectionReport
    from .disk_queue import DiskQueue
    from .segment_file import SegmentFile
    from .segment_format import SegmentContent

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How often a process looks for segments of dead processes."""


class DiskBacklog:
    """Reads the records that are only on disk, in batches.

    Args:
        disk_queue: holds the records.
        own: this process.
        lock: the delivery queue's; guards every count.

    Attributes:
        overflowed: how many events of this process are on disk only.
        in_flight: how many adopted events were taken and are not settled.
        on_errors: by collection, called when a record is lost; a record on disk does not store its own.
    """

    def __init__(self, disk_queue: DiskQueue, own: Producer, lock: threading.Condition) -> None:
        self.disk_queue = disk_queue
        self.overflowed = 0
        self.in_flight = 0
        self.on_errors: dict[str, OnError | None] = {}
        self._own = own
        self._lock = lock
        self._next: RecordPosition | None = None
        self._since = 0.0
        self._dead: deque[SegmentFile] = deque()
        self._payloads: deque[tuple[RecordPosition, bytes]] = deque()
        self._producers: dict[str, Producer] = {}
        self._look_at = 0.0

    def add(self, position: RecordPosition, since: float) -> None:
        """Count an event that had no room in memory."""
        if not self.overflowed:
            self._next, self._since = position, since
        self.overflowed += 1

    def holds_adopted(self) -> bool:
        """Whether records of a dead process remain to be taken."""
        return bool(self._dead or self._payloads)

    def look(self, *, now: bool = False) -> None:
        """Adopt segments of dead processes; every `LOOK_SECONDS`, or `now`."""
        if not now and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        adopted = self.disk_queue.adopt()
        if adopted:
            logger.info("took over %d segment(s) of the spool from processes that ended", len(adopted))
        with self._lock:
            self._dead += adopted

    def take_own(self, limit: int) -> list[PendingRecord]:
        """The next events that overflowed the memory: up to `limit` bytes, at least one."""
        with self._lock:
            count, position = self.overflowed, self._next
        batch: list[PendingRecord] = []
        size = 0
        while position is not None and len(batch) < count and size < limit:
            payload = self._read(position)
            size += len(payload)
            batch.append(self._pending(payload, position, self._own))
            with self._lock:
                self.overflowed -= 1
                self._next = position = self.disk_queue.after(position) if self.overflowed else None
        return batch

    def take_adopted(self, limit: int) -> list[PendingRecord]:
        """The next events of a dead process: up to `limit` bytes, at least one if there is any."""
        while self._dead and not self._payloads:
            self._examine(self._dead[0])
        batch: list[PendingRecord] = []
        size = 0
        with self._lock:
            while self._payloads and size < limit:
                position, payload = self._payloads.popleft()
                size += len(payload)
                batch.append(self._pending(payload, position, self._producers[position.segment.producer]))
            self.in_flight += len(batch)
            self._lock.notify_all()  # the segment may have been empty, and `flush` waits for the last one
        return batch

    def _examine(self, segment: SegmentFile) -> None:
        try:
            data, content = self.disk_queue.examine(segment)
            producer = self._producer(segment.producer, content)
        except (OSError, DecodeError, ValueError):  # the disk fails, or a later version wrote it
            logger.exception("a segment of the spool cannot be read, it is left where it is: %s", segment.path)
            with self._lock:
                self._dead.popleft()
            return
        with self._lock:
            self._dead.popleft()
            counters = producer.counters
            if content.corrupt:
                counters.accept(UNREADABLE, content.corrupt)
                counters.settle(UNREADABLE, delivered=0, lost=content.corrupt, reason="corrupt")
            self._payloads += (
                (RecordPosition(segment, item.ordinal), data[item.start : item.end]) for item in content.records
            )
            for _, payload in self._payloads:
                counters.accept(_restored(payload).collection)

    def _producer(self, producer_id: str, content: SegmentContent) -> Producer:
        producer = self._producers.get(producer_id)
        if producer is None or (content.source and producer.envelope is self._own.envelope):
            # Without a source nothing of the segment is sent, so the envelope does not matter.
            envelope = RequestEnvelope.of_request(content.source) if content.source else self._own.envelope
            producer = Producer(producer_id, envelope, Counters() if producer is None else producer.counters)
            self._producers[producer_id] = producer
        return producer

    def _read(self, position: RecordPosition) -> bytes:
        try:
            return self.disk_queue.read(position)
        except OSError:
            logger.exception("an event cannot be read back from the spool")
            return b""

    def _pending(self, payload: bytes, position: RecordPosition, producer: Producer) -> PendingRecord:
        record = _restored(payload)
        return PendingRecord(record, 0, self._since, self.on_errors.get(record.collection), producer, position)

    def replayed(self) -> Mapping[str, Mapping[str, CollectionReport]]:
        """The counts of adopted records, by producer and collection."""
        return {producer_id: producer.counters.report() for producer_id, producer in self._producers.items()}


def _restored(payload: bytes) -> EncodedRecord:
    try:
        return EncodedRecord.of(payload)
    except (DecodeError, KeyError):
        return EncodedRecord(UNREADABLE, "", b"")
