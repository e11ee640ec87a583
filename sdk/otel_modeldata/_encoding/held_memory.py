"""The memory that rows take while they wait, which the limit of the queue bounds.

It is more than the size of their data: a text of five characters takes 64 bytes, and each part of a copy a few objects.
Too much is counted where the exact number would take long to find.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .column_names import Labels
    from .snapshot import Snapshot

__all__ = ["labels_bytes", "snapshot_bytes"]

_PART_BYTES: Final = 440
"""Of a part: its tuple, the positions of its columns, and the heads of what it holds."""
_OBJECT_BYTES: Final = 64
"""Of a cell that is an object, beside its place in a list and the characters of a text; of a whole number."""
_FEW_CATEGORIES: Final = 65
"""So many are shared by all frames with their type."""
_ARRAY_BYTES: Final = 800
"""Of an array of Arrow or pandas beside its memory."""


def snapshot_bytes(snapshot: Snapshot) -> int:
    """What a copy of a frame takes, its labels included."""
    kept = snapshot.kept
    size = snapshot.nbytes + len(kept) * _PART_BYTES + labels_bytes(snapshot.labels)
    for _, part in kept:
        held = part[2]
        if type(held) is bytes:
            categories = part[-1]
            if type(categories) is list and len(categories) > _FEW_CATEGORIES:
                size += len(categories) * _OBJECT_BYTES
        elif type(held) is list:
            size += len(held) * _OBJECT_BYTES
        elif hasattr(held, "get_total_buffer_size"):  # a slice keeps all of its array
            size += _ARRAY_BYTES + max(0, held.get_total_buffer_size() - part[0])
        else:
            size += _ARRAY_BYTES
    return size


def labels_bytes(labels: Labels) -> int:
    """What the labels of a frame's columns take."""
    if type(labels) is range:
        return 0
    if type(labels) is not tuple:
        return _ARRAY_BYTES + labels.get_total_buffer_size()  # type: ignore[no-any-return]
    try:
        return len(labels) * (_OBJECT_BYTES + 8) + sys.getsizeof("".join(labels))
    except TypeError:  # integers
        return len(labels) * (_OBJECT_BYTES + 8)
