"""Bounded decompression: a compressed request is decompressed here, up to a limit, and never by gRPC.

gRPC would decompress a message before our code runs: old versions without a limit, newer ones up to the limit. Both
answer larger messages with a bare RESOURCE_EXHAUSTED, which our metrics and logs would not show. So the server asks for
messages as they were sent (`grpc.per_message_decompression` 0). gRPC does not report the compression then, and need
not: gzip begins with 1F 8B (RFC 1952 section 2.3.1), and 1F would be a Protocol Buffers tag of wire type 7, which does
not exist; the first byte of zlib data (78, RFC 1950 section 2.2) would be the varint field 15, which OTLP does not
have.

Most requests are decompressed in one step, in place. Larger ones, and every decompression bomb, are sent to a pool of
`_LARGE_AT_ONCE` threads: zlib releases the GIL there, so that other calls continue, and the number of bombs in memory
is limited. Queued requests hold only their compressed bytes. Each wait is bounded, because each decompression ends at
the limit.
"""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from ..exceptions import TooLargeError, UndecodableError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["counted", "decompress", "decompress_now", "decompress_small", "is_compressed"]

_GZIP: Final = b"\x1f\x8b"
_ZLIB: Final = b"\x78"
_EITHER: Final = 32 + zlib.MAX_WBITS
"""zlib: "automatically accept either the zlib or gzip format"."""
_STEP_BYTES: Final = 1 << 20
"""Decompressed in place, about 3 ms; also the size of a step in larger requests."""
_LARGE_AT_ONCE: Final = 2
"""Each thread holds at most one message of the maximum size; with two, a bomb does not delay a large valid request."""

_large_requests = ThreadPoolExecutor(_LARGE_AT_ONCE, "decompression")


def is_compressed(message: bytes, known: bool | None = None) -> bool:
    """Whether `message` is gzip or zlib data and not a Protocol Buffers message of OTLP; as `known` says if it does."""
    return message.startswith((_GZIP, _ZLIB)) if known is None else known


def decompress_small(message: bytes, limit: int, known: bool | None = None) -> bytes | None:
    """The content of a `message`, if it is not compressed or takes one step; None where `decompress` is needed.

    Args:
        message: the message.
        limit: most bytes of the content of a compressed one.
        known: whether it is compressed; None: its first bytes decide.

    Raises:
        TooLargeError: the content has more than `limit` bytes.
        UndecodableError: the data is damaged or cut off.
    """
    if not is_compressed(message, known):
        return message
    decompressor = zlib.decompressobj(wbits=_EITHER)
    content = _step(decompressor, message, message)
    if not decompressor.eof:
        return None
    _check(decompressor, len(content), message, limit)
    return content


async def decompress(message: bytes, limit: int) -> bytes:
    """The content of a compressed `message` of any size.

    Raises:
        TooLargeError: the content has more than `limit` bytes.
        UndecodableError: the data is damaged or cut off.
    """
    content = decompress_small(message, limit, known=True)
    if content is not None:
        return content
    return await asyncio.get_running_loop().run_in_executor(_large_requests, _decompress_large, message, limit)


def _decompress_large(message: bytes, limit: int) -> bytes:
    """Decompress twice: first only to count, so that a bomb uses no more memory than one step, then into memory."""
    counting = counted(message, limit)
    while True:
        try:
            next(counting)
        except StopIteration as end:
            return decompress_now(message, end.value)


def counted(message: bytes, limit: int) -> Generator[None, None, int]:
    """Count the bytes of the content of a compressed `message`; yields after each step.

    Raises:
        TooLargeError: the content has more than `limit` bytes.
        UndecodableError: the data is damaged or cut off.
    """
    decompressor = zlib.decompressobj(wbits=_EITHER)
    size = len(_step(decompressor, message, message))
    while not decompressor.eof and size <= limit:
        yield
        size += len(_step(decompressor, decompressor.unconsumed_tail, message))
    _check(decompressor, size, message, limit)
    return size


def decompress_now(message: bytes, size: int) -> bytes:
    """The content of a compressed `message`, which has `size` bytes."""
    return zlib.decompress(message, wbits=_EITHER, bufsize=size)


def _check(decompressor: zlib._Decompress, size: int, message: bytes, limit: int) -> None:
    """Raise if there are more than `limit` bytes, or bytes after the end."""
    if size > limit:
        raise TooLargeError(
            f"expected a request of at most {limit} bytes, got {len(message)} compressed bytes that hold more; "
            "let the sender send smaller batches"
        )
    if decompressor.unused_data:
        raise _damaged(message, f"{len(decompressor.unused_data)} bytes after the end")


def _step(decompressor: zlib._Decompress, compressed: bytes, message: bytes) -> bytes:
    try:
        part = decompressor.decompress(compressed, _STEP_BYTES)
    except zlib.error as error:
        raise _damaged(message, str(error)) from None
    if len(part) < _STEP_BYTES and not decompressor.eof:
        raise _damaged(message, "the end is missing")
    return part


def _damaged(message: bytes, defect: str) -> UndecodableError:
    return UndecodableError(
        f"undecodable compression: expected whole gzip or zlib data, got {len(message)} bytes with this defect: "
        f"{defect}; correct the sender"
    )
