"""The size of texts as UTF-8, known while `collect` runs, with the refusal of those that have none."""

from __future__ import annotations

import sys
from operator import le
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["text_bytes"]

_LONG: Final = 64
"""Characters of a text."""
_NARROW_BYTES: Final = sys.getsizeof(" ".join("éé")) - len("é é")
"""What a text takes beside its characters if these are of one byte each, and not all ASCII."""


def text_bytes(texts: Sequence[str]) -> int:
    """The bytes of all text as UTF-8; at most twice as many for long text in Latin-1.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
        TypeError: not all of them are text.
    """
    if texts and len(texts[0]) > _LONG and set(map(type, texts)) == {str}:
        return _long_text_bytes(texts)
    joined = "".join(texts)
    return len(joined) if joined.isascii() else len(joined.encode())


def _long_text_bytes(texts: Sequence[str]) -> int:
    """The same without a copy where the way in which Python keeps a text says enough."""
    lengths = list(map(len, texts))
    if all(map(str.isascii, texts)):
        return sum(lengths)
    # Python keeps each character of a text in one, two or four bytes. Those of one byte are Latin-1, which has no
    # surrogates and at most two bytes in UTF-8.
    if all(map(le, map(sys.getsizeof, texts), [_NARROW_BYTES + length for length in lengths])):
        return 2 * sum(lengths)
    return sum(map(len, map(str.encode, texts)))
