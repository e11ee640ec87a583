"""An object of a store as a file that can be read at any position, as the reader of Parquet wants it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ..blobs.byte_ranges import ByteRange

if TYPE_CHECKING:
    from ..blobs.store_access import StoreAccess

__all__ = ["BlobFile"]


class BlobFile(io.RawIOBase):
    """See above.

    Args:
        store: has the object.
        name: of the object.
        size: its bytes.
    """

    def __init__(self, store: StoreAccess, name: str, size: int) -> None:
        super().__init__()
        self._store = store
        self._name = name
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes; one request.

        Raises:
            StoreUnavailableError: they cannot be read.
        """
        end = self._size if size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        (content,) = self._store.read_ranges([ByteRange(self._name, self._at, end)])
        self._at += len(content)
        return content

    def readall(self) -> bytes:
        """See `io.RawIOBase`."""
        return self.read()
