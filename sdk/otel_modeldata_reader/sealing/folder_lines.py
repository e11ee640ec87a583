"""One pass over the lines of a folder: their digests, counts and event numbers, for its seal.

Memory is bounded by a few megabytes of lines, the ids that `KnownIds` remembers, and the event numbers of the folder.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import numpy as np

from ..auditing.number_ranges import NumberRanges
from ..auditing.stored_line import number_of
from ..blobs.byte_ranges import ByteRange
from ..compacted.manifest import END_BYTES, end_digest
from ..exceptions import StoreUnavailableError
from ..lines.envelope import Envelope, decode_line, is_utf8
from ..lines.event_time import NO_TIME, times_of
from ..lines.known_ids import KnownIds
from ..lines.line_counts import rows_of
from ..lines.payloads import Payloads
from .seal import MOST_PRODUCERS, MOST_RANGES, ProducerNumbers, SealedBlob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..blobs.store_access import StoreAccess
    from ..index.dropped_lines import DroppedFolder

__all__ = ["FolderLines", "LineObserver"]

_LONGEST_LINE: Final = 64 << 20
"""The receiver writes no line above 4 MiB."""
_BATCH_BYTES: Final = 4 << 20
_MARK: Final = b"\xef\xbb\xbf"
_NULL: Final = msgspec.Raw(b"null")
_OWN_AGENT: Final = "otel-modeldata/"


class LineObserver(Protocol):
    """What sees the same lines: an audit, which remembers them."""

    def add(self, blob: str, before: int, content: bytes) -> None:
        """Some whole lines of a blob, in their order; all but a last one end with a line feed.

        Args:
            blob: its name.
            before: lines of the blob before them.
            content: the lines.
        """

    def encoded(self) -> bytes:
        """What is remembered of all lines."""


class _Line(Envelope, frozen=True, kw_only=True, gc=False):
    """The keys of a line; see `auditing.stored_line.StoredLine` for these ones."""

    producer: str | None = None
    producersequence: str | None = None
    sequence: str | None = None
    agent: str | None = None


_decoder: Final = msgspec.json.Decoder(_Line)


class FolderLines:
    """Counts the lines of a folder.

    Args:
        store: has them.
        objects: sizes of the payloads that lines refer to, by name.
        observer: sees the lines, too.
        progress: called with the number of bytes of each part that is read.

    Attributes:
        lines: without blank ones.
        events: each once.
        rows: of all lines.
        unreadable: lines that are no events.
        first_ns: time of the first event; None without events.
        last_ns: time of the last one.
    """

    def __init__(
        self,
        store: StoreAccess,
        objects: Mapping[str, int],
        observer: LineObserver | None,
        progress: Callable[[int], object],
    ) -> None:
        self.lines = 0
        self.events = 0
        self.rows = 0
        self.unreadable = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._store = store
        self._payloads = Payloads(store, objects)
        self._observer = observer
        self._progress = progress
        self._ids = KnownIds()
        self._counts: dict[str, int] = {}
        self._numbers: dict[str, NumberRanges] = {}

    def add(self, blob: str, size: int, known: SealedBlob | None = None) -> tuple[SealedBlob, bool]:
        """Count the whole lines in the first bytes of a blob.

        Args:
            blob: its name.
            size: how many bytes.
            known: bytes of it that are sealed already.

        Returns:
            The bytes of these lines, and whether the known ones are still the first of them.

        Raises:
            StoreUnavailableError: they cannot be read.
        """
        digest = _Digest(None if known is None else known.size)
        rest, before = b"", 0
        for piece in self._store.pieces([ByteRange(blob, 0, size)]):
            content = rest + piece.content
            end = content.rfind(b"\n") + 1
            whole, rest = content[:end], content[end:]
            if len(rest) > _LONGEST_LINE:
                raise StoreUnavailableError(
                    f"expected lines of at most {_LONGEST_LINE >> 20} MiB in {blob}, got a longer one: move it away"
                )
            before += self._add(blob, before, whole, digest)
            self._progress(len(piece.content))
        if rest.strip() and is_utf8(rest) and decode_line(rest) is not None:
            before += self._add(blob, before, rest, digest)
            rest = b""
        is_same = known is None or digest.at_mark == known.sha256
        one = SealedBlob(
            name=blob,
            size=digest.size,
            sha256=digest.hexdigest(),
            lines=before,
            torn=len(rest),
            end=end_digest(digest.end),
        )
        return one, is_same

    def add_removed(self, folder: DroppedFolder) -> list[SealedBlob]:
        """Count the lines of blobs that are in Parquet files only; add the others of the folder before.

        Lines that repeat an event are counted as lines. Their rows are in no file.

        Args:
            folder: has them.

        Raises:
            ReaderError: a file is not what its manifest says, or cannot be read.
        """
        count, foreign = 0, max(0, folder.foreign - self.unreadable)
        content, size = [], 0
        for (blob, _), line in folder.lines():
            if blob in folder.blobs:
                content.append(line + b"\n")
                size += len(line)
                count += 1
            if size >= _BATCH_BYTES:
                self._count(b"".join(content), next(iter(folder.blobs)), is_first=False)
                self._progress(size)
                content, size = [], 0
        self._count(b"".join(content), next(iter(folder.blobs)), is_first=False)
        lost = sum(one.lines for one in folder.blobs.values()) - count
        self.lines += lost
        self.unreadable += min(lost, foreign)
        return [
            SealedBlob(name=one.name, size=one.size, sha256=one.sha256, lines=one.lines)
            for one in folder.blobs.values()
        ]

    def producers(self) -> tuple[tuple[ProducerNumbers, ...], int]:
        """The events by producer, and how many producers are left out."""
        kept = sorted(self._counts, key=lambda name: (-self._counts[name], name))[:MOST_PRODUCERS]
        return tuple(self._producer(name) for name in sorted(kept)), len(self._counts) - len(kept)

    def _producer(self, name: str) -> ProducerNumbers:
        ranges = self._numbers[name].ranges() if name in self._numbers else []
        return ProducerNumbers(
            producer=name,
            events=self._counts[name],
            ranges=tuple(ranges[:MOST_RANGES]),
            more_ranges=max(0, len(ranges) - MOST_RANGES),
        )

    def _add(self, blob: str, before: int, content: bytes, digest: _Digest) -> int:
        """Count whole lines; return how many there are, with blank ones."""
        if not content:
            return 0
        digest.update(content)
        if self._observer is not None:
            self._observer.add(blob, before, content)
        self._count(content, blob, is_first=before == 0)
        return content.count(b"\n") + (not content.endswith(b"\n"))

    def _count(self, content: bytes, blob: str, *, is_first: bool) -> None:
        """Count whole lines; where payloads are depends on the folder of their blob."""
        if not content:
            return
        envelopes = self._with_rows(self._decoded(content, is_first=is_first))
        self.rows += sum(rows_of(one, self._payloads, blob) for one in envelopes)
        new = self._new_ones(envelopes)
        self.events += len(new)
        self._add_numbers(new)
        if len(times := times_of(envelopes)[()]) and (times := times[times != NO_TIME]).size:
            first, last = int(times.min()), int(times.max())
            self.first_ns = first if self.first_ns is None else min(first, self.first_ns)
            self.last_ns = last if self.last_ns is None else max(last, self.last_ns)

    def _decoded(self, content: bytes, *, is_first: bool) -> Sequence[Envelope]:
        try:
            found: Sequence[Envelope] | None = _decoder.decode_lines(content) if is_utf8(content) else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if found is None:
            found = self._one_by_one(content, is_first=is_first)
        else:
            self.lines += len(found)
        return found

    def _with_rows(self, envelopes: Sequence[Envelope]) -> Sequence[Envelope]:
        """The events: those that have rows, in the line or elsewhere, as readings need them."""
        found = [one for one in envelopes if one.dataref is not None or (one.data and one.data != _NULL)]
        self.unreadable += len(envelopes) - len(found)
        return found

    def _one_by_one(self, content: bytes, *, is_first: bool) -> list[Envelope]:
        found: list[Envelope] = []
        for number, line in enumerate(content.split(b"\n")):
            text = line.removeprefix(_MARK) if is_first and number == 0 else line
            if not text.strip():
                continue
            self.lines += 1
            one = _decoded_line(text) if is_utf8(text) else None
            if one is None:
                self.unreadable += 1
            else:
                found.append(one)
        return found

    def _new_ones(self, envelopes: Sequence[Envelope]) -> Sequence[Envelope]:
        """The events that are not there already; one without an id is always new."""
        ids = [one.id for one in envelopes if one.id]
        if self._ids.are_new(ids):
            return envelopes
        is_new = iter(self._ids.new_ones(ids))
        return [one for one in envelopes if not one.id or next(is_new)]

    def _add_numbers(self, events: Sequence[Envelope]) -> None:
        numbers: dict[str, list[int]] = {}
        for one in events:
            producer, number = _number_of(one)
            numbers.setdefault(producer, []).append(number)
        for producer, found in numbers.items():
            self._counts[producer] = self._counts.get(producer, 0) + len(found)
            given = np.array(found, np.int64)
            if producer and (given := given[given >= 0]).size:
                self._numbers.setdefault(producer, NumberRanges()).add(given)


class _Digest:
    """The digest of bytes, that of their beginning up to a mark, and the last of them."""

    def __init__(self, mark: int | None) -> None:
        self.size = 0
        self.at_mark: str | None = None
        self.end = b""
        self._digest = hashlib.sha256()
        self._mark = mark
        self._note()

    def update(self, content: bytes) -> None:
        cut = len(content) if self._mark is None else min(len(content), max(0, self._mark - self.size))
        self.end = (self.end + content[-END_BYTES:])[-END_BYTES:]
        view = memoryview(content)
        for part in (view[:cut], view[cut:]):
            self._digest.update(part)
            self.size += len(part)
            self._note()

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def _note(self) -> None:
        if self.size == self._mark:
            self.at_mark = self._digest.hexdigest()


def _decoded_line(line: bytes) -> Envelope | None:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_line(line)  # a number where a text is expected, for example


def _number_of(event: Envelope) -> tuple[str, int]:
    """The producer of an event and its number there; -1 without one."""
    if not isinstance(event, _Line) or not event.producer:
        return "", -1
    older = event.sequence if (event.agent or "").startswith(_OWN_AGENT) else None
    return event.producer, number_of(event.producersequence or older or "")
