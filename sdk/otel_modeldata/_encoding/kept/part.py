"""What the parts of a copy of a frame have in common."""

from __future__ import annotations

from typing import Any, Final

Kept = tuple[Any, ...]
"""A part of a frame: what it holds in bytes, about; the function that makes the lists of its columns, with some of its
rows; and the function's arguments before the rows. (Plain tuples are the cheapest to make.)"""

CHECKED_BYTES: Final = 256 * 1024
"""The size of rows of which text is checked by `collect` if they join others; larger ones join none."""
FEW_ROWS: Final = 64
"""Of so many rows, text that is not shared is read at once; so many categories are looked at, even if a frame has fewer
rows."""
FEW_BLOCKS: Final = 16
"""In a frame of more, columns of text of pandas without pyarrow share a part, if it has few rows."""


UNEQUAL: Final = "expected a frame at rest, got columns of different lengths: copy it first"
"""A thread changed the frame while it was read."""


class Places(list[Any]):
    """The positions of columns that share a part, each as pandas has it."""

    @property
    def indexer(self) -> list[int]:
        """The positions, in the order of the columns."""
        return [position for place in self for position in place]


class CannotKeepError(Exception):
    """A cell may change, or be refused: the frame is encoded at once."""
