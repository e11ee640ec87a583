"""What a pass over blobs notes for partitions: where lines begin, and which lines repeat an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..blobs.byte_ranges import ByteRange, LinesOfBlob
from ..lines.tally import Tally
from .partition import LineRange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import Piece, StoreAccess
    from ..report import Place

__all__ = ["LineMarks", "RepeatTally"]


@dataclass(slots=True)
class LineMarks:
    """Passes the bytes of blobs on, and notes where lines begin.

    Attributes:
        store: has the blobs.
        ends: for each range of a blob, by its name and the position of its first byte, positions after a line, each
            with the number of lines of the range before it.
    """

    store: StoreAccess
    ends: dict[tuple[str, int], list[tuple[int, int]]] = field(default_factory=dict)

    def read(self, name: str, size: int) -> bytes:
        """See `StoreAccess.read`."""
        return self.store.read(name, size)

    def read_ranges(self, ranges: Iterable[ByteRange]) -> Iterator[bytes]:
        """See `StoreAccess.read_ranges`."""
        return self.store.read_ranges(ranges)

    def is_distant(self) -> bool:
        """See `StoreAccess.is_distant`."""
        return self.store.is_distant()

    def walk(self, folder: str = "") -> Sequence[StoredObject]:
        """See `StoreAccess.walk`."""
        return self.store.walk(folder)

    def pieces(self, blobs: Iterable[StoredObject | ByteRange]) -> Iterator[Piece]:
        """See `StoreAccess.pieces`."""
        lines, start = 0, 0
        is_first = True
        for piece in self.store.pieces(blobs):
            if is_first:
                lines, start = 0, piece.start
            is_first = piece.is_last
            end = piece.content.rfind(b"\n") + 1
            lines += piece.content.count(b"\n")
            if end:
                self.ends.setdefault((piece.blob, start), []).append((piece.start + end, lines))
            yield piece

    def lines(self, blob: str) -> int:
        """The number of line feeds in a blob that was read from its beginning."""
        ends = self.ends.get((blob, 0))
        return ends[-1][1] if ends else 0

    def ranges(self, blob: StoredObject | LinesOfBlob, repeated: Collection[int], size: int) -> Iterator[LineRange]:
        """A blob, or some of its lines, in ranges of about `size` bytes, each of whole lines.

        The last one may end with a torn line.

        Args:
            blob: its name and size, or the lines.
            repeated: numbers of lines that are left out.
            size: bytes of a range.
        """
        whole = blob if isinstance(blob, LinesOfBlob) else LinesOfBlob(blob=blob.name, start=0, end=blob.size)
        start, before = whole.start, whole.before
        noted = self.ends.get((whole.blob, whole.start), [])
        last = noted[-1][1] if noted else 0
        ends = [*noted, (whole.end, last + 1)]
        for index, (end, counted) in enumerate(ends):
            lines = whole.before + counted
            is_last = index == len(ends) - 1
            if end == start or (not is_last and end - start < size):
                continue
            own = frozenset(one for one in repeated if before < one <= lines)
            yield LineRange(blob=whole.blob, start=start, end=end, before=before, repeated=own)
            start, before = end, lines


class RepeatTally(Tally):
    """Counts, and notes which lines repeat an event.

    Attributes:
        repeated: the numbers of these lines by blob.
        rows: rows so far.
    """

    def __init__(self, *, strict: bool) -> None:
        super().__init__(strict=strict)
        self.repeated: dict[str, list[int]] = {}
        self.rows = 0

    def add(self, name: str, count: int) -> None:
        """See `Tally.add`."""
        super().add(name, count)
        if name == "rows":
            self.rows += count

    def skip(self, name: str, place: Place, reason: str) -> None:
        """See `Tally.skip`."""
        super().skip(name, place, reason)
        if name == "duplicates":
            self.repeated.setdefault(place.blob, []).append(place.line)
