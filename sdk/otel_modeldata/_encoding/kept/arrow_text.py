"""Text of Arrow in copies of frames, for `snapshot.py`.

Arrow's arrays are immutable: pandas replaces an array to change a cell, and its own `DataFrame.copy(deep=True)` shares
them. So a copy holds the array, which touches hardly any code and no text. The text is checked for bytes that are not
UTF-8 when it is encoded. Only an array that a program made of memory of its own can have such bytes, or change.

What is a small part of a large array is read or copied at once, because it would keep all of the array in memory. So
is what is in many pieces, or in memory that belongs to someone else (`arrow_memory.py`). The size of what is held is
never less than the text of its cells, even if these share it.

Needs no import of pyarrow: pandas has loaded it if it is installed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ..text_size import text_bytes
from .arrow_memory import PIECE_BYTES, are_own, text_size, watch
from .part import FEW_ROWS, CannotKeepError, Kept

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "HELD_BYTES",
    "HELD_BYTES_OF_ROW",
    "NOT_UTF8",
    "OFFSET_BYTES",
    "first_damaged",
    "keep_array",
    "keep_text",
    "shared_lists",
]

NOT_UTF8: Final = "expected text, got bytes in it that are not UTF-8: clean the text"
_USUAL: Final[Any] = getattr(sys.modules.get("pyarrow"), "LargeStringArray", None)
"""The usual text of Arrow."""
HELD_BYTES: Final = 1024
HELD_BYTES_OF_ROW: Final = 64
"""Memory of an array that is held, even if only a part of it is used: it is all counted, and to look takes longer."""
OFFSET_BYTES: Final = 8
"""There is one offset more than texts."""
_MANY_PIECES: Final = 16
"""To look at the memory of more takes as long as to copy them."""
_AT_ONCE: Final = 1024
"""Rows that are checked in one go."""


def keep_text(array: Any, count: int, max_bytes: int) -> Kept:
    """Text of the usual type.

    Args:
        array: as pandas has it.
        count: its length.
        max_bytes: limit for it.

    Raises:
        CannotKeepError: it is not shared, and takes more than `max_bytes`.
        ValueError: text that is read at once is not UTF-8.
    """
    if array.num_chunks == 1:
        chunk = array.chunk(0)
        buffers = chunk.buffers()
        # An array that is a part of another one has buffers of more rows.
        if (
            type(chunk) is _USUAL
            and buffers[1] is not None
            and buffers[1].size == OFFSET_BYTES * (count + 1)
            and are_own(buffers)
        ):
            return array.get_total_buffer_size() - OFFSET_BYTES, shared_lists, [array]
    return keep_array(array, count, max_bytes)


def keep_array(array: Any, count: int, max_bytes: int) -> Kept:
    """Text of any Arrow type, with parts of larger arrays, and arrays in pieces; arguments as in `keep_text`."""
    size = text_size(array, count)
    if size > max_bytes:
        raise CannotKeepError
    chunks = array.chunks if array.num_chunks <= _MANY_PIECES else ()
    if chunks and all(are_own(chunk.buffers()) for chunk in chunks):
        held = max(size, array.get_total_buffer_size()) + PIECE_BYTES * (len(chunks) - 1)
        if held <= HELD_BYTES + HELD_BYTES_OF_ROW * count or held <= 2 * size:
            return max(0, held - OFFSET_BYTES), shared_lists, [array]
    if count <= FEW_ROWS:
        cells = array.to_pylist()
        texts = [cell for cell in cells if cell is not None] if array.null_count else cells
        return count * 8 + text_bytes(texts), cell_lists, cells
    return size, shared_lists, [_copied(array)]


def cell_lists(cells: list[Any], rows: slice) -> list[list[Any]]:
    """Cells that were read at once."""
    return [cells[rows]]


def shared_lists(arrays: list[Any], rows: slice, pause: Callable[[], object]) -> list[list[Any]]:
    """The cells of arrays, after `first_damaged` found nothing; calls `pause` after each."""
    if rows.stop == 1:  # of a frame of one row
        return [(array.chunk(0) if array.num_chunks == 1 else array).to_pylist() for array in arrays]
    lists = []
    for array in arrays:
        lists.append(array[rows].to_pylist())
        pause()
    return lists


def first_damaged(array: Any) -> int | None:
    """The first row that is not UTF-8; other threads run meanwhile.

    Looks at its memory as well, so that frames from the same source are copied from now on.
    """
    if not watch.is_found:
        all(are_own(chunk.buffers()) for chunk in getattr(array, "chunks", ()))
    if len(array) <= _AT_ONCE and _is_whole(array):  # the usual case without a slice
        return None
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
    """One array with memory of its own.

    Raises:
        ValueError: its offsets lie outside of its text.
    """
    array.validate()
    import pyarrow as pa  # noqa: PLC0415 - this column has loaded it

    return pa.concat_arrays([*getattr(array, "chunks", (array,)), pa.array([], array.type)])
