"""Compressed requests: recognized, decompressed whole, and never beyond the limit."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import record, request

from otel_modeldata_receiver.exceptions import TooLargeError, UndecodableError
from otel_modeldata_receiver.ingest.compression import decompress, is_compressed

MIB = 1 << 20


def decompressed(message: bytes, limit: int = 64 * MIB) -> bytes:
    return asyncio.run(decompress(message, limit))


def gzip_of_zeros(size: int) -> bytes:
    """A decompression bomb of any size, created with little memory."""
    compressor = zlib.compressobj(9, wbits=31)
    return b"".join(compressor.compress(bytes(MIB)) for _ in range(size // MIB)) + compressor.flush()


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
@given(content=st.binary(max_size=2000))
def test_compressed_data_is_decompressed(compress: type[bytes], content: bytes) -> None:
    message = compress(content)
    assert is_compressed(message)
    assert decompressed(message) == content


def test_a_request_of_many_steps_is_decompressed_in_order_while_other_tasks_run() -> None:
    content = b"".join(number.to_bytes(8) for number in range(3 * MIB // 2))

    async def main() -> tuple[bytes, int]:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        result = await decompress(gzip.compress(content, 1), 64 * MIB)
        task.cancel()
        return result, turns

    result, turns = asyncio.run(main())
    assert result == content
    assert turns >= 2


def test_uncompressed_requests_are_not_recognized_as_compressed() -> None:
    assert not is_compressed(request(record()))
    assert not is_compressed(b"")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [MIB, 50 * MIB])
def test_a_bomb_is_refused_and_uses_no_more_memory_than_one_step(limit: int) -> None:
    bomb = gzip_of_zeros(512 * MIB)
    tracemalloc.start()
    try:
        with pytest.raises(
            TooLargeError,
            match=rf"^expected a request of at most {limit} bytes, got {len(bomb)} compressed bytes that hold more; "
            r"let",
        ):
            decompressed(bomb, limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MIB


@pytest.mark.slow
def test_at_most_two_bombs_are_in_memory() -> None:
    bomb = gzip_of_zeros(512 * MIB)

    async def main() -> list[object]:
        return await asyncio.gather(*(decompress(bomb, 24 * MIB) for _ in range(16)), return_exceptions=True)

    tracemalloc.start()
    try:
        outcomes = asyncio.run(main())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {type(one) for one in outcomes} == {TooLargeError}
    assert peak < 2 * 16 * MIB


@pytest.mark.parametrize("limit", [MIB, 4 * MIB, 8 * MIB])
def test_exactly_the_limit_is_accepted(limit: int) -> None:
    assert decompressed(gzip.compress(bytes(limit)), limit) == bytes(limit)
    with pytest.raises(TooLargeError):
        decompressed(gzip.compress(bytes(limit + 1)), limit)


COMPRESSED = gzip.compress(b"some rows of data", mtime=0)


@pytest.mark.parametrize(
    ("damaged", "defect"),
    [
        (COMPRESSED[:-1], "the end is missing"),
        (COMPRESSED[:12], "the end is missing"),
        (COMPRESSED[:-8] + bytes(8), "incorrect data check"),
        (COMPRESSED + b"more", "4 bytes after the end"),
        (b"\x1f\x8bnoise that is no gzip", "unknown compression method"),
    ],
)
def test_damaged_data_is_reported(damaged: bytes, defect: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        decompressed(damaged)
    assert str(caught.value).startswith("undecodable compression: expected whole gzip or zlib data, got ")
    assert defect in str(caught.value)
