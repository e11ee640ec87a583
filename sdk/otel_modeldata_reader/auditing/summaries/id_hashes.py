"""Hashes of texts that are the same in every process, many texts at a time.

A hash has 64 bits. Python's own `hash` differs from process to process, and a digest of each text alone takes longer
than to decode its line. The chance that two of n texts share a hash is n^2 / 2^65. The hash is not keyed: whoever
chooses ids can choose two that share one, and with that make an event of its own account a duplicate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["hash_of", "hashes_of", "hashes_of_rows", "in_space"]

_WORD: Final = 8
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
"""The constants of splitmix64."""


def hashes_of(texts: Sequence[str]) -> NDArray[np.int64]:
    """The hash of each text."""
    if not texts:
        return np.empty(0, np.int64)
    joined = "".join(texts)
    length = len(texts[0])
    if (
        joined.isascii()
        and length
        and len(joined) == length * len(texts)
        and list(map(len, texts)).count(length) == len(texts)
    ):
        return hashes_of_rows(np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), length))
    encoded = [text.encode(errors="surrogatepass") for text in texts]
    lengths = np.array([len(one) for one in encoded], np.uint64)
    words = np.array([max(1, (len(one) - 1).bit_length()) for one in encoded])
    hashes = np.empty(len(texts), np.int64)
    for size in sorted(set(words.tolist())):  # one round for texts of up to 8, 16, 32, ... bytes
        places = np.flatnonzero(words == size)
        width = max(_WORD, 1 << size)
        padded = np.frombuffer(b"".join([encoded[place].ljust(width, b"\0") for place in places.tolist()]), np.uint8)
        hashes[places] = _mixed(padded.reshape(len(places), width), lengths[places])
    return hashes


def hashes_of_rows(texts: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The hash of each text in UTF-8; all have the same length, and each is a row."""
    count, length = texts.shape
    padded = np.zeros((count, -(-length // _WORD) * _WORD), np.uint8)
    padded[:, :length] = texts
    return _mixed(padded, np.full(count, length, np.uint64))


def hash_of(text: str) -> int:
    """The hash of one text."""
    return int(hashes_of([text])[0])


def in_space(hashes: NDArray[np.int64], spaces: NDArray[np.int64]) -> NDArray[np.int64]:
    """The hashes of ids, each of its space or all of one; those of the same id in another space are others."""
    return _finished(hashes.view(np.uint64) * _STEP + spaces.view(np.uint64))


def _mixed(padded: NDArray[np.uint8], lengths: NDArray[np.uint64]) -> NDArray[np.int64]:
    """A sum over the words of each row, each word mixed by its place; a word of zeros adds nothing."""
    words = padded.view("<u8")
    places = np.arange(1, words.shape[1] + 1, dtype=np.uint64) * _STEP | np.uint64(1)
    mixed = words * places
    mixed ^= mixed >> np.uint64(32)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(29)
    return _finished(mixed.sum(axis=1, dtype=np.uint64) + lengths * _SECOND)


def _finished(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return (values ^ (values >> np.uint64(31))).view(np.int64)
