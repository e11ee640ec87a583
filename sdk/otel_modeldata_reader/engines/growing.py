"""A collection that grows while it is read: which bytes are new, and which of their lines repeat an event.

An offset says how many bytes of each blob were read, always up to the end of a line; a torn line is read when it is
whole. Rows between two offsets depend on nothing but these bytes and those before them, so reading them again after a
crash gives the same rows. An event that a receiver wrote twice is in the same folder twice. So the ids of a folder
decide, those before the offset too, and they are read again when they are not in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from ..blobs.byte_ranges import ByteRange
from ..blobs.compacted_name import compacted_root
from ..blobs.listing import collections_of, date_of, hours_of
from ..exceptions import ReaderError
from ..lines.event_stream import event_batches
from ..lines.known_ids import KnownIds
from ..window import Window
from .line_marks import LineMarks, RepeatTally
from .partition import PARTITION_BYTES, LineRange, packed
from .remote_store import RangeAccess
from .removed_blobs import RemovedBlobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..blobs.store_access import StoreAccess
    from .partition import GroupRange, Partition, ReadRows

__all__ = ["GrowingCollection"]

_TAIL_BYTES: Final = 1 << 16
_FOLDERS: Final = 48
"""Folders whose ids are kept: more are written at once only while old events arrive."""
_SINCE: Final = "since"
_BLOBS: Final = "blobs"


class GrowingCollection:
    """The new rows of a collection, from one offset to the next.

    Args:
        rows: what to read; the window begins where the first offset says.
        size: bytes of a partition.
    """

    def __init__(self, rows: ReadRows, size: int = PARTITION_BYTES) -> None:
        self._rows = replace(rows, is_complete=False)
        self._size = size
        self._folders: OrderedDict[str, _Folder] = OrderedDict()
        self._removed = RemovedBlobs(rows.root)

    def first_offset(self) -> dict[str, Any]:
        """The offset before the first line. It keeps the beginning of the window, which a restart does not move."""
        return {_SINCE: self._rows.window.since, _BLOBS: {}}

    def sizes(self) -> dict[str, int]:
        """The blobs that there are now or that are in Parquet only, with their sizes, in the order of their times.

        Raises:
            StoreUnavailableError: the store cannot be listed.
        """
        objects = [*self._store.walk(self._rows.root), *self._store.walk(compacted_root(self._rows.root))]
        found = collections_of(objects).get(self._rows.root)
        if found is None:
            return {}
        sizes = {blob.name: blob.size for blob in found.blobs} | self._removed.sizes(self._store, found)
        return {name: sizes[name] for name in sorted(sizes, key=lambda name: (date_of(name), name))}

    def next_offset(self, start: dict[str, Any], sizes: Mapping[str, int], most: int | None = None) -> dict[str, Any]:
        """The offset after all whole lines; `start` itself if there is no new one.

        Args:
            start: what was read already.
            sizes: of the blobs.
            most: about how many new bytes are read at most, the oldest first.

        Raises:
            ReaderError: a blob has become smaller than what was read of it.
            StoreUnavailableError: a blob cannot be read.
        """
        known: dict[str, int] = start[_BLOBS]
        window = self._window(start)
        ends: dict[str, int] = {}
        left = most
        for blob, size in sizes.items():
            done = known.get(blob, 0)
            if size < done:
                raise ReaderError(
                    f"expected {done:,} bytes or more in {blob}, got {size:,}: it was rewritten after the stream read "
                    "it; begin with a new checkpoint"
                )
            if size == done or not window.overlaps(*hours_of(date_of(blob))):
                continue
            if blob in self._removed:  # it has whole lines, and their positions are not known any more
                self._removed.check(blob, done, size)
                ends[blob] = size
                if left is not None and (left := left - min(left, size)) == 0:
                    break
                continue
            end = _last_line_end(self._store, blob, done, size)
            if left is not None and end - done > left:
                cut = _last_line_end(self._store, blob, done, done + left) if left else done
                end = cut if cut > done or ends else _next_line_end(self._store, blob, done + left, end)
            if end > done:
                ends[blob] = end
            if left is not None:
                left -= min(left, end - done)
                if not left:
                    break
        if not ends:
            return start
        return {_SINCE: start.get(_SINCE), _BLOBS: dict(sorted({**known, **ends}.items()))}

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> list[Partition]:
        """The rows between two offsets, each event of a folder once.

        Raises:
            ReaderError: bytes before the second offset are gone, or the store cannot be read.
        """
        before: dict[str, int] = start[_BLOBS]
        after: dict[str, int] = end[_BLOBS]
        new = {blob: (before.get(blob, 0), to) for blob, to in after.items() if to > before.get(blob, 0)}
        folders: dict[str, list[str]] = {}
        for blob in sorted(new):
            folders.setdefault(blob.rpartition("/")[0], []).append(blob)
        if not self._removed.is_listed:  # a batch is read again after a restart
            self.sizes()
        ranges: list[LineRange | GroupRange] = []
        for folder, blobs in folders.items():
            read = self._folder(folder, {one: at for one, at in before.items() if one.rpartition("/")[0] == folder})
            removed = [blob for blob in blobs if blob in self._removed]
            for blob in removed:
                self._removed.check(blob, *new[blob])
            if removed:
                ranges += self._removed.ranges(self._store, removed, read.ids)
                read.positions |= {blob: new[blob][1] for blob in removed}
            for blob in blobs:
                if blob not in self._removed:
                    ranges += read.ranges(self._store, blob, new[blob][1], self._size)
        return packed(replace(self._rows, window=self._window(start)), ranges, self._size)

    @property
    def _store(self) -> StoreAccess:
        return self._rows.store.opened()

    def _window(self, offset: Mapping[str, Any]) -> Window:
        return Window(since=offset.get(_SINCE), until=self._rows.window.until)

    def _folder(self, name: str, positions: Mapping[str, int]) -> _Folder:
        """A folder of which each blob was read up to a position."""
        found = self._folders.pop(name, None)
        if found is None or found.positions != positions:
            found = _Folder()
            removed = [blob for blob in positions if blob in self._removed]
            if removed:
                self._removed.ranges(self._store, removed, found.ids)
                found.positions |= {blob: positions[blob] for blob in removed}
            for blob, end in positions.items():
                if blob not in self._removed:
                    found.ranges(self._store, blob, end, self._size)
        self._folders[name] = found
        if len(self._folders) > _FOLDERS:
            self._folders.popitem(last=False)
        return found


@dataclass(slots=True)
class _Folder:
    """The ids in a folder, up to some position of each blob."""

    ids: KnownIds = field(default_factory=KnownIds)
    positions: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def ranges(self, store: StoreAccess, blob: str, end: int, size: int) -> Sequence[LineRange]:
        """Go on in a blob up to `end`; returns its new lines."""
        from otel_modeldata_receiver.storage.store import StoredObject  # noqa: PLC0415 (a store is open already)

        start, before = self.positions.get(blob, 0), self.lines.get(blob, 0)
        marks = LineMarks(cast("StoreAccess", RangeAccess(store, start)))
        tally = RepeatTally(strict=False)
        part = StoredObject(name=blob, size=end - start)
        repeated: list[int] = []
        for events in event_batches(cast("StoreAccess", marks), [part], Window(), tally):
            named = [(one.id, number) for one, number in zip(events.envelopes, events.numbers, strict=True) if one.id]
            are_new = self.ids.new_ones([one for one, _ in named])
            repeated += [number for (_, number), is_new in zip(named, are_new, strict=True) if not is_new]
        found = marks.ranges(part, [*repeated, *tally.repeated.get(blob, ())], size)
        self.positions[blob], self.lines[blob] = end, before + marks.lines(blob)
        return [
            LineRange(
                blob=blob,
                start=one.start + start,
                end=one.end + start,
                before=one.before + before,
                repeated=frozenset(number + before for number in one.repeated),
            )
            for one in found
        ]


def _last_line_end(store: StoreAccess, blob: str, start: int, end: int) -> int:
    """The position after the last line feed between two positions; `start` if there is none."""
    step, last = _TAIL_BYTES, end
    while last > start:
        first = max(start, last - step)
        cut = _bytes(store, blob, first, last).rfind(b"\n")
        if cut >= 0:
            return first + cut + 1
        step, last = step * 4, first
    return start


def _next_line_end(store: StoreAccess, blob: str, start: int, end: int) -> int:
    """The position after the first line feed between two positions; the second one is such a position."""
    for first in range(start, end, _TAIL_BYTES):
        cut = _bytes(store, blob, first, min(first + _TAIL_BYTES, end)).find(b"\n")
        if cut >= 0:
            return first + cut + 1
    return end


def _bytes(store: StoreAccess, blob: str, start: int, end: int) -> bytes:
    return next(iter(store.read_ranges([ByteRange(blob, start, end)])))
