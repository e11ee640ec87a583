"""The memory that rows take while they wait, which the limit of the queue bounds.

It is more than the size of their data: a text of five characters takes 64 bytes, and each part of a copy a few objects.
Too much is counted where the exact number would take long to find.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..column_names import Labels
    from .part import Kept

__all__ = [
    "ARRAY_BYTES",
    "OBJECT_BYTES",
    "PART_BYTES",
    "PLACE_BYTES",
    "TYPE_BYTES",
    "labels_bytes",
    "part_bytes",
    "text_labels_bytes",
]

PART_BYTES: Final = 560
"""Of a part: its tuple, the positions of its columns, and the heads of what it holds."""
PLACE_BYTES: Final = 300
"""Of a column that shares its part with others: its positions and its type."""
OBJECT_BYTES: Final = 64
"""Of a cell that is an object, beside its place in a list and the characters of a text; of a whole number."""
_FEW_CATEGORIES: Final = 65
"""So many are shared by all frames with their type."""
_CATEGORIES_BYTES: Final = 200
"""Of a type of categories and their list: with pandas 2.0 each frame has its own, even if the categories are shared."""
TYPE_BYTES: Final = 500
"""Of a type with a parameter, such as a zone: each frame has one of its own."""
ARRAY_BYTES: Final = 800
"""Of an array of Arrow or pandas beside its memory."""


def part_bytes(part: Kept) -> int:
    """What a part takes beside `PART_BYTES` and its size: one of categories, or an array of pandas."""
    if type(part[2]) is not bytes:
        return ARRAY_BYTES + TYPE_BYTES
    categories = part[-1]
    return _CATEGORIES_BYTES + (len(categories) * OBJECT_BYTES if len(categories) > _FEW_CATEGORIES else 0)


def labels_bytes(labels: Labels) -> int:
    """What the labels of a frame's columns take."""
    if type(labels) is range:
        return 0
    if type(labels) is not tuple:
        return ARRAY_BYTES + labels.nbytes  # type: ignore[no-any-return]
    try:
        return text_labels_bytes(labels)
    except TypeError:  # integers
        return len(labels) * (OBJECT_BYTES + 8)


def text_labels_bytes(labels: Sequence[str]) -> int:
    """The same of labels that are text.

    Raises:
        TypeError: they are not.
    """
    return len(labels) * (OBJECT_BYTES + 8) + sys.getsizeof("".join(labels))
