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
    if str.isascii(texts[0]) or _read(texts[:1])[1]:  # the first one usually says what the others are
        count, ascii_count = len(texts), sum(map(str.isascii, texts))  # raises TypeError for what is not text
        size = sum(map(str.__sizeof__, texts))
        if ascii_count == count:
            return size - _ASCII_BYTES * count
        length = sum(map(len, texts))
        # No text takes less memory than this, so the sum says it of each.
        if size == length + _ASCII_BYTES * ascii_count + _NARROW_BYTES * (count - ascii_count):
            return 2 * length
    size, unread = _read(texts)
    return size + max(sum(map(len, map(str.encode, unread))), _kept_bytes(unread))


def _read(texts: Sequence[str]) -> tuple[int, list[str]]:
    """The size of texts that need not be read, and the others.

    Not text in ASCII, and not text of which Python keeps the UTF-8, too: it does once something asks for it, and a lone
    surrogate has none. The UTF-8 takes one byte for its end, and of Latin-1 more bytes than the text has characters, to
    twice as many; of characters of two bytes to three times as many. So the text takes more memory than two bytes for
    each character, but less than with the wide characters that an old library may have made Python keep. Text with
    characters of four bytes takes as much without its UTF-8 in one case, and is read then.
    """
    size = length = 0
    unread = []
    wide = _WIDE_BYTES
    for text in texts:  # a call in C for each question takes longer than one loop
        if type(text) is str:
            count = len(text)
            more = text.__sizeof__() - count - count
            if wide < more <= count + wide or _is_wide_with_utf8(count, more - wide):
                size += more
                length += count
                continue
            if text.isascii():
                size += _ASCII_BYTES - count
                length += count
                continue
        unread.append(text)
    return size + 2 * length - _ASCII_BYTES * (len(texts) - len(unread)), unread


def _is_wide_with_utf8(length: int, more: int) -> bool:
    return length < more <= 3 * length + 1 and more != 2 * length + 2


def _kept_bytes(texts: Sequence[str]) -> int:
    """The memory of texts, of which a character may take two or four bytes where UTF-8 takes one."""
    return sum(map(str.__sizeof__, texts)) - _ASCII_BYTES * len(texts)
