"""What the parts of a copy of a frame have in common."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Kept = tuple[Any, ...]
"""A part of a frame: what it holds in bytes, about; the function that makes the lists of its columns, with some of its
rows; and the function's arguments before the rows. (Plain tuples are the cheapest to make.)"""

COPIED_BYTES: Final = 64 * 1024
"""How much text of Arrow of a frame is copied; what is beyond is shared. To copy twice as much takes as long as the
rest of `collect`, because the memory for it is new."""
CHECKED_BYTES: Final = 256 * 1024
"""How much of it is checked at once, copied or not; what is beyond is checked when it is encoded."""
FEW_ROWS: Final = 64
"""Text of so many rows is read at once, and so many categories are looked at, even if a frame has less rows."""


class Places(list[Any]):
    """The positions of columns that share a part, each as pandas has it."""

    @property
    def indexer(self) -> Any:
        """The positions, in the order of the columns."""
        return np.array([position for place in self for position in place])


class CannotKeepError(Exception):
    """A cell may change, or be refused: the frame is encoded at once."""
