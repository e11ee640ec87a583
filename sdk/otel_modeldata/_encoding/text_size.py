"""The size of texts, known while `collect` runs, with the refusal of those that have no UTF-8."""

from __future__ import annotations

import decimal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["category_bytes", "text_bytes"]

_LONG: Final = 512
"""Characters of a text. To join shorter ones takes less time than to ask each for its size."""
_ESTIMATED: Final = 2**20
"""Characters of short texts of Latin-1 that count twice: to encode them takes longer than anything else that is done
with them. With more, the difference might have a frame encoded at once."""
_ASCII_BYTES: Final = sys.getsizeof("")
"""What Python takes for a text beside its characters, if all of them are ASCII."""
_NARROW_BYTES: Final = sys.getsizeof(" ".join("éé")) - len("é é")
"""The same for other text with characters of one byte: Latin-1, which has no surrogates, and takes at most two bytes a
character in UTF-8."""
_WIDE_BYTES: Final = _NARROW_BYTES + 1
"""The same for text with characters of two bytes; with those of four it is two bytes more."""


def text_bytes(texts: Sequence[str]) -> int:
    """At least the bytes of all text as UTF-8, and of what Python keeps of it; exact for ASCII.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
        TypeError: not all of them are text.
    """
    if texts and len(texts[0]) > _LONG:
        return _long_text_bytes(texts)
    joined = "".join(texts)
    if joined.isascii():
        return len(joined)
    is_narrow = sys.getsizeof(joined) <= _NARROW_BYTES + len(joined)
    if is_narrow and len(joined) <= _ESTIMATED:
        return 2 * len(joined)
    size = len(joined.encode())
    return size if is_narrow else max(size, _kept_bytes(texts))


def category_bytes(category: object) -> int:
    """Bytes of a category beside its code."""
    if type(category) is str:
        return len(category.encode())
    return sys.getsizeof(category) if type(category) is decimal.Decimal else 0


def _long_text_bytes(texts: Sequence[str]) -> int:
    """The same without a copy where the way in which Python keeps a text says enough.

    Each text is in a place of memory of its own, so they are asked as few questions as possible.
    """
    count, ascii_count = len(texts), sum(map(str.isascii, texts))  # raises TypeError for what is not text
    size = sum(map(str.__sizeof__, texts))
    kept = size - _ASCII_BYTES * count
    if ascii_count == count:
        return kept
    length = sum(map(len, texts))
    # No text takes less memory than this, so the sum says it of each.
    if size == length + _ASCII_BYTES * ascii_count + _NARROW_BYTES * (count - ascii_count):
        return 2 * length
    unread = _unread(texts)
    return kept + max(0, sum(map(len, map(str.encode, unread))) - _kept_bytes(unread))


def _unread(texts: Sequence[str]) -> list[str]:
    """Texts that are not ASCII, and of which Python does not keep the UTF-8, too: it does once something asks for it.

    The UTF-8 of a text of Latin-1 takes one byte more than it has characters, to twice as many, and one for its end. So
    the text takes more memory than one with characters of two bytes, and less than one with characters of four.
    """
    return [
        text
        for text, size, length in zip(texts, map(str.__sizeof__, texts), map(len, texts), strict=True)
        if not (0 < size - 2 * length - _WIDE_BYTES <= length and type(text) is str) and not text.isascii()
    ]


def _kept_bytes(texts: Sequence[str]) -> int:
    """The memory of texts, of which a character may take two or four bytes where UTF-8 takes one."""
    return sum(map(str.__sizeof__, texts)) - _ASCII_BYTES * len(texts)
