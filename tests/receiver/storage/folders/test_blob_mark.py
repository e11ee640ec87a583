"""A mark says how a blob must end, and how it ended at its first mark."""

from __future__ import annotations

import hashlib

import pytest

from otel_modeldata_receiver.storage.folders.blob_mark import mark


@pytest.mark.parametrize("length", [0, 1, 2046, 2047, 2048, 4094, 4095, 4096, 5000])
def test_the_digest_is_that_of_the_last_4096_bytes(length: int) -> None:
    block = bytes(number % 251 for number in range(length))
    (piece,) = mark("a.jsonl", 10_000, block).pieces
    end = block[-4096:]
    assert piece == (10_000, len(end), hashlib.blake2b(end, digest_size=16).digest())


def test_the_first_piece_is_kept() -> None:
    first = mark("a.jsonl", 3, b"abc")
    second = mark("a.jsonl", 6, b"def", first)
    third = mark("a.jsonl", 9, b"ghi", second)
    assert [piece.end for piece in third.pieces] == [3, 9]
    assert third.pieces[0] == first.pieces[0]
