"""What is done with megabytes beside the event loop or in turns with it: their digest, and their way into a request."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["LARGE_BYTES", "Pieces", "md5"]

LARGE_BYTES: Final = 1 << 20
"""From this size on a digest is worth a thread: it takes milliseconds."""
_PIECE_BYTES: Final = 256 << 10
"""What is written at once: encrypting 4 MiB would hold up the loop for milliseconds."""


class Pieces:
    """The body of a request: read without a copy, a piece whenever there is room, and from its start each time."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        for start in range(0, len(self._content), _PIECE_BYTES):
            yield self._content[start : start + _PIECE_BYTES]


async def md5(content: bytes) -> bytes:
    """The digest that Azure stores and compares; no secret depends on it."""
    if len(content) >= LARGE_BYTES:
        return await asyncio.to_thread(_md5_now, content)
    return _md5_now(content)


def _md5_now(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()
