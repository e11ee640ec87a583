"""Whether a text is JSON rows, an array of objects, checked piece by piece.

A decoder holds the interpreter's lock until it has read a text. So large texts are checked piece by piece: if `[a]` and
`[b]` are arrays of objects, then `[a,b]` is one. Objects in cells may look like the ends of rows; a receiver refuses
such a text if it has very many objects, and `collect` refuses its frame.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["MOST_OBJECTS", "ONE_PIECE_BYTES", "PIECE_BYTES", "SEARCHED_BYTES", "are_rows_in_pieces", "rows_decoder"]

MOST_OBJECTS: Final = 1_000_000
"""Objects in a text that cannot be checked piece by piece."""
PIECE_BYTES: Final = 256 * 1024
ONE_PIECE_BYTES: Final = 2 * PIECE_BYTES
"""A text that is checked at once."""
SEARCHED_BYTES: Final = 64 * 1024
"""Of a piece's end, in which a row must end."""
_BETWEEN_ROWS: Final = re.compile(rb"\}[ \t\r\n]{0,64},[ \t\r\n]{0,64}(?=\{)")


class _Row(msgspec.Struct, gc=False):
    """Any JSON object: unknown fields are checked for syntax and skipped, in a third of the time of parsing.

    A text may have an object in every third byte; without the garbage collector, that takes half as long.
    """


rows_decoder: Final = msgspec.json.Decoder(list[_Row])


def are_rows_in_pieces(text: bytes | bytearray) -> bool:
    """Whether the pieces of `text` are arrays of objects; False where that is not known."""
    start, end = text.find(b"[") + 1, len(text)
    if not start or text[: start - 1].strip():
        return False
    try:
        while end - start > ONE_PIECE_BYTES:
            search_from = start + PIECE_BYTES
            cut = _BETWEEN_ROWS.search(text, search_from, search_from + SEARCHED_BYTES)
            if cut is None:
                return False
            rows_decoder.decode(b"".join((b"[", text[start : cut.start() + 1], b"]")))
            start = cut.end()
        rows_decoder.decode(b"".join((b"[", text[start:])))
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
