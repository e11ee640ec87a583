"""gzip without trust: a compressed request is unpacked here, up to a limit, and never by gRPC.

gRPC would unpack a message before anybody is asked: old versions without any limit, newer ones up to the limit, and
both answer what is above it with a bare RESOURCE_EXHAUSTED, outside of our metrics and log. So the server asks for
messages as they came (`grpc.per_message_decompression` 0). gRPC does not tell how they were packed, but it need not:
gzip begins with 1F 8B (RFC 1952 section 2.3.1), and 1F would be a Protocol Buffers tag of wire type 7, which does not
exist; deflate's first byte (78, RFC 1950 section 2.2) would be the varint field 15, which OTLP does not have.

Most requests unpack in one step, on the spot. What is larger, and every bomb, goes to `_LARGE_AT_ONCE` threads of its
own: zlib works without the interpreter's lock there, so that other calls go on, and however many bombs come at a time
only so many are in memory. Who waits for a thread holds its packed message and nothing else, and waits no longer than
those before it take: each ends at the limit.
"""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ..exceptions import TooLargeError, UndecodableError

__all__ = ["is_compressed", "unpacked"]

_GZIP: Final = b"\x1f\x8b"
_ZLIB: Final = b"\x78"
_EITHER: Final = 32 + zlib.MAX_WBITS
"""zlib: "automatically accept either the zlib or gzip format"."""
_STEP_BYTES: Final = 4 << 20
"""Unpacked on the spot, about 10 ms, and counted at a time in what is larger."""
_LARGE_AT_ONCE: Final = 2
"""Each holds at most one message of the limit; a second one keeps a bomb from delaying a large honest request."""

_large_ones = ThreadPoolExecutor(_LARGE_AT_ONCE, "unpacking")


def is_compressed(message: bytes) -> bool:
    """Whether `message` is gzip or zlib data and not a Protocol Buffers message of OTLP."""
    return message.startswith((_GZIP, _ZLIB))


async def unpacked(message: bytes, limit: int) -> bytes:
    """The content of a compressed `message`.

    Raises:
        TooLargeError: the content has more than `limit` bytes.
        UndecodableError: the data is damaged or cut off.
    """
    unpacker = zlib.decompressobj(wbits=_EITHER)
    content = _step(unpacker, message, message)
    if not unpacker.eof:
        del content  # nothing is held while others are unpacked
        return await asyncio.get_running_loop().run_in_executor(_large_ones, _unpacked_large, message, limit)
    _check(unpacker, len(content), message, limit)
    return content


def _unpacked_large(message: bytes, limit: int) -> bytes:
    """Unpack twice: first to count and forget, so that a bomb takes no more than a step, then into what it needs."""
    unpacker = zlib.decompressobj(wbits=_EITHER)
    size = len(_step(unpacker, message, message))
    while not unpacker.eof and size <= limit:
        size += len(_step(unpacker, unpacker.unconsumed_tail, message))
    _check(unpacker, size, message, limit)
    return zlib.decompress(message, wbits=_EITHER, bufsize=size)


def _check(unpacker: zlib._Decompress, size: int, message: bytes, limit: int) -> None:
    """Raise if there is more than `limit` bytes, or something behind the end."""
    if size > limit:
        raise TooLargeError(
            f"expected a request of at most {limit} bytes, got {len(message)} compressed ones that hold more; "
            "let the sender cut smaller batches"
        )
    if unpacker.unused_data:
        raise _damaged(message, f"{len(unpacker.unused_data)} bytes behind the end")


def _step(unpacker: zlib._Decompress, packed: bytes, message: bytes) -> bytes:
    try:
        part = unpacker.decompress(packed, _STEP_BYTES)
    except zlib.error as error:
        raise _damaged(message, str(error)) from None
    if len(part) < _STEP_BYTES and not unpacker.eof:
        raise _damaged(message, "the end is missing")
    return part


def _damaged(message: bytes, found: str) -> UndecodableError:
    return UndecodableError(
        f"undecodable compression: expected whole gzip or zlib data, got {len(message)} bytes with this defect: "
        f"{found}; correct the sender"
    )
