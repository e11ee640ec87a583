"""Turns inputs and outputs of models into a DataFrame with one row for each scored item.

The rules are those of MLflow's schema enforcement and of Azure ML's own script for MLflow models, which collects
`pandas.DataFrame(result)`: columns without names become `0`, `1`... If that call would fail, or would spread one
request over several rows, a row holds lists and objects instead:

| value | frame |
|---|---|
| DataFrame | as it is |
| Series | one column, with its name |
| dict of lists, arrays or Series of one length | these columns; more dimensions give cells that are lists |
| any other dict, a pydantic model, a dataclass | one row |
| list of such records | one row each |
| list of scalars, array of one dimension | one column |
| list of lists of scalars, array of two dimensions, sparse matrix | a table |
| array of more dimensions | one column; a cell is an array with one dimension less |
| list of such arrays (one per input of the model) | one column each |
| text, bytes, a number, a time | one cell |

Anything else has no rows, for example an iterator, which must not be consumed before its owner reads it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import sys
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..exceptions import UnsupportedValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DENSE_CELLS = 4 * 2**20
"""Maximum number of cells of a sparse matrix, including zeros: as JSON about the largest event."""

_SCALARS = (
    str,
    bytes,
    bool,
    int,
    float,
    np.generic,
    decimal.Decimal,
    dt.date,
    dt.time,
    dt.timedelta,
    uuid.UUID,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignatureColumns:
    """What the signature of a model states about its columns.

    Attributes:
        names: of the columns; none when they have no names.
        are_tensors: whether a column is one array, of any shape.
        are_scalar: whether cells are scalars: a dict with lists is a table then.
        hold_lists: whether cells may be lists or objects: a dict is always one record then.
    """

    names: tuple[str, ...] = ()
    are_tensors: bool = False
    are_scalar: bool = False
    hold_lists: bool = False


UNKNOWN_COLUMNS = SignatureColumns()


def frame_of(value: object, columns: SignatureColumns = UNKNOWN_COLUMNS) -> pd.DataFrame:
    """The frame of an input or output of a model.

    Args:
        value: any of the table above; never changed, and shared with the frame where possible.
        columns: of the model's signature: names for columns that have none.

    Raises:
        UnsupportedValueError: `value` has no rows.
    """
    if isinstance(value, pd.DataFrame):
        return value
    if columns.are_tensors and len(columns.names) == 1 and isinstance(value, np.ndarray):
        return _of_record({columns.names[0]: value}, columns)
    return _named(_frame(value, columns), columns.names)


def cells(items: Sequence[Any]) -> pd.DataFrame:
    """One column with these cells, of any type."""
    return pd.DataFrame({0: pd.Series(list(items), dtype=object)})


def _frame(value: object, columns: SignatureColumns) -> pd.DataFrame:
    record = _record(value)
    if record is not None:
        return _of_record(record, columns)
    if isinstance(value, pd.Series):
        return value.to_frame(value.name if value.name is not None else 0)
    if isinstance(value, np.ndarray):
        return _of_array(value)
    if isinstance(value, (list, tuple)):
        return _of_list(value)
    if isinstance(value, _SCALARS):
        return cells([value])
    if _is_sparse(value):
        return _of_sparse(value)
    expected = "a DataFrame, Series, array, matrix, dict, list, text or number"
    raise UnsupportedValueError(f"expected {expected}, got {type(value).__name__}: it has no rows to collect")


def _named(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Apply the names of the signature, if there is one for each column and the columns have no names."""
    if not names or len(names) != frame.shape[1] or frame.columns.tolist() != [*range(len(names))]:
        return frame
    return frame.set_axis(list(names), axis=1)


def _record(value: object) -> Mapping[Any, Any] | None:
    """The fields of a record; None if `value` is not a record."""
    if isinstance(value, Mapping):
        return value
    if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
        fields = dump()
        return fields if isinstance(fields, Mapping) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return None


def _of_record(record: Mapping[Any, Any], columns: SignatureColumns) -> pd.DataFrame:
    lengths = {len(cell) for cell in record.values() if _is_column(cell)}
    has_scalars = not all(map(_is_column, record.values()))
    if len(lengths) != 1 or columns.hold_lists or (has_scalars and not columns.are_scalar):
        return pd.DataFrame({name: pd.Series([cell], dtype=object) for name, cell in record.items()}, index=[0])
    return pd.DataFrame({name: _column(cell) for name, cell in record.items()})


def _is_column(cell: object) -> bool:
    return isinstance(cell, (list, tuple, pd.Series)) or (isinstance(cell, np.ndarray) and cell.ndim > 0)


def _column(cell: Any) -> Any:
    if isinstance(cell, np.ndarray) and cell.ndim > 1:
        return list(cell)
    return cell.tolist() if isinstance(cell, pd.Series) else cell


def _of_array(array: np.ndarray[Any, Any]) -> pd.DataFrame:
    if array.ndim == 0:
        return cells([array[()]])
    return pd.DataFrame(array) if array.ndim <= 2 else cells(list(array))


def _of_list(items: Sequence[Any]) -> pd.DataFrame:
    records = [_record(item) for item in items]
    if items and all(record is not None for record in records):
        return pd.DataFrame([dict(record) for record in records if record is not None])
    if all(isinstance(item, _SCALARS) or item is None for item in items):
        return pd.DataFrame(items)
    arrays = [item for item in items if isinstance(item, np.ndarray)]
    if len(arrays) == len(items) and arrays[0].ndim > 1 and len({len(array) for array in arrays}) == 1:
        return pd.DataFrame({position: list(array) for position, array in enumerate(arrays)})
    if all(_is_row(item) for item in items) and len({len(item) for item in items}) == 1:
        return pd.DataFrame([list(item) for item in items])
    return cells(items)


def _is_row(item: object) -> bool:
    if isinstance(item, np.ndarray):
        return item.ndim == 1
    return isinstance(item, (list, tuple)) and all(isinstance(cell, _SCALARS) or cell is None for cell in item)


def _is_sparse(value: object) -> bool:
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(value))


def _of_sparse(matrix: Any) -> pd.DataFrame:
    rows, columns = matrix.shape
    if rows * columns > MAX_DENSE_CELLS:
        raise UnsupportedValueError(
            f"expected a sparse matrix of at most {MAX_DENSE_CELLS} cells, got {rows} x {columns}: "
            "collect the features it was made from"
        )
    return pd.DataFrame(matrix.toarray())
