"""Records that could not become lines: how many of which collection, why, and the newest of them as text.

Each blob of the quarantine is read once, and what is appended later once. A hostile sender decides how much there is,
so the newest megabytes are read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_reader.auditing.quarantine_keys import QuarantinedLine
from otel_modeldata_reader.blobs.byte_ranges import ByteRange
from otel_modeldata_reader.blobs.listing import date_of
from otel_modeldata_receiver.layout.partition import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = ["Quarantine", "Quarantined", "QuarantinedRecord"]

MOST_BYTES: Final = 64 << 20
"""Of the quarantine that are read, the newest first."""
_MOST_NAMES: Final = 10_000
_MOST_KINDS: Final = 50
_MOST_RECORDS: Final = 50
_LONGEST_RECORD: Final = 16 << 10
_MOST_CHARS: Final = 2_000
_LONGEST_LINE: Final = 8 << 20


class _Line(QuarantinedLine, frozen=True, kw_only=True):
    reason: str = ""
    collection: str = ""
    time: str = ""
    size: int = 0


_decode: Final = msgspec.json.Decoder(_Line).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRecord:
    """One line of the quarantine.

    Attributes:
        time: when it arrived, as the line has it.
        reason: why it could not become a line.
        deployment: `endpoint/deployment`; only the endpoint, or empty, where no more is known.
        collection: empty where it is not known.
        producer: the process that sent it; empty where it is not known.
        records: how many records it is.
        size: bytes that are kept.
        blob: name of the blob.
        record: the encoded OTLP record in base64; empty for a long one, and for a request that is kept whole.
    """

    time: str
    reason: str
    deployment: str
    collection: str
    producer: str
    records: int
    size: int
    blob: str
    record: str


@dataclass(slots=True)
class Quarantined:
    """What is in quarantine.

    Attributes:
        records: how many records.
        names: how many by `endpoint/deployment/collection` in lower case; parts that are not known are empty.
        kinds: how many by the kind of their reason, for each of these names.
        newest: the newest lines, the newest first.
        left: bytes that were not read.
        unreadable: lines that are no JSON of the quarantine.
    """

    records: int = 0
    names: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    newest: list[QuarantinedRecord] = field(default_factory=list)
    left: int = 0
    unreadable: int = 0

    def of(self, root: str) -> int:
        """The records of a collection, or of a deployment."""
        start = root.lower()
        return sum(count for name, count in self.names.items() if name == start or name.startswith(f"{start}/"))

    def add(self, blob: str, raw: bytes) -> None:
        """Count a line."""
        from otel_modeldata_reader.auditing.quarantined_request import (  # noqa: PLC0415 (imports protobuf)
            events_in_line,
        )

        try:
            line = _decode(raw)
        except (ValueError, RecursionError):
            self.unreadable += 1
            return
        events = events_in_line(line)
        named = Counter(
            "/".join([*(one.tenant or (line.endpoint, "")), one.collection or line.collection]) for one in events
        )
        records = max(line.records, len(events), 1)
        if rest := records - len(events):
            named[f"{line.endpoint}//{line.collection}"] += rest
        for name, count in named.items():
            self._count(name.lower(), line.reason, count)
        first = events[0] if events else None
        self.newest.append(
            QuarantinedRecord(
                time=line.time[:40],
                reason=line.reason[:_MOST_CHARS],
                deployment="/".join(filter(None, first.tenant if first and first.tenant else (line.endpoint,))),
                collection=((first.collection if first else "") or line.collection)[:255],
                producer=first.producer[:255] if first else "",
                records=records,
                size=line.size,
                blob=blob,
                record=line.record if len(line.record) <= _LONGEST_RECORD else "",
            )
        )
        if len(self.newest) > 2 * _MOST_RECORDS:
            del self.newest[:-_MOST_RECORDS]  # lines are in the order in which they arrived

    def _count(self, name: str, reason: str, records: int) -> None:
        self.records += records
        if name not in self.names and len(self.names) >= _MOST_NAMES:
            name = "//"
        self.names[name] += records
        kinds = self.kinds.setdefault(name, Counter())
        kind = reason.partition(":")[0][:80] or "no reason"
        kinds[kind if kind in kinds or len(kinds) < _MOST_KINDS else "other reasons"] += records


class Quarantine:
    """Reads the quarantine of a store, again and again.

    Args:
        store: has it.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._blobs: dict[str, tuple[int, Quarantined]] = {}
        self._torn = 0
        self.found = Quarantined()

    def look(self, aside: Iterable[StoredObject]) -> Quarantined:
        """Everything that is in quarantine now.

        Args:
            aside: what the store has beside its collections.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        listed = [one for one in aside if one.name.startswith(f"{QUARANTINE}/") and one.name.endswith(".jsonl")]
        listed.sort(key=lambda one: (date_of(one.name), one.modified or 0.0), reverse=True)
        names = {one.name for one in listed}
        is_changed = not names >= self._blobs.keys()
        self._blobs = {name: known for name, known in self._blobs.items() if name in names}
        room, left = MOST_BYTES, 0
        for one in listed:
            size, known = self._blobs.get(one.name, (0, None))
            if one.size < size:
                size, known = 0, None
            room -= size
            if one.size == size:
                continue
            start = max(size, one.size - max(0, room))
            left += start - size
            room -= one.size - start
            found = known or Quarantined()
            for raw in self._lines(ByteRange(one.name, start, one.size), is_cut=start > size):
                if raw.strip():
                    found.add(one.name, raw)
            self._blobs[one.name] = (one.size - self._torn, found)
            is_changed = True
        if is_changed or left != self.found.left:
            self.found = _sum([self._blobs[one.name][1] for one in listed if one.name in self._blobs], left)
        return self.found

    def _lines(self, part: ByteRange, *, is_cut: bool) -> Iterator[bytes]:
        rest, is_first = b"", is_cut
        for piece in self._store.pieces([part]):
            *lines, rest = (rest + piece.content).split(b"\n")
            yield from lines[1:] if is_first and lines else lines
            is_first = is_first and not lines
            rest = rest if len(rest) <= _LONGEST_LINE else b""
        self._torn = len(rest)


def _sum(parts: Sequence[Quarantined], left: int) -> Quarantined:
    """The sum of blobs, the newest first."""
    total = Quarantined(left=left)
    for one in parts:
        total.records += one.records
        total.unreadable += one.unreadable
        total.names += one.names
        for name, kinds in one.kinds.items():
            total.kinds.setdefault(name, Counter()).update(kinds)
        if len(total.newest) < 10 * _MOST_RECORDS:
            total.newest += reversed(one.newest)
    total.newest.sort(key=lambda one: one.time, reverse=True)
    del total.newest[_MOST_RECORDS:]
    return total
