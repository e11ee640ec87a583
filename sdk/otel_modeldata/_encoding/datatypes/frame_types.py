"""The text of the types of a frame, from its blocks or from the copy that is encoded later."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ... import semconv
from ..cells import plain_all
from ..columns import blocks_of, cells_of
from .category_code import MOST_CATEGORIES, CategoryType, category_code
from .cell_kinds import TEXT, array_code, kind_code, types_of
from .dtype_code import dtype_code

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from ..snapshot import Snapshot

_MOST_KNOWN: Final = 256

Block = tuple[Any, "str | tuple[str, ...]"]
"""The positions of some columns, and the code of all of them or of each."""


def types_of_frame(frame: pd.DataFrame) -> str:
    """The text of a frame; empty if it is too long, or a type cannot be named."""
    try:
        rows = len(frame)
        blocks: list[Block] = [
            (positions, _block_codes(values.dtype, values, rows)) for positions, values in blocks_of(frame)
        ]
        return _text_of(blocks, len(frame.columns))
    except Exception:  # noqa: BLE001 - types and time zones of other packages may raise anything when asked for a name
        return ""


def types_of_copy(copy: Snapshot) -> str:
    """The same, of the copy of a frame."""
    try:
        blocks: list[Block] = [
            (placement.indexer, _kept_codes(dtype, part, copy.count))
            for (placement, part), dtype in zip(copy.kept, copy.dtypes, strict=True)
        ]
        return _text_of(blocks, copy.width())
    except Exception:  # noqa: BLE001 - as above
        return ""


def _text_of(blocks: list[Block], width: int) -> str:
    key = tuple([(_hashable(positions), codes) for positions, codes in blocks])
    text = _known.get(key)
    if text is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        text = _known[key] = _join(blocks, width)
    return text


_known: dict[Hashable, str] = {}
"""A process has few sets of columns."""


def _hashable(positions: Any) -> Hashable:
    if type(positions) is slice:
        return positions.start, positions.stop, positions.step
    return tuple(positions) if type(positions) is list else bytes(positions)


def _join(blocks: list[Block], width: int) -> str:
    codes = [""] * width
    for positions, found in blocks:
        places = range(width)[positions] if type(positions) is slice else positions
        for number, place in enumerate(places):
            codes[place] = found if isinstance(found, str) else found[number]
    runs = [(code, len(list(run))) for code, run in groupby(codes)]
    text = ",".join([code if count == 1 else f"{code}*{count}" for code, count in runs])
    return text if len(text) <= semconv.MAX_DATA_TYPES_CHARS else ""


def _block_codes(dtype: Any, values: Any, rows: int) -> str | tuple[str, ...]:
    """The codes of the columns of a block.

    Args:
        dtype: of the block.
        values: the array of the block; only used if it has objects or categories.
        rows: their number.
    """
    if type(dtype) is pd.CategoricalDtype:
        categories = values.categories
        read = lambda: cells_of(categories.array)  # noqa: E731 - as below
        return category_code(dtype, len(categories), read, rows, lambda: _used(values.codes))
    if type(dtype) is not _OBJECTS:
        return dtype_code(dtype)
    if not rows:
        return TEXT
    cells = values.ravel().tolist()
    return tuple([kind_code(types_of(column), column) for column in _columns(cells, rows)])


def _kept_codes(dtype: Any, kept: tuple[Any, ...], rows: int) -> str | tuple[str, ...]:
    """The codes of the columns of a block of which there is a copy (`snapshot.py`)."""
    if type(dtype) is pd.CategoricalDtype or type(dtype) is CategoryType:
        if type(kept[2]) is list:  # without the categories, because they are too many for a line
            return category_code(dtype, MOST_CATEGORIES + 1, list, rows, int)
        codes, kind, cells = kept[2:]
        used = lambda: _used(np.frombuffer(codes, kind))  # noqa: E731 - shorter than a function
        return category_code(dtype, len(cells) - 1, lambda: cells[:-1], rows, used)
    if type(dtype) is not _OBJECTS:  # a list is that of columns that share a part
        return tuple(map(dtype_code, dtype)) if type(dtype) is list else dtype_code(dtype)
    cells, kind, form = kept[2:5]
    if type(cells) is bytes:  # of arrays
        return array_code(kind, len(form) - 2)
    if form is plain_all or not rows:  # texts
        return TEXT
    columns = list(_columns(cells, rows))
    types = form if type(form) is list else map(types_of, columns)
    return tuple([kind_code(found, column) for found, column in zip(types, columns, strict=True)])


def types_by_column(cells: list[Any], rows: int) -> list[frozenset[type]]:
    """The types of the cells of every column, for cells that are converted before they have codes."""
    return [types_of(column) for column in _columns(cells, rows)]


def _columns(cells: list[Any], rows: int) -> Iterator[list[Any]]:
    return (cells[start : start + rows] for start in range(0, len(cells), rows)) if rows else iter(())


def _used(codes: Any) -> int:
    """How many categories occur; the code of a gap is -1."""
    return len(np.unique(codes[codes >= 0]))


_OBJECTS: Final = type(np.dtype(object))
"""A dtype of a frame that was pickled is not the same object as NumPy's own."""
