"""Large contents: the body of a request in chunks, and a digest."""

from __future__ import annotations

import hashlib
import os

import pytest

from otel_modeldata_receiver.storage.chunked_body import LARGE_BYTES, ChunkedBody, md5

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("size", [0, 1, 256 << 10, (4 << 20) - 1])
async def test_a_body_can_be_sent_again_from_its_start(size: int) -> None:
    """As the client library does when a token has expired."""
    content = os.urandom(size)
    body = ChunkedBody(content)
    assert [b"".join([chunk async for chunk in body]) for _ in range(2)] == [content, content]


@pytest.mark.parametrize("size", [0, LARGE_BYTES - 1, LARGE_BYTES])
async def test_a_digest_is_that_of_the_whole_content(size: int) -> None:
    content = os.urandom(size)
    assert await md5(content) == hashlib.md5(content, usedforsecurity=False).digest()
