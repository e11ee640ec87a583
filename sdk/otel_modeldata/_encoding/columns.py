"""The cells of whole columns: every type of NumPy and pandas, read by its own type alone.

A frame as one array of objects would be shorter, but there a cell depends on its neighbors: integers of a category with
a gap become floats, for example.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .cells import array_cells, plain_all
from .column_names import ColumnNames
from .short_floats import shortest
from .times import zoned_time_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

Positions = slice | Sequence[int]
"""Of columns in a frame."""
_NUMPY: Any = getattr(pd.arrays, "NumpyExtensionArray", None) or getattr(pd.arrays, "PandasArray")  # noqa: B009 - pandas 2.0 has the old name
MASKED = (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)


def blocks_of(frame: pd.DataFrame) -> Iterator[tuple[Positions, Any]]:
    """Positions of columns, and an array with their values: of two dimensions, by column and row, or of one.

    This reads internals of pandas, because they are fast. Without them columns are read one by one.
    """
    blocks: Any = getattr(getattr(frame, "_mgr", None), "blocks", None)
    if blocks is not None:
        for block in blocks:
            yield block.mgr_locs.indexer, block.values
        return
    for position in range(len(frame.columns)):
        yield slice(position, position + 1), column_of(frame, position)


def column_of(frame: pd.DataFrame, position: int) -> Any:
    """The NumPy or pandas array of a column."""
    column = frame.iloc[:, position]
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def lists_of(frame: pd.DataFrame) -> list[list[Any]]:
    """The cells of every column, in the order of the columns.

    Raises:
        TypeError: a cell has no JSON form.
        RecursionError: a cell is nested too deep.
        UnicodeDecodeError: text of Arrow is not UTF-8.
    """
    lists: list[list[Any]] = [[]] * len(frame.columns)
    for positions, values in blocks_of(frame):
        place(block_cells(values), positions, lists)
    return lists


def row_of(frame: pd.DataFrame) -> list[Any]:
    """The cells of a frame of one row: the same as `lists_of`, but without a list for every column."""
    row: list[Any] = [None] * len(frame.columns)
    for positions, values in blocks_of(frame):
        if values.ndim == 1:
            place(cells_of(values), positions, row)
        else:
            place(cells_of(_by_numpy(values)[:, 0]), positions, row)
    return row


def place(columns: list[Any], positions: Positions, target: list[Any]) -> None:
    """Put the columns of a block into `target`, which a caller is building."""
    if isinstance(positions, slice):
        target[positions] = columns
    else:
        for position, column in zip(positions, columns, strict=True):
            target[position] = column


def block_cells(values: Any) -> list[list[Any]]:
    """The cells of an array of columns and rows, or of one column."""
    if values.ndim == 1:
        return [cells_of(values)]
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and values.dtype.itemsize <= 8:
        narrow = values.dtype.kind == "f" and values.dtype.itemsize < 8
        return (shortest(values) if narrow else values).tolist()  # type: ignore[no-any-return]
    values = _by_numpy(values)
    return [cells_of(values[number]) for number in range(len(values))]


def _by_numpy(values: Any) -> Any:
    """Times without a zone as a NumPy array, because pandas is slow in taking their arrays apart."""
    return np.asarray(values) if isinstance(values.dtype, np.dtype) else values


def cells_of(values: Any) -> list[Any]:  # noqa: PLR0911 - one line per family of types reads best
    """The cells of one column: a NumPy or pandas array of one dimension."""
    if isinstance(values, np.ndarray):
        return array_cells(values)
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        return plain_all(_texts(values))
    if isinstance(dtype, pd.CategoricalDtype):
        return _chosen(values.codes, values.categories)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return zoned_time_texts(values)
    if isinstance(values, MASKED):
        cells = array_cells(values.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.type(0)))
        return _with_gaps(cells, values.isna())
    if isinstance(dtype, pd.PeriodDtype):
        return [None if cell is pd.NaT else str(cell) for cell in values]
    if isinstance(dtype, pd.IntervalDtype):
        return [str(cell) if isinstance(cell, pd.Interval) else None for cell in values]
    if isinstance(dtype, pd.SparseDtype):
        return _sparse(values)
    if isinstance(dtype, pd.ArrowDtype):
        from .arrow_cells import cells_of_arrow  # noqa: PLC0415 - pyarrow is optional

        return cells_of_arrow(values.__arrow_array__())
    if isinstance(dtype, np.dtype) or isinstance(values, _NUMPY):
        return array_cells(np.asarray(values))
    return array_cells(np.asarray(values, dtype=object))


def row_dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame that is in a cell of another frame."""
    names = ColumnNames(frame.columns.tolist()).names
    lists = lists_of(frame)
    return [{name: cells[row] for name, cells in zip(names, lists, strict=True)} for row in range(len(frame))]


def _texts(values: Any) -> list[Any]:
    """Text and None; raises UnicodeDecodeError where Arrow holds bytes that are not UTF-8."""
    if values.dtype.storage == "python":
        return values.to_numpy(dtype=object, na_value=None).tolist()  # type: ignore[no-any-return]
    return values.__arrow_array__().to_pylist()  # type: ignore[no-any-return]


def _with_gaps(cells: list[Any], gaps: Any) -> list[Any]:
    if not gaps.any():
        return cells
    return [None if gap else cell for cell, gap in zip(cells, gaps.tolist(), strict=True)]


def _chosen(codes: Any, categories: pd.Index[Any]) -> list[Any]:
    """The categories of codes; a code of -1 is a gap."""
    if len(categories) > len(codes):
        used = np.unique(codes[codes >= 0])
        cells = dict(zip(used.tolist(), cells_of(categories.take(used).array), strict=True))
        return [cells.get(code) for code in codes.tolist()]
    values = [*cells_of(categories.array), None]
    return [values[code] for code in codes.tolist()]


def _sparse(values: Any) -> list[Any]:
    """Not by `to_dense`, which makes floats of integers with a gap."""
    (fill,) = plain_all([values.fill_value])
    cells = [fill] * len(values)
    for position, cell in zip(values.sp_index.to_int_index().indices.tolist(), cells_of(values.sp_values), strict=True):
        cells[position] = cell
    return cells
