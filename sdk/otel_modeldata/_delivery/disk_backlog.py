"""What waits on disk only: the events that had no room in memory, and what dead processes left in the same folder.

The queue in memory is sent first, then what overflowed it, in order; what was adopted takes every other turn, so that
neither starves. One thread takes; any thread adds, and holds the queue's lock while it does.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from .._encoding.log_record import RequestFrame
from .counters import Accounts
from .disk_queue import Place
from .pending import UNREADABLE, EncodedRecord, OnError, Origin, Waiting

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from ..report import CollectionReport
    from .disk_queue import Segment, Spool
    from .segment import Scan

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How often a process looks for segments of processes that died since."""


class Backlog:
    """Reads back from a spool what has to be sent.

    Args:
        spool: where it stands.
        own: this process.
        lock: of the queue: guards every count.

    Attributes:
        overflowed: own events that are on disk only.
        in_flight: adopted events that were taken and are not settled.
        on_errors: who wants to hear of losses, by collection: what is read back knows only that.
    """

    def __init__(self, spool: Spool, own: Origin, lock: threading.Condition) -> None:
        self.spool = spool
        self.overflowed = 0
        self.in_flight = 0
        self.on_errors: dict[str, OnError | None] = {}
        self._own = own
        self._lock = lock
        self._next: Place | None = None
        self._since = 0.0
        self._dead: deque[Segment] = deque()
        self._payloads: deque[tuple[Place, bytes]] = deque()
        self._origins: dict[str, Origin] = {}
        self._look_at = 0.0

    def add(self, place: Place, since: float) -> None:
        """An event had no room in memory."""
        if not self.overflowed:
            self._next, self._since = place, since
        self.overflowed += 1

    def holds_adopted(self) -> bool:
        """Whether something of a dead process still has to be taken."""
        return bool(self._dead or self._payloads)

    def look(self, *, now: bool = False) -> None:
        """Adopt what dead processes left; every ten seconds, or `now`."""
        if not now and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        adopted = self.spool.adopt()
        if adopted:
            logger.info("took over %d segment(s) of the spool from processes that ended", len(adopted))
        with self._lock:
            self._dead += adopted

    def take_own(self, limit: int) -> list[Waiting]:
        """The next events that overflowed the memory: up to `limit` bytes, at least one."""
        with self._lock:
            count, place = self.overflowed, self._next
        batch: list[Waiting] = []
        size = 0
        while place is not None and len(batch) < count and size < limit:
            payload = self._read(place)
            size += len(payload)
            batch.append(self._waiting(payload, place, self._own))
            with self._lock:
                self.overflowed -= 1
                self._next = place = self.spool.after(place) if self.overflowed else None
        return batch

    def take_adopted(self, limit: int) -> list[Waiting]:
        """The next events of a dead process: up to `limit` bytes, at least one if there is any."""
        while self._dead and not self._payloads:
            self._examine(self._dead[0])
        batch: list[Waiting] = []
        size = 0
        with self._lock:
            while self._payloads and size < limit:
                place, payload = self._payloads.popleft()
                size += len(payload)
                batch.append(self._waiting(payload, place, self._origins[place.segment.producer]))
            self.in_flight += len(batch)
            self._lock.notify_all()  # a segment may have held nothing: who waits for the end of all of them looks again
        return batch

    def _examine(self, segment: Segment) -> None:
        try:
            data, found = self.spool.examine(segment)
            origin = self._origin(segment.producer, found)
        except (OSError, DecodeError, ValueError):  # the disk fails; a later version wrote it
            logger.exception("a segment of the spool cannot be read, it is left where it is: %s", segment.path)
            with self._lock:
                self._dead.popleft()
            return
        with self._lock:
            self._dead.popleft()
            accounts = origin.accounts
            if found.corrupt:
                accounts.accept(UNREADABLE, found.corrupt)
                accounts.settle(UNREADABLE, delivered=0, lost=found.corrupt, reason="corrupt")
            self._payloads += ((Place(segment, item.ordinal), data[item.start : item.end]) for item in found.records)
            for _, payload in self._payloads:
                accounts.accept(_restored(payload).collection)

    def _origin(self, producer: str, found: Scan) -> Origin:
        origin = self._origins.get(producer)
        if origin is None or (found.source and origin.frame is self._own.frame):
            # Without a source nothing of the segment is sent, so the frame does not matter.
            frame = RequestFrame.of_request(found.source) if found.source else self._own.frame
            origin = Origin(producer, frame, Accounts() if origin is None else origin.accounts)
            self._origins[producer] = origin
        return origin

    def _read(self, place: Place) -> bytes:
        try:
            return self.spool.read(place)
        except OSError:
            logger.exception("the spool does not give back an event")
            return b""

    def _waiting(self, payload: bytes, place: Place, origin: Origin) -> Waiting:
        record = _restored(payload)
        return Waiting(record, 0, self._since, self.on_errors.get(record.collection), origin, place)

    def replayed(self) -> Mapping[str, Mapping[str, CollectionReport]]:
        """The accounts of what was adopted, by producer and collection."""
        return {producer: origin.accounts.report() for producer, origin in self._origins.items()}


def _restored(payload: bytes) -> EncodedRecord:
    try:
        return EncodedRecord.of(payload)
    except (DecodeError, KeyError):
        return EncodedRecord(UNREADABLE, "", b"")
