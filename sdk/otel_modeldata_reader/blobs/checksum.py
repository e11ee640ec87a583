"""The bytes of a blob as a manifest names them: how many, and their digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from .byte_ranges import ByteRange

if TYPE_CHECKING:
    from .store_access import StoreAccess

__all__ = ["BlobChecksum", "checksum_of"]


class BlobChecksum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first bytes of a blob; it may have grown since.

    Attributes:
        name: of the blob, relative to the store.
        size: how many bytes.
        sha256: their digest, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


def checksum_of(store: StoreAccess, name: str, size: int) -> BlobChecksum:
    """The checksum of the first `size` bytes of a blob, which are read now, a few megabytes at a time.

    Raises:
        StoreUnavailableError: they cannot be read.
    """
    digest = hashlib.sha256()
    for piece in store.pieces([ByteRange(name, 0, size)]):
        digest.update(piece.content)
    return BlobChecksum(name=name, size=size, sha256=digest.hexdigest())
