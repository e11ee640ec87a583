"""Ranges of bytes of blobs, and what is left of a blob when some ranges of it are known already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ByteRange", "LinesOfBlob", "without"]


class ByteRange(NamedTuple):
    """Some bytes of a blob.

    Attributes:
        blob: name of the blob.
        start: position of the first byte.
        end: position after the last byte.
    """

    blob: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesOfBlob:
    """Some lines of a blob, up to its end as it was listed.

    Attributes:
        blob: name of the blob.
        start: position of the first byte of the first line.
        end: position after the last byte.
        before: how many lines are before them.
    """

    blob: str
    start: int
    end: int
    before: int = 0

    @property
    def name(self) -> str:
        """As a blob that was listed has it."""
        return self.blob

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.end - self.start

    @property
    def range(self) -> ByteRange:
        """The bytes."""
        return ByteRange(self.blob, self.start, self.end)


def without(whole: ByteRange, known: Iterable[ByteRange]) -> Iterator[ByteRange]:
    """The parts of a range that are in no known range of the same blob, in ascending order."""
    start = whole.start
    for one in sorted(known):
        if one.blob != whole.blob or one.end <= start:
            continue
        if one.start >= whole.end:
            break
        if one.start > start:
            yield ByteRange(whole.blob, start, one.start)
        start = one.end
    if start < whole.end:
        yield ByteRange(whole.blob, start, whole.end)
