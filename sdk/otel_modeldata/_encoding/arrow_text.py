"""Copies of text of Arrow, for `snapshot.py`.

One row is read at once, which touches less code than a copy. The text of more rows is copied, and checked for bytes
that are not UTF-8. If a frame has much text, the rest of it is shared, and what is beyond a second limit is checked
when it is encoded: Arrow's arrays are immutable, and only an array that a program made of memory of its own can have
such bytes; pandas itself cannot read it. (The check of 4 MB takes ten times as long as all the rest of `collect`.)

Needs no import of pyarrow: pandas has loaded it if it is installed.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any, Final

import numpy as np

from .kept import CHECKED_BYTES, COPIED_BYTES, FEW_ROWS, CannotKeepError, Kept
from .text_size import text_bytes

__all__ = ["NOT_UTF8", "first_damaged", "keep_array", "keep_text", "shared_lists"]

NOT_UTF8: Final = "expected text, got bytes in it that are not UTF-8: clean the text"
_USUAL: Final[Any] = getattr(sys.modules.get("pyarrow"), "LargeStringArray", None)
"""The usual text of Arrow."""
_HEAD_BYTES: Final = 80
"""Most that a text takes beside its characters."""
_AT_ONCE: Final = 1024
"""Rows that are checked in one go."""


def keep_text(values: Any, count: int, max_bytes: int, copied: int) -> Kept:
    """The text of an `ArrowStringArray`.

    Args:
        values: the array.
        count: its length.
        max_bytes: limit for it.
        copied: how many bytes of text of the same frame are copied already.

    Raises:
        CannotKeepError: it takes more than `max_bytes`.
        ValueError: text that is copied is not all UTF-8.
    """
    try:
        array = values._pa_array  # noqa: SLF001 - the public way takes several times as long
    except AttributeError:  # pandas 2.0
        array = values.__arrow_array__()
    if count == 1:
        cells = array.chunk(0).to_pylist()
        if len(cells) == 1:
            (cell,) = cells
            if cell is None:
                size = 0
            elif cell.isascii():
                size = len(cell)
            else:  # as `text_bytes`, which is for many texts
                size = max(len(cell.encode()), sys.getsizeof(cell) - _HEAD_BYTES)
            return size + 8, _cell_lists, cells
    elif array.num_chunks == 1:
        chunk = array.chunk(0)
        if type(chunk) is _USUAL:
            gaps, offsets, text = chunk.buffers()
            # An array that is a slice of another one has buffers of more rows.
            if text is not None and offsets.size == 8 * (count + 1):
                if text.size + copied > COPIED_BYTES:
                    if text.size + copied > CHECKED_BYTES:
                        return count * 8 + text.size, shared_lists, chunk
                    chunk.validate(full=True)
                    return count * 8 + text.size, _array_lists, chunk
                raw = text.to_pybytes()
                if not raw.isascii():
                    chunk.validate(full=True)  # all of it can be UTF-8, and a text end within a character
                gaps = None if gaps is None or not chunk.null_count else gaps.to_pybytes()
                return count * 8 + len(raw), _text_lists, raw, offsets.to_pybytes(), gaps
    return keep_array(array, count, max_bytes)


def _text_lists(raw: bytes, offsets: bytes, gaps: bytes | None, rows: slice) -> list[list[Any]]:
    """The bytes of all cells, where each begins, and a bit for each that is no gap."""
    ends = np.frombuffer(offsets, np.int64)[rows.start : rows.stop + 1].tolist()
    if raw.isascii():
        text = raw.decode()
        cells = [text[start:end] for start, end in pairwise(ends)]
    else:
        cells = [raw[start:end].decode() for start, end in pairwise(ends)]
    if gaps is None:
        return [cells]
    present = np.unpackbits(np.frombuffer(gaps, np.uint8), bitorder="little")[rows].tolist()
    return [[cell if there else None for cell, there in zip(cells, present, strict=False)]]


def keep_array(array: Any, count: int, max_bytes: int) -> Kept:
    """Text of any Arrow type, with slices of larger arrays, arrays in pieces, and much text."""
    size = array.nbytes
    if size <= CHECKED_BYTES and count <= FEW_ROWS:
        cells = array.to_pylist()
        texts = [cell for cell in cells if cell is not None] if array.null_count else cells
        return count * 8 + text_bytes(texts), _cell_lists, cells
    if size > max_bytes:
        raise CannotKeepError
    if size > CHECKED_BYTES and array.get_total_buffer_size() <= 2 * size:
        return size, shared_lists, array
    for chunk in getattr(array, "chunks", (array,)):
        chunk.validate(full=True)
    return size, _array_lists, _copied(array)


def _cell_lists(cells: list[Any], rows: slice) -> list[list[Any]]:
    return [cells[rows]]


def _array_lists(array: Any, rows: slice) -> list[list[Any]]:
    return [array[rows].to_pylist()]


def shared_lists(array: Any, rows: slice) -> list[list[Any]]:
    """The cells of an array that is not checked yet: `first_damaged` does it."""
    return _array_lists(array, rows)


def first_damaged(array: Any) -> int | None:
    """The first row that is not UTF-8; other threads run meanwhile."""
    for start in range(0, len(array), _AT_ONCE):
        if not _is_whole(array[start : start + _AT_ONCE]):
            rows = range(start, min(start + _AT_ONCE, len(array)))
            return next((row for row in rows if not _is_whole(array[row : row + 1])), start)
    return None


def _is_whole(array: Any) -> bool:
    try:
        array.validate(full=True)
    except ValueError:
        return False
    return True


def _copied(array: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - this column has loaded it

    return pa.concat_arrays([*getattr(array, "chunks", (array,)), pa.array([], array.type)])
