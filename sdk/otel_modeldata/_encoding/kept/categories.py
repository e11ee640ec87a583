"""Copies of columns of categories, for `snapshot.py`: their codes, and the categories, which are shared."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ..columns import cells_of
from ..text_size import category_bytes
from .objects import keep_objects
from .part import FEW_ROWS, CannotKeepError, Kept

__all__ = ["chosen_lists", "keep_categories", "known_categories"]

_LISTED_BYTES: Final = 4096
"""Of categories that a line may list."""
_ESTIMATED_BYTES: Final = 256 * 1024
"""What categories take is estimated by the longest text up to here, and added up beyond."""
_MOST_KNOWN: Final = 64
_MOST_KNOWN_BYTES: Final = 1024
"""How many types of categories are remembered, and how long their texts are at most."""


def keep_categories(values: Any, count: int, max_bytes: int) -> Kept:
    codes, dtype = values._ndarray, values._dtype  # noqa: SLF001 - see `snapshot.py`
    known = known_categories.get(id(dtype))
    if known is None or known[0] is not dtype:
        known = _read_categories(dtype, count, max_bytes)
        if count <= FEW_ROWS and len(known[1]) * known[2] > _LISTED_BYTES:
            # The other categories need not be held by this frame, too: their list would be too long for a line.
            return keep_objects([known[1][code] for code in codes.tolist()], count, max_bytes)
    _, cells, longest = known
    size = count * longest
    if size > _ESTIMATED_BYTES:
        sizes = list(map(category_bytes, cells))
        size = int(np.array(sizes)[codes].sum()) + sum(sizes)
    if size > max_bytes:
        raise CannotKeepError
    return count * 8 + size, chosen_lists, codes.tobytes(), codes.dtype, cells


def _read_categories(dtype: Any, count: int, max_bytes: int) -> tuple[Any, list[Any], int]:
    """A type of categories, their cells with one for gaps, and the bytes of the longest text."""
    cells = [*cells_of(dtype.categories.array), None]
    if len(cells) > max(count, FEW_ROWS):
        raise CannotKeepError
    keep_objects(cells, len(cells), max_bytes)  # raises if one of them may change or be refused
    are_texts = set(map(type, cells)) <= {str, type(None)}
    longest = max(map(category_bytes, cells))
    known = dtype, cells, longest
    if are_texts and len(cells) <= FEW_ROWS and longest <= _MOST_KNOWN_BYTES:
        if len(known_categories) >= _MOST_KNOWN:
            known_categories.clear()
        known_categories[id(dtype)] = known
    return known


known_categories: dict[int, tuple[Any, list[Any], int]] = {}
"""By the identity of their type. Types and their categories are immutable, and a model has the same in each request."""


def chosen_lists(raw: bytes, dtype: Any, cells: list[Any], rows: slice) -> list[list[Any]]:
    return [[cells[code] for code in np.frombuffer(raw, dtype)[rows].tolist()]]
