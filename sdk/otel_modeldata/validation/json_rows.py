"""Whether a text is JSON rows, an array of objects, checked piece by piece.

A decoder holds the interpreter's lock until it has read a text. So large texts are checked piece by piece: if `[a]` and
`[b]` are arrays of objects, then `[a,b]` is one. Objects in cells may look like the ends of rows; a receiver refuses
such a text if it has very many objects, and `collect` refuses its frame.
"""

from __future__ import annotations

import re
import sys
from typing import Final

import msgspec

__all__ = [
    "MOST_OBJECTS",
    "ONE_PIECE_BYTES",
    "PIECE_BYTES",
    "SEARCHED_BYTES",
    "are_rows_in_pieces",
    "rows_decoder",
    "rows_in_pieces",
]

MOST_OBJECTS: Final = 1_000_000
"""Objects in a text that cannot be checked piece by piece."""
PIECE_BYTES: Final = 256 * 1024
ONE_PIECE_BYTES: Final = 2 * PIECE_BYTES
"""A text that is checked at once."""
SEARCHED_BYTES: Final = 64 * 1024
"""Of a piece's end, in which a row must end."""
_WHITE_SPACE: Final = b" \t\n\r"
"""That of JSON (RFC 8259 section 2): Python strips more."""
_BETWEEN_ROWS: Final = re.compile(rb"\}[ \t\r\n]{0,64},[ \t\r\n]{0,64}(?=\{)")


class _Row(msgspec.Struct, gc=False):
    """Any JSON object: unknown fields are checked for syntax and skipped, in a third of the time of parsing.

    A text may have an object in every third byte; without the garbage collector, that takes half as long.
    """


rows_decoder: Final = msgspec.json.Decoder(list[_Row])


def are_rows_in_pieces(text: bytes | bytearray) -> bool:
    """Whether the pieces of `text` are arrays of objects; False where that is not known."""
    try:
        return rows_in_pieces(text, piece_bytes=PIECE_BYTES) is not None
    except (msgspec.DecodeError, RecursionError):
        return False


def rows_in_pieces(
    text: bytes | bytearray,
    begin: int = 0,
    end: int | None = None,
    *,
    piece_bytes: int,
    most: int = sys.maxsize,
) -> int | None:
    """How many objects are in the pieces of a text, of which each is an array of objects; None where that is not known.

    Args:
        text: the bytes in which it is.
        begin: where it begins.
        end: where it ends; by default at the end of `text`.
        piece_bytes: a piece has at least so many bytes, and the last one less than twice as many.
        most: None also if there are more.

    Raises:
        msgspec.DecodeError: a piece is no array of objects.
        RecursionError: it nests too deep.
    """
    end = len(text) if end is None else end
    start, count = text.find(b"[", begin, end) + 1, 0
    if not start or text[begin : start - 1].strip(_WHITE_SPACE):
        return None
    with memoryview(text) as view:
        while end - start > 2 * piece_bytes:
            search_from = start + piece_bytes
            cut = _BETWEEN_ROWS.search(text, search_from, min(end, search_from + SEARCHED_BYTES))
            if cut is None:
                return None
            count += len(rows_decoder.decode(b"".join((b"[", view[start : cut.start() + 1], b"]"))))
            if count > most:
                return None
            start = cut.end()
        count += len(rows_decoder.decode(b"".join((b"[", view[start:end]))))
    return count if count <= most else None
