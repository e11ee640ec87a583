"""What arrays of text of Arrow keep in memory, for `arrow_text.py`.

A buffer may be a part of a larger one, of which it keeps all: those of Arrow IPC and of Feather are parts of a message,
beside all other columns. pyarrow counts the part only. To look takes longer than anything else that is done with a
short column. So of frames of few rows the first column of text is looked at now and then. Once a part is found, all
columns of all frames are.
"""

from __future__ import annotations

import random
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PIECE_BYTES", "are_whole", "kept_bytes", "text_size", "watch"]

PIECE_BYTES: Final = 400
"""Of a piece of an array beside its buffers."""
_ROUNDED_BYTES: Final = 64
"""A buffer may be larger by so much for its alignment."""
_SKIPPED: Final = cycle(random.choices(range(96), k=101))  # noqa: S311 - nothing secret
"""Frames between two that are looked at. Chance says how many, so that no rhythm of an application hides some."""


class Watch:
    """Says which frames of few rows are looked at. Threads may race: one frame more or less is looked at.

    Attributes:
        left: number of frames until the next one.
        is_found: whether a buffer was a part of a larger one; from then on every frame is looked at.
    """

    __slots__ = ("is_found", "left")

    def __init__(self) -> None:
        self.left = 0
        self.is_found = False

    def look(self, small: int) -> int:
        """Count a frame that is looked at.

        Args:
            small: size of arrays that are not looked at, after the first.

        Returns:
            `small`, or -1 to look at all.
        """
        if self.is_found:
            return -1
        self.left = next(_SKIPPED)
        return small


watch: Final = Watch()


def are_whole(buffers: Iterable[Any]) -> bool:
    """Whether no buffer is a part of another."""
    for buffer in buffers:  # noqa: SIM110 - a generator takes several times as long
        if buffer is not None and buffer.parent is not None:
            return False
    return True


def kept_bytes(array: Any) -> int:
    """The memory that an array keeps: that of which its buffers are parts, each once, and of its pieces."""
    chunks = array.chunks
    roots: dict[int, int] = {}
    for chunk in chunks:
        for buffer in chunk.buffers():
            root = buffer
            while root is not None:
                last, root = root, root.parent
            if buffer is not None:
                roots[last.address] = max(last.size, roots.get(last.address, 0))
    kept = sum(roots.values())
    if kept > array.get_total_buffer_size() + _ROUNDED_BYTES:
        watch.is_found, watch.left = True, 0
    return kept + PIECE_BYTES * max(0, len(chunks) - 1)


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
