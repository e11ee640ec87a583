"""Copies of cells that are Python objects, for `snapshot.py`: text, numbers, times, arrays and lists of numbers."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..cells import NUMBERS, SCALARS, SHARED_TYPES, kept_cell, plain, plain_all
from ..datatypes.frame_types import types_by_column
from ..number_range import are_small
from ..text_size import text_bytes
from .part import CannotKeepError, Kept

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["keep_objects"]

_SHAPE: Final = attrgetter("shape")
_DTYPE: Final = attrgetter("dtype")


def keep_objects(cells: list[Any], count: int, max_bytes: int) -> Kept:
    """Of any number of columns, one after the other."""
    if cells and type(cells[0]) is np.ndarray and (joined := _joined(cells, count, max_bytes)):
        return joined
    try:
        return len(cells) * 8 + text_bytes(cells), _object_lists, cells, count, plain_all
    except TypeError:  # not only text
        types = set(map(type, cells))
    if not types <= SHARED_TYPES:
        sizes: list[int] = []
        kinds, cells = types_by_column(cells, count), [kept_cell(cell, sizes) for cell in cells]
        return len(cells) * 8 + sum(sizes), _converted_lists, cells, count, kinds
    if int in types and not are_small([cell for cell in cells if type(cell) is int]):
        raise CannotKeepError
    texts = [cell for cell in cells if type(cell) is str] if str in types else []
    make = list if types <= SCALARS else _plain_list
    return len(cells) * 8 + text_bytes(texts), _object_lists, cells, count, make


def _object_lists(cells: list[Any], count: int, make: Callable[[list[Any]], list[Any]], rows: slice) -> list[list[Any]]:
    if not count:
        return []
    first, end, _ = rows.indices(count)
    return [make(cells[start + first : start + end]) for start in range(0, len(cells), count)]


def _converted_lists(cells: list[Any], count: int, _: object, rows: slice) -> list[list[Any]]:
    return _object_lists(cells, count, _plain_list, rows)


def _plain_list(cells: list[Any]) -> list[Any]:
    return [plain(cell) for cell in cells]


def _joined(cells: list[Any], count: int, max_bytes: int) -> Kept | None:
    """Arrays of one type and shape, in one piece of memory; None for others."""
    dtype, shape = cells[0].dtype, cells[0].shape
    if dtype.kind not in NUMBERS:
        return None
    if len(cells) > 1:
        if list(map(type, cells)).count(np.ndarray) < len(cells):
            return None
        if list(map(_SHAPE, cells)).count(shape) < len(cells) or list(map(_DTYPE, cells)).count(dtype) < len(cells):
            return None
    size = len(cells) * (8 + cells[0].size * 8)
    if size > max_bytes:
        raise CannotKeepError
    try:
        raw = b"".join(cells)
    except (TypeError, ValueError):  # parts of larger arrays
        return None
    return size, _array_lists, raw, dtype, (len(cells) // count, count, *shape)


def _array_lists(raw: bytes, dtype: Any, shape: tuple[int, ...], rows: slice) -> list[list[Any]]:
    return [_plain_list(list(column[rows])) for column in np.frombuffer(raw, dtype).reshape(shape)]
