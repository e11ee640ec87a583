"""What arrays of text of Arrow keep in memory, for `arrow_text.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PIECE_BYTES", "are_whole", "text_size"]

PIECE_BYTES: Final = 400
"""Of a piece of an array beside its buffers."""


def are_whole(buffers: Iterable[Any]) -> bool:
    """Whether no buffer is a part of another one.

    A part keeps all of the other one in memory, and pyarrow counts the part only. Those of Arrow IPC and of Feather are
    parts of a message, beside all other columns, or of a file that is mapped into memory and may change.
    """
    for buffer in buffers:  # noqa: SIM110 - a generator takes several times as long
        if buffer is not None and buffer.parent is not None:
            return False
    return True


def text_size(array: Any, count: int) -> int:
    """The bytes of the cells, with those that pieces or rows share counted for each, and 8 for each cell.

    Args:
        array: the text.
        count: number of its cells.
    """
    if array.num_chunks <= 1:
        size: int = array.nbytes
        return max(0, size)
    import pyarrow.compute as pc  # noqa: PLC0415 - this column has loaded it

    # `nbytes` takes a hundred times as long for many pieces.
    texts: int = pc.sum(pc.binary_length(array)).as_py() or 0
    return (count + 1) * 8 + max(0, texts)
