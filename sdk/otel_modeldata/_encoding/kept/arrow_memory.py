"""What arrays of text of Arrow keep in memory, for `arrow_text.py`.

A buffer may belong to someone else: it is a part of a larger one, of which it keeps all, or its memory was imported,
with all that was imported beside it. pyarrow counts the buffer only. Those of Arrow IPC and of Feather are parts of a
message, or of a file that is mapped into memory and may change; those of DataFusion and other libraries are imported
through Arrow's C data interface. What pandas and pyarrow make is allocated by pyarrow, and may be written.

To look takes 5 to 10 us a column in a process that just woke up, longer than anything else that is done with it. But a
process gets its frames from a few kinds of sources. So the first frames are looked at, then one in about 16, and every
one once such a buffer was found, or while nothing is delivered: then frames wait, and what they keep would not be
counted. The delivery thread looks at all frames of several rows, when it encodes them.
"""

from __future__ import annotations

import random
from itertools import cycle
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PIECE_BYTES", "are_own", "text_size", "watch"]

PIECE_BYTES: Final = 400
"""Of a piece of an array beside its buffers."""


_FIRST: Final = 16
"""Frames that are all looked at: a server may begin with some of its own making, to warm up."""
_SKIPPED: Final = cycle(random.Random().choices(range(32), k=101))  # noqa: S311 - nothing secret
"""Frames between two that are looked at. Chance says how many, so that no rhythm of an application hides some; not that
of the application, whose numbers must be the same with this library."""
_MOST_SECONDS: Final = 2.0
"""From the last frame that was encoded for delivery. Batches are sent more often."""


class Watch:
    """Says which frames are looked at. Threads may race: one frame more or less is looked at.

    Attributes:
        left: number of frames until the next one.
        looks: number of frames that were looked at.
        is_found: whether a buffer belonged to someone else; from then on every frame is looked at.
        is_encoded: whether a frame was encoded for delivery since one was looked at.
        since: when this was so last, in seconds of the monotonic clock.
    """

    __slots__ = ("is_encoded", "is_found", "left", "looks", "since")

    def __init__(self) -> None:
        self.left = self.looks = 0
        self.is_found = self.is_encoded = False
        self.since = -_MOST_SECONDS

    def look(self) -> None:
        """Note that a frame is looked at."""
        self.looks += 1
        if self.is_found or self.looks < _FIRST:
            return
        now = monotonic()
        if self.is_encoded:
            self.is_encoded, self.since = False, now
        if now - self.since < _MOST_SECONDS:
            self.left = next(_SKIPPED)

    def find(self) -> None:
        """Note that a buffer belongs to someone else."""
        self.is_found, self.left = True, 0


watch: Final = Watch()


def are_own(buffers: Iterable[Any]) -> bool:
    """Whether no buffer belongs to someone else."""
    for buffer in buffers:
        if buffer is not None and (buffer.parent is not None or not buffer.is_mutable):
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
    gaps = (count + 7) // 8 if array.null_count else 0
    return (count + 1) * 8 + gaps + max(0, texts)
