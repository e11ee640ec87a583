"""How long the lines of a collection are, by the beginning of one blob: line feeds are counted, no line is parsed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.blobs.byte_ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.blobs.store_access import StoreAccess

__all__ = ["LineSamples"]

_SAMPLE_BYTES: Final = 64 << 10


class LineSamples:
    """Takes one sample of each collection.

    Args:
        store: has them.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._sizes: dict[str, float] = {}

    def line_bytes(self, root: str) -> float | None:
        """Bytes of a line of a collection, on average; None without a sample."""
        with self._lock:
            return self._sizes.get(root)

    def take(self, collections: Iterable[CollectionBlobs]) -> list[str]:
        """Read the beginning of the newest blob of each collection that has no sample; return which have one now.

        Raises:
            StoreUnavailableError: one cannot be read.
        """
        wanted = []
        for one in collections:
            newest = next((blob for blob in reversed(one.blobs) if blob.size), None)
            if newest is not None and self.line_bytes(one.root) is None:
                wanted.append((one.root, ByteRange(newest.name, 0, min(newest.size, _SAMPLE_BYTES))))
        if not wanted:
            return []
        contents = self._store.read_ranges(part for _, part in wanted)
        sizes = {
            root: (content.rfind(b"\n") + 1) / lines if (lines := content.count(b"\n")) else float(part.size)
            for (root, part), content in zip(wanted, contents, strict=True)
        }
        with self._lock:
            self._sizes |= sizes
        return list(sizes)
