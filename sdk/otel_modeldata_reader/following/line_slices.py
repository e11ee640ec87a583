"""Parts of blobs, each some whole lines, as a store that a `Reading` reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..blobs.byte_ranges import ByteRange
from ..blobs.store_access import Piece, StoreAccess
from ..reading import Reading, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.listing import CollectionBlobs
    from ..window import Window

__all__ = ["LineSlices", "reading_of"]


@dataclass(frozen=True, slots=True)
class LineSlices:
    """Lines of the blobs of one collection.

    Attributes:
        contents: some whole lines of each blob, by its name.
    """

    contents: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Bytes in all of them."""
        return sum(map(len, self.contents.values()))


def reading_of(store: StoreAccess, found: CollectionBlobs, window: Window, slices: LineSlices) -> Reading:
    """A reading of some lines.

    Args:
        store: has the payloads that are not in the lines.
        found: the listing in which the blobs are.
        window: only events of this window.
        slices: the lines.
    """
    blobs = tuple(
        replace(blob, size=len(slices.contents[blob.name])) for blob in found.blobs if blob.name in slices.contents
    )
    collection = replace(found, blobs=blobs, compacted={})
    return Reading(_SlicedStore(store, slices), Request(collection=collection, window=window))


class _SlicedStore(StoreAccess):
    """A store whose blobs have only the lines of some slices."""

    def __init__(self, store: StoreAccess, slices: LineSlices) -> None:  # nothing is opened
        self._whole = store
        self._slices = slices
        self.shown = store.shown

    def walk(self, folder: str = "") -> Sequence[StoredObject]:  # noqa: ARG002 (as `StoreAccess.walk`)
        """Nothing: quarantine and parked lines are no part of these lines."""
        return ()

    def read(self, name: str, size: int) -> bytes:
        """A payload."""
        return self._whole.read(name, size)

    def pieces(self, blobs: Iterable[StoredObject | ByteRange]) -> Iterator[Piece]:
        """The lines of each blob at once."""
        for blob in blobs:
            name = blob.blob if isinstance(blob, ByteRange) else blob.name
            yield Piece(name, 0, self._slices.contents[name], True)

    def close(self) -> None:
        """Nothing: the store is its owner's."""
