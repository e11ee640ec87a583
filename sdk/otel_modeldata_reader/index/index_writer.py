"""Makes files of the index from the lines that a scan reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..blobs.byte_ranges import ByteRange
from .index_file import MOST_RANGES, entry_type, place_of, written
from .line_ids import hash_of, ids_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["IndexWriter"]

ENTRIES: Final = 1 << 20
"""In one file: 20 MB, and four times as much memory while it is made."""
_MOST_OF_BLOB: Final = 1 << 23
"""Entries of a blob that is removed, all of which are in one file; one with more is not in the index."""
_LAST_LINE: Final = (1 << 32) - 1
_LINE_FEED: Final = 10


class IndexWriter:
    """Gathers the ids of whole lines; lines of a blob are added in their order.

    Args:
        entries: how many entries a file has before the next one is begun; `ENTRIES` when missing.
    """

    def __init__(self, entries: int | None = None) -> None:
        self._most = entries or ENTRIES
        self._ranges: list[ByteRange] = []
        self._parts: list[Any] = []
        self._count = 0

    def add(self, blob: str, start: int, first: int, content: bytes, *, in_rows: bool) -> Iterator[tuple[str, bytes]]:
        """Add lines, and return the file that is complete then, as name and content.

        Args:
            blob: their blob.
            start: position of the first one.
            first: its number.
            content: whole lines.
            in_rows: whether their rows may name ids.
        """
        import numpy as np  # noqa: PLC0415 (only where an index is written)

        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == _LINE_FEED)
        if not len(ends) or first + len(ends) > _LAST_LINE:
            return
        ids = ids_of(content, len(ends), in_rows=in_rows)
        counts = np.fromiter(map(len, ids), np.int64, len(ids))
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1)).astype(np.uint64)
        entries = np.empty(int(counts.sum()), entry_type())
        entries["hash"] = np.frombuffer(b"".join(hash_of(text) for texts in ids for text in texts), "<u8")
        entries["place"] = np.repeat(place_of(self._range(blob, start, start + len(content)), starts + start), counts)
        entries["line"] = np.repeat(np.arange(first, first + len(ids), dtype=np.uint32), counts)
        self._parts.append(entries)
        self._count += len(entries)
        if self._count >= self._most or len(self._ranges) >= MOST_RANGES:
            yield from self.finish()

    def add_blob(self, blob: str, size: int, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, bytes]]:
        """Add a whole blob of which only its lines are known, without their positions.

        In the place of a position its entries have the number of the line before. Such a blob is removed, and its lines
        are found by their numbers.

        Args:
            blob: its name.
            size: bytes that it had.
            lines: the number of each line that has an id, and that id.
        """
        import numpy as np  # noqa: PLC0415 (see above)

        found = [(number, hash_of(text)) for number, text in lines if 0 < number <= min(size, _LAST_LINE)]
        if size <= 0 or len(found) > _MOST_OF_BLOB:
            return
        entries = np.empty(len(found), entry_type())
        numbers = np.fromiter((number for number, _ in found), np.uint64, len(found))
        entries["hash"] = np.frombuffer(b"".join(text for _, text in found), "<u8")
        entries["place"] = place_of(self._range(blob, 0, size), numbers - np.uint64(1))
        entries["line"] = numbers
        self._parts.append(entries)
        self._count += len(entries)
        if self._count >= self._most or len(self._ranges) >= MOST_RANGES:
            yield from self.finish()

    def finish(self) -> Iterator[tuple[str, bytes]]:
        """The last file, if there are lines that are in none yet."""
        import numpy as np  # noqa: PLC0415 (see above)

        if self._ranges:
            yield written(self._ranges, np.concatenate(self._parts))
        self._ranges, self._parts, self._count = [], [], 0

    def _range(self, blob: str, start: int, end: int) -> int:
        """The number of the range of some lines, which begins or continues here."""
        if self._ranges and self._ranges[-1][0] == blob and self._ranges[-1][2] == start:
            self._ranges[-1] = ByteRange(blob, self._ranges[-1].start, end)
        else:
            self._ranges.append(ByteRange(blob, start, end))
        return len(self._ranges) - 1
