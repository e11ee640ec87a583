"""Ranges of bytes of blobs, and what is left of a blob when some ranges of it are known already."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ByteRange", "without"]


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
