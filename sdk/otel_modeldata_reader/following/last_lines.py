"""The last lines of a collection, searched from the ends of its latest blobs on backwards."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from ..blobs.listing import date_of
from .growth import read_range, whole_end
from .line_slices import LineSlices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess

__all__ = ["LastLines", "last_lines"]

_FIRST_BYTES: Final = 64 << 10
_FACTOR: Final = 8
_MOST_BYTES: Final = 64 << 20
"""In all; who wants more of the past reads it."""


class LastLines(NamedTuple):
    """The last lines of the blobs of one folder.

    Attributes:
        slices: these lines.
        is_final: whether the next ones are of an earlier folder; else they are more lines of this one.
    """

    slices: LineSlices
    is_final: bool


def last_lines(store: StoreAccess, blobs: Sequence[StoredObject]) -> Iterator[LastLines]:
    """The last lines of the latest folder, then more of them until all are there, then those of the folder before.

    Args:
        store: has the blobs.
        blobs: in the order of their folders.

    Raises:
        StoreUnavailableError: a blob cannot be read.
    """
    left = _MOST_BYTES
    for _, folder in groupby(reversed(blobs), key=lambda blob: date_of(blob.name)):
        together = sorted(folder, key=lambda blob: blob.name)
        size, depth = 0, _FIRST_BYTES
        while True:
            found = LineSlices({blob.name: _end_of(store, blob, depth) for blob in together})
            size = sum(min(blob.size, depth) for blob in together)
            deeper = sum(min(blob.size, depth * _FACTOR) for blob in together)
            is_final = deeper == size or deeper > left
            yield LastLines(found, is_final)
            if is_final:
                break
            depth *= _FACTOR
        left -= size
        if left <= 0:
            return


def _end_of(store: StoreAccess, blob: StoredObject, depth: int) -> bytes:
    """The whole lines among the last bytes of a blob."""
    start = max(0, blob.size - depth)
    content = read_range(store, blob.name, start, blob.size)
    first = content.find(b"\n") + 1 if start else 0
    if start and not first:
        return b""  # in the middle of a line
    return content[first : first + whole_end(content[first:], is_end=True)]
