"""The size of texts, known while `collect` runs, with the refusal of those that have no UTF-8."""

from __future__ import annotations

import decimal
import sys
from operator import le
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["category_bytes", "text_bytes"]

_LONG: Final = 64
"""Characters of a text."""
_NARROW_BYTES: Final = sys.getsizeof(" ".join("éé")) - len("é é")
"""What a text takes beside its characters if these are of one byte each, and not all ASCII."""

_ASCII_BYTES: Final = sys.getsizeof("")


def text_bytes(texts: Sequence[str]) -> int:
    """At least the bytes of all text as UTF-8, and of its characters as Python keeps them; exact for ASCII.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
        TypeError: not all of them are text.
    """
    if texts and len(texts[0]) > _LONG and set(map(type, texts)) == {str}:
        return _long_text_bytes(texts)
    joined = "".join(texts)
    if joined.isascii():
        return len(joined)
    size = len(joined.encode())
    return size if sys.getsizeof(joined) <= _NARROW_BYTES + len(joined) else max(size, _kept_bytes(texts))


def category_bytes(category: object) -> int:
    """Bytes of a category beside its code."""
    if type(category) is str:
        return len(category.encode())
    return sys.getsizeof(category) if type(category) is decimal.Decimal else 0


def _long_text_bytes(texts: Sequence[str]) -> int:
    """The same without a copy where the way in which Python keeps a text says enough."""
    lengths = list(map(len, texts))
    if all(map(str.isascii, texts)):
        return sum(lengths)
    # Python keeps each character of a text in one, two or four bytes. Those of one byte are Latin-1, which has no
    # surrogates and at most two bytes in UTF-8.
    if all(map(le, map(sys.getsizeof, texts), [_NARROW_BYTES + length for length in lengths])):
        return 2 * sum(lengths)
    return max(sum(map(len, map(str.encode, texts))), _kept_bytes(texts))


def _kept_bytes(texts: Sequence[str]) -> int:
    """The memory of texts, of which a character may take two or four bytes where UTF-8 takes one."""
    return sum(map(sys.getsizeof, texts)) - _ASCII_BYTES * len(texts)
