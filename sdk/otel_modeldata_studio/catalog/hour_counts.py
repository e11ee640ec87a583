"""How many events each folder has, by its manifest or its seal; no line is read.

Both are about the first bytes of blobs. What came later is known by its size only.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.auditing.number_ranges import MAX_SEQUENCE
from otel_modeldata_reader.blobs.byte_ranges import ByteRange
from otel_modeldata_reader.blobs.compacted_name import CompactedName, compacted_folder, compacted_name
from otel_modeldata_reader.compacted.manifest import MOST_BYTES, ManifestError, decode_manifest
from otel_modeldata_reader.sealing.seal import LONGEST_SEAL, decoded
from otel_modeldata_reader.sealing.seal_name import SEALED, read_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_reader.compacted.manifest import Manifest
    from otel_modeldata_reader.sealing.seal import ProducerNumbers, Seal
    from otel_modeldata_receiver.storage.store import StoredObject

__all__ = ["CountedFolder", "HourCounts", "Summary", "seals_by_folder", "summaries_of"]

_MOST_KEPT: Final = 300_000
"""Summaries in memory, a few hundred bytes each: 400 collections for a month."""
_CHUNK: Final = 64
_MOST_CHUNK_BYTES: Final = 16 << 20
_LEAST_ROW: Final = 3
"""Bytes of a row in a line: `{},`."""
_LEAST_EVENT: Final = 10
"""Bytes of an event but for its rows, at least: `{"data":[]}`."""
_MOST_RANGES: Final = 2_000
"""Of event numbers that are kept for one folder; those of more are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The object that has the counts of a folder.

    Attributes:
        name: of the object in the store.
        size: of it in bytes.
        is_seal: whether it is a seal; else it is a manifest.
    """

    name: str
    size: int
    is_seal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFolder:
    """What a manifest or a seal counts.

    Attributes:
        events: each once.
        rows: of these events.
        duplicates: further lines with the id of an event.
        sizes: how many bytes of which blobs it is about.
        dropped: which of them were removed since.
        producers: event numbers by producer; None where they are not known.
        late_lines: lines that came after an earlier seal.
        types: the types of the columns of its rows, with the names of the columns; empty where they are not known.
    """

    events: int
    rows: int
    duplicates: int
    sizes: Mapping[str, int]
    dropped: frozenset[str] = frozenset()
    producers: Mapping[str, Sequence[tuple[int, int]]] | None = None
    late_lines: int = 0
    types: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def uncounted(self, blobs: Iterable[StoredObject]) -> int:
        """The bytes of a folder that came later."""
        return sum(max(0, one.size - self._size(one)) for one in blobs)

    def fits(self, blobs: Iterable[StoredObject]) -> bool:
        """Whether the blobs of a folder have the bytes that were counted, but for those that were removed."""
        there = {one.name: one.size for one in blobs}
        return all(there.get(name, size) >= size for name, size in self.sizes.items() if name not in self.dropped)

    def _size(self, blob: StoredObject) -> int:
        # A dropped blob whose name is there again is another one, unless it was not removed yet.
        size = self.sizes.get(blob.name, 0)
        return 0 if blob.name in self.dropped and blob.size < size else size


def summaries_of(
    root: str, date: str, compacted: Mapping[str, int], seals: Mapping[str, Sequence[StoredObject]]
) -> list[Summary]:
    """The objects that count a folder: its newest manifest, and its newest seal.

    Args:
        root: folder of the collection.
        date: the span of time, as the folder has it.
        compacted: the objects of its compacted folder: sizes by name.
        seals: all seals by the folder that they seal, by their numbers.
    """
    found = []
    names = [CompactedName(root, date, file) for file in compacted]
    newest = max((one for one in names if one.number is not None), key=lambda one: one.number or 0, default=None)
    if newest is not None and compacted[newest.file] <= MOST_BYTES:
        name = f"{compacted_folder(root, date)}/{newest.file}"
        found.append(Summary(name=name, size=compacted[newest.file], is_seal=False))
    folder = f"{root}/{date}" if root else date
    if (of_folder := seals.get(folder)) and 0 < of_folder[-1].size <= LONGEST_SEAL:
        found.append(Summary(name=of_folder[-1].name, size=of_folder[-1].size, is_seal=True))
    return found


def seals_by_folder(listed: Iterable[StoredObject]) -> dict[str, list[StoredObject]]:
    """The seals among what is set aside, by the folder that they seal, in the order of their numbers."""
    found: dict[str, list[StoredObject]] = {}
    start = f"{SEALED}/"
    for one in listed:
        if one.name.startswith(start) and (name := read_name(one.name)) is not None:
            found.setdefault(name.folder, []).append(one)
    for of_folder in found.values():
        of_folder.sort(key=lambda one: one.name)
    return found


class HourCounts:
    """Reads manifests and seals, and remembers what they count: neither of them ever changes.

    Args:
        store: has them.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: OrderedDict[str, CountedFolder | None] = OrderedDict()

    def known(self, summaries: Iterable[Summary]) -> CountedFolder | None:
        """What is known of a folder: the seal's counts, unless only the manifest was read, or has more bytes."""
        with self._lock:
            found = [one for summary in summaries if (one := self._known.get(summary.name)) is not None]
        return max(found, key=lambda one: (sum(one.sizes.values()), one.producers is not None), default=None)

    def sealed(self, summaries: Iterable[Summary]) -> CountedFolder | None:
        """What the seal of a folder counts, as far as it was read."""
        with self._lock:
            return next((self._known.get(one.name) for one in summaries if one.is_seal), None)

    def types(self, summaries: Iterable[Summary]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The types of the rows of a folder and the names of their columns, as far as its manifest was read."""
        with self._lock:
            found = [self._known.get(summary.name) for summary in summaries]
        return next((one.types for one in found if one is not None and one.types), ())

    def unread(self, summaries: Iterable[Summary]) -> list[Summary]:
        """Those that were not read yet."""
        with self._lock:
            return [one for one in summaries if one.name not in self._known]

    def read(self, summaries: Sequence[Summary]) -> None:
        """Read some of them, a few megabytes at a time; damaged ones count nothing.

        Raises:
            StoreUnavailableError: they cannot be read.
        """
        for chunk in _chunks(summaries):
            contents = self._store.read_ranges(ByteRange(one.name, 0, one.size) for one in chunk)
            counted = {one.name: _counted(one, content) for one, content in zip(chunk, contents, strict=True)}
            with self._lock:
                self._known |= counted
                while len(self._known) > _MOST_KEPT:
                    self._known.popitem(last=False)


def _chunks(summaries: Sequence[Summary]) -> Iterable[list[Summary]]:
    chunk: list[Summary] = []
    size = 0
    for one in summaries:
        if chunk and (len(chunk) >= _CHUNK or size + one.size > _MOST_CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += one.size
    if chunk:
        yield chunk


def _counted(summary: Summary, content: bytes) -> CountedFolder | None:
    if summary.is_seal:
        seal = decoded(summary.name, content)
        return None if seal is None else _of_seal(seal)
    place = compacted_name(summary.name)
    try:
        return None if place is None else _of_manifest(decode_manifest(content, place))
    except ManifestError:
        return None


def _of_seal(seal: Seal) -> CountedFolder | None:
    if seal.events * _LEAST_EVENT > sum(one.size for one in seal.blobs):
        return None  # likewise; rows may be in payloads elsewhere
    return CountedFolder(
        events=seal.events,
        rows=seal.rows,
        duplicates=max(0, seal.lines - seal.unreadable - seal.events),
        sizes={one.name: one.size for one in seal.blobs},
        late_lines=seal.late_lines,
        producers=_producers(seal.producers, is_all=not seal.more_producers),
    )


def _producers(numbers: Sequence[ProducerNumbers], *, is_all: bool) -> Mapping[str, Sequence[tuple[int, int]]] | None:
    is_known = is_all and not any(one.more_ranges for one in numbers)
    if not is_known or sum(len(one.ranges) for one in numbers) > _MOST_RANGES:
        return None
    if any(not 0 <= first <= last < MAX_SEQUENCE for one in numbers for first, last in one.ranges):
        return None  # no receiver has written this
    return {one.producer: one.ranges for one in numbers if one.producer and one.ranges}


def _of_manifest(manifest: Manifest) -> CountedFolder | None:
    size = sum(one.size for one in manifest.blobs)
    rows = sum(part.rows for part in manifest.parts if part.kind == "rows")
    if rows * _LEAST_ROW + manifest.counts.events * _LEAST_EVENT > size:
        return None  # so many are not in the bytes that it names: no compaction has counted them
    return CountedFolder(
        events=manifest.counts.events,
        rows=sum(part.rows for part in manifest.parts),
        duplicates=manifest.counts.duplicates,
        sizes={one.name: one.size for one in manifest.blobs},
        dropped=frozenset(one.name for one in manifest.blobs if one.dropped),
        types=tuple((part.types, part.columns) for part in manifest.parts if part.kind == "rows"),
    )
