"""Copies of frames that are encoded later, and that no later change of the frame reaches.

Only of frames of which no cell can be refused, because a refusal has to be known while `collect` runs: text is checked
for lone surrogates here. What can change is copied: the memory of numbers, times and codes, arrays and lists in cells.
What cannot is shared: cells that are text, categories, and Arrow's memory if there is much of it. (Arrow's arrays are
immutable; only a program that has wrapped memory of its own as Arrow text, and writes to it later, would be noticed.)

This reads internals of pandas, because in a process that just woke up their public methods take a hundred times as
long. Where one of them is missing the frame is encoded at once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import uuid
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from .cells import SCALARS, array_cells, plain, plain_all
from .columns import MASKED, block_cells, blocks_of, cells_of, place
from .refusals import REFUSED
from .times import zoned_time_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NUMBERS: Final = "fiub"
"""NumPy kinds of numbers whose values all have a JSON form."""
_LARGEST_INTEGER: Final = 2**63
"""Of a cell. An integer of more than 4,300 digits is refused."""
_SHARED_TYPES: Final = SCALARS | {type(pd.NA), type(pd.NaT)}
_CONVERTED_TYPES: Final = frozenset(
    {pd.Timestamp, pd.Timedelta, dt.datetime, dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, np.float64}
    | {np.float32, np.int64, np.int32, np.bool_}
)
"""Of cells that have a JSON form which cannot change: as cheap to make now as later."""
_ELEMENT_TYPES: Final = frozenset({float, bool, type(None)})
"""Of lists in cells that are copied."""
_FEW_ROWS: Final = 64
"""So many cells of Arrow are taken as text of Python; more of them are cheaper to copy."""
_LONG_TEXT: Final = 64
"""Characters of a text, on average."""
_SHARED_BYTES: Final = 64 * 1024
"""Arrow memory of this size is shared, less is copied."""


class _Kept(NamedTuple):
    """A part of a frame.

    Attributes:
        cells: makes the lists of its columns, with some of its rows.
        nbytes: what it holds, about.
    """

    cells: Callable[[slice], list[list[Any]]]
    nbytes: int


class _CannotKeepError(Exception):
    """A cell may change, or be refused: the frame is encoded at once."""


class Snapshot:
    """A copy of a frame.

    Attributes:
        nbytes: what it holds, about.
    """

    __slots__ = ("_kept", "_width", "nbytes")

    def __init__(self, width: int, kept: list[tuple[Any, _Kept]]) -> None:
        self._kept = kept
        self._width = width
        self.nbytes = sum([part.nbytes for _, part in kept])

    def lists(self, rows: slice, pause: Callable[[], object]) -> list[list[Any]]:
        """The cells of every column, in the order of the columns.

        Args:
            rows: which of them, because all may take long to read.
            pause: called after each part of the frame.
        """
        lists: list[list[Any]] = [[]] * self._width
        for positions, part in self._kept:
            place(part.cells(rows), positions, lists)
            pause()
        return lists


def snapshot_of(frame: pd.DataFrame, width: int, max_bytes: int) -> Snapshot | None:
    """A copy of a frame; None when a cell could be refused, or the copy is too large.

    Args:
        frame: the frame.
        width: number of its columns.
        max_bytes: limit for the copy.
    """
    kept: list[tuple[Any, _Kept]] = []
    size = 0
    try:
        for positions, values in blocks_of(frame):
            part = _KEEPERS.get(type(values), _keep_other)(values)
            size += part.nbytes
            if size > max_bytes:
                return None
            kept.append((positions, part))
    except (_CannotKeepError, *REFUSED):  # encoding it now names the cell
        return None
    return Snapshot(width, kept)


def _keep_array(values: Any) -> _Kept:
    if values.dtype.kind in _NUMBERS:
        return _Kept(partial(_number_lists, values.tobytes(), values.dtype, values.shape), values.size * 8)
    if values.dtype.kind == "O":
        return _keep_objects(values.tolist() if values.ndim > 1 else [values.tolist()])
    return _keep_other(values)


def _number_lists(raw: bytes, dtype: Any, shape: tuple[int, ...], rows: slice) -> list[list[Any]]:
    return block_cells(np.frombuffer(raw, dtype).reshape(shape)[..., rows])


def _keep_times(values: Any) -> _Kept:
    """Of times and durations without a zone."""
    array = np.asarray(values)
    return _Kept(partial(_number_lists, array.tobytes(), array.dtype, array.shape), array.size * 8)


def _keep_zoned_times(values: Any) -> _Kept:
    if type(values.dtype) is not pd.DatetimeTZDtype:
        return _keep_times(values)
    str(values.dtype)  # a zone of a program's own may fail
    return _Kept(
        partial(_zoned_lists, values.asi8.tobytes(), values.shape, type(values), values.dtype), values.size * 8
    )


def _zoned_lists(raw: bytes, shape: tuple[int, ...], kind: Any, dtype: Any, rows: slice) -> list[list[Any]]:
    moments = np.frombuffer(raw, f"M8[{dtype.unit}]").reshape(-1, shape[-1])[:, rows]
    return [zoned_time_texts(kind._simple_new(column, dtype=dtype)) for column in moments]  # noqa: SLF001 - as above


def _keep_masked(values: Any) -> _Kept:
    numbers, mask = values._data, values._mask  # noqa: SLF001 - `to_numpy` takes a hundred times as long
    return _Kept(partial(_masked_lists, numbers.tobytes(), numbers.dtype, mask.tobytes()), numbers.size * 8)


def _masked_lists(raw: bytes, dtype: Any, mask: bytes, rows: slice) -> list[list[Any]]:
    cells, gaps = array_cells(np.frombuffer(raw, dtype)[rows]), mask[rows]
    return [[None if gap else cell for cell, gap in zip(cells, gaps, strict=True)]] if any(gaps) else [cells]


def _keep_strings(values: Any) -> _Kept:
    """Text with gaps, of Python or of Arrow."""
    if values.dtype.storage == "python":
        return _keep_objects([np.asarray(values, dtype=object).tolist()])
    array = values.__arrow_array__()
    if len(array) <= _FEW_ROWS:
        cells = array.to_pylist()
        texts = [cell for cell in cells if cell is not None] if array.null_count else cells
        return _Kept(lambda rows: [cells[rows]], len(cells) * 8 + _text_bytes(texts))
    for chunk in getattr(array, "chunks", (array,)):
        chunk.validate(full=True)  # Arrow can hold bytes that are not UTF-8
    size = array.nbytes
    if size <= _SHARED_BYTES:
        array = _copied(array)
    return _Kept(lambda rows: [array[rows].to_pylist()], size)


def _copied(array: Any) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - this column has loaded it

    return pa.concat_arrays([*getattr(array, "chunks", (array,)), pa.array([], array.type)])


def _keep_categories(values: Any) -> _Kept:
    categories, codes = values.categories, values.codes
    if len(categories) > max(len(codes), _FEW_ROWS):
        raise _CannotKeepError
    cells = [*cells_of(categories.array), None]
    _keep_objects([cells])  # raises if one of them may change or be refused
    sizes = [len(cell.encode()) if type(cell) is str else 0 for cell in cells]
    if len(codes) > _FEW_ROWS:
        size = int(np.array(sizes)[codes].sum())
    else:
        size = sum([sizes[code] for code in codes.tolist()])
    return _Kept(partial(_chosen_lists, codes.tobytes(), codes.dtype, cells), len(codes) * 8 + size)


def _chosen_lists(raw: bytes, dtype: Any, cells: list[Any], rows: slice) -> list[list[Any]]:
    return [[cells[code] for code in np.frombuffer(raw, dtype)[rows].tolist()]]


def _keep_objects(lists: list[list[Any]]) -> _Kept:
    cells = lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))
    with contextlib.suppress(TypeError):  # not only text
        size = len(cells) * 8 + _text_bytes(cells)
        return _Kept(lambda rows: [plain_all(column[rows]) for column in lists], size)
    types = set(map(type, cells))
    if not types <= _SHARED_TYPES:
        sizes: list[int] = []
        lists = [[_kept_cell(cell, sizes) for cell in column] for column in lists]
        return _Kept(partial(_plain_lists, lists), len(cells) * 8 + sum(sizes))
    if int in types:
        _check_integers([cell for cell in cells if type(cell) is int])
    texts = [cell for cell in cells if type(cell) is str] if str in types else []
    without_gaps = types <= SCALARS
    make = (lambda rows: [column[rows] for column in lists]) if without_gaps else partial(_plain_lists, lists)
    return _Kept(make, len(cells) * 8 + _text_bytes(texts))


def _plain_lists(lists: list[list[Any]], rows: slice) -> list[list[Any]]:
    return [[plain(cell) for cell in column[rows]] for column in lists]


def _kept_cell(cell: Any, sizes: list[int]) -> Any:
    """A cell that no later change reaches; its size is appended to `sizes`."""
    kind = type(cell)
    if kind is str:
        sizes.append(_text_bytes([cell]))
        return cell
    if kind is int:
        _check_integers([cell])
        return cell
    if kind in _SHARED_TYPES or kind in _CONVERTED_TYPES:
        return plain(cell)
    if kind is np.ndarray and cell.dtype.kind in _NUMBERS:
        sizes.append(cell.size * 8)
        return cell.copy()
    if kind is list and _ELEMENT_TYPES.issuperset(map(type, cell)):
        sizes.append(len(cell) * 8)
        return cell.copy()
    raise _CannotKeepError


def _check_integers(cells: Sequence[int]) -> None:
    if not (min(cells) >= -_LARGEST_INTEGER and max(cells) < 2 * _LARGEST_INTEGER):
        raise _CannotKeepError


def _text_bytes(texts: Sequence[str]) -> int:
    """The bytes of all text as UTF-8.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
        TypeError: not all of them are text.
    """
    size = sum(map(len, texts))
    # Python knows of each text whether it is ASCII: of long ones that is cheaper than a copy.
    if size > _LONG_TEXT * len(texts) and all(map(str.isascii, texts)):
        return size
    joined = "".join(texts)
    return size if joined.isascii() else len(joined.encode())


def _keep_other(values: Any) -> _Kept:
    """The types of pandas whose classes differ from release to release."""
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        return _keep_strings(values)
    if isinstance(dtype, pd.PeriodDtype):
        copy = values.copy()
        return _Kept(lambda rows: block_cells(copy[..., rows]), values.size * 8)
    raise _CannotKeepError


_KEEPERS: Final[dict[type, Callable[[Any], _Kept]]] = {
    np.ndarray: _keep_array,
    **dict.fromkeys((pd.arrays.ArrowStringArray, pd.arrays.StringArray), _keep_strings),
    pd.arrays.DatetimeArray: _keep_zoned_times,
    pd.arrays.TimedeltaArray: _keep_times,
    pd.Categorical: _keep_categories,
    **dict.fromkeys(MASKED, _keep_masked),
}
"""By the exact type, for speed."""
