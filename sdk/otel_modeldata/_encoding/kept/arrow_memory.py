"""What arrays of text of Arrow keep in memory, for `arrow_text.py`.

A buffer may be a part of a larger one, of which it keeps all, and pyarrow counts the part only. Those of Arrow IPC and
of Feather are parts of a message, beside all other columns, or of a file that is mapped into memory and may change.

To look takes 10 us a column in a process that just woke up, longer than anything else that is done with it. But a
process gets its frames from one kind of source: so the first frame is looked at, then one in about 48, and every one
once a part of a larger buffer was found.
"""

from __future__ import annotations

import random
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PIECE_BYTES", "are_whole", "text_size", "watch"]

PIECE_BYTES: Final = 400
"""Of a piece of an array beside its buffers."""


_SKIPPED: Final = cycle(random.choices(range(96), k=101))  # noqa: S311 - nothing secret
"""Frames between two that are looked at. Chance says how many, so that no rhythm of an application hides some."""


class Watch:
    """Says which frames are looked at. Threads may race: one frame more or less is looked at.

    Attributes:
        left: number of frames until the next one.
        is_found: whether a buffer was a part of a larger one; from then on every frame is looked at.
    """

    __slots__ = ("is_found", "left")

    def __init__(self) -> None:
        self.left = 0
        self.is_found = False

    def look(self) -> None:
        """Note that a frame is looked at."""
        if not self.is_found:
            self.left = next(_SKIPPED)

    def find(self) -> None:
        """Note that a buffer is a part of a larger one."""
        self.is_found, self.left = True, 0


watch: Final = Watch()


def are_whole(buffers: Iterable[Any]) -> bool:
    """Whether no buffer is a part of another one."""
    for buffer in buffers:
        if buffer is not None and buffer.parent is not None:
            watch.find()
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
