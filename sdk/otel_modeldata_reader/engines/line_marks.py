"""What a pass over blobs notes for partitions: where lines begin, and which lines repeat an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..lines.tally import Tally
from .partition import LineRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import Piece, StoreAccess
    from ..report import Place

__all__ = ["LineMarks", "RepeatTally"]


@dataclass(slots=True)
class LineMarks:
    """Passes the bytes of blobs on, and notes where lines begin.

    Attributes:
        store: has the blobs.
        ends: for each blob positions after a line, each with the number of lines before it.
    """

    store: StoreAccess
    ends: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def read(self, name: str, size: int) -> bytes:
        """See `StoreAccess.read`."""
        return self.store.read(name, size)

    def pieces(self, blobs: Iterable[StoredObject]) -> Iterator[Piece]:
        """See `StoreAccess.pieces`."""
        lines = 0
        for piece in self.store.pieces(blobs):
            if piece.start == 0:
                lines = 0
            end = piece.content.rfind(b"\n") + 1
            lines += piece.content.count(b"\n")
            if end:
                self.ends.setdefault(piece.blob, []).append((piece.start + end, lines))
            yield piece

    def lines(self, blob: str) -> int:
        """The number of line feeds in a blob."""
        ends = self.ends.get(blob)
        return ends[-1][1] if ends else 0

    def ranges(self, blob: StoredObject, repeated: Sequence[int], size: int) -> Iterator[LineRange]:
        """A blob in ranges of about `size` bytes, each of whole lines; the last one may end with a torn line.

        Args:
            blob: its name and size.
            repeated: numbers of lines that are left out.
            size: bytes of a range.
        """
        start, before = 0, 0
        ends = [*self.ends.get(blob.name, ()), (blob.size, self.lines(blob.name) + 1)]
        for index, (end, lines) in enumerate(ends):
            is_last = index == len(ends) - 1
            if end == start or (not is_last and end - start < size):
                continue
            own = frozenset(one for one in repeated if before < one <= lines)
            yield LineRange(blob=blob.name, start=start, end=end, before=before, repeated=own)
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
