"""Cuts the blobs of a store into segments of lines that are summarized alone, each by any process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from .blob_blocks import BlobRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Segment", "folder_of", "segments", "whole"]

_SEGMENT_BYTES: Final = 64 << 20
"""A process keeps 8 bytes of each of their lines; the smaller, the more often a duplicate is in another segment."""
_MOST_BLOBS: Final = 1000


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Lines that follow each other, of one deployment.

    Attributes:
        ranges: where they are.
    """

    ranges: tuple[BlobRange, ...]

    @property
    def size(self) -> int:
        """Bytes of the lines, more or less: a line is in the range in which it begins."""
        return sum(one.end - one.start for one in self.ranges)


def segments(ranges: Iterable[BlobRange], *, by_folder: bool = False) -> Iterator[Segment]:
    """Cut ranges of blobs into segments.

    Args:
        ranges: in the order of the names of blobs; each begins and ends with a whole line.
        by_folder: whether no segment may have lines of two folders.
    """
    found: list[BlobRange] = []
    place, size = "", 0
    for one in _pieces(ranges):
        folder = folder_of(one.blob)
        here = folder if by_folder else _deployment_of(folder)
        is_full = size + one.end - one.start > _SEGMENT_BYTES or len(found) == _MOST_BLOBS
        if found and (here != place or is_full):
            yield Segment(tuple(found))
            found, size = [], 0
        found.append(one)
        place = here
        size += one.end - one.start
    if found:
        yield Segment(tuple(found))


def whole(name: str, size: int) -> BlobRange:
    """All lines of a blob."""
    return BlobRange(name, 0, size, size)


def folder_of(blob: str) -> str:
    """The folder of a blob."""
    return blob.rpartition("/")[0]


def _pieces(ranges: Iterable[BlobRange]) -> Iterator[BlobRange]:
    for one in ranges:
        for start in range(one.start, one.end, _SEGMENT_BYTES):
            end = min(start + _SEGMENT_BYTES, one.end)
            yield BlobRange(one.blob, start, end, one.size, one.is_line and start == one.start)


def _deployment_of(folder: str) -> str:
    parts = folder.split("/")
    return "/".join(parts[:2]) if len(parts) > 3 else folder
