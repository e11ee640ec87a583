"""Large contents without a blocked event loop: the body of a request in chunks, and a digest in a thread."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["LARGE_BYTES", "ChunkedBody", "md5"]

LARGE_BYTES: Final = 1 << 20
"""From this size on a digest takes milliseconds, and is computed in a thread."""
_CHUNK_BYTES: Final = 256 << 10
"""Bytes written at a time: encrypting 4 MiB at once would block the event loop for milliseconds."""


class ChunkedBody:
    """The body of a request in chunks, without a copy; each iteration begins at its start, as a resend needs it."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        for start in range(0, len(self._content), _CHUNK_BYTES):
            yield self._content[start : start + _CHUNK_BYTES]


async def md5(content: bytes) -> bytes:
    """The MD5 digest that Azure stores and compares; no security depends on it."""
    if len(content) >= LARGE_BYTES:
        return await asyncio.to_thread(_md5_now, content)
    return _md5_now(content)


def _md5_now(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()
