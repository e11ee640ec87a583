"""Encodes a pandas DataFrame as the JSON text of its records, always strict JSON.

Rules for values (every one has a test named after it):

- float64 round-trips (shortest text that reads back equal); int64, uint64 and Python ints are exact.
- NaN, NaT, None and `pandas.NA` become null; so do +inf and -inf, for which strict JSON has no number.
- Timestamps become ISO 8601 text with all their digits (ns) and their offset; Timedeltas ISO 8601 durations.
- Decimal becomes a JSON number with its own digits; bytes become base64 text; categories their values;
  Period and Interval their text; lists, arrays, tuples and sets become arrays; dicts become objects.
- Anything else, and text with a lone surrogate, is refused; the error names the column and row.

Rules for the names of columns: `column_names.py`. The index is not collected.

`collect` encodes a frame at once, with one exception: if no cell can be refused and a copy is cheaper, it copies the
frame, and the delivery thread encodes it. Copying 1000 x 23 floats takes 15 us, encoding 2 ms.
"""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from ..exceptions import UnsupportedValueError

if TYPE_CHECKING:
    from .column_names import ColumnNameCache, ColumnNames

DEFERRED_CELLS = 2048
"""Frames of several types with at least this many cells are copied and encoded later; below, encoding is as cheap."""

MAX_DEFERRED_BYTES = 4 * 2**20
"""Larger frames are encoded at once: `collect` has to refuse a frame whose text is too large to send."""

MAX_JOINED_BYTES = 2**20
"""Frames share an event up to this size: well below the 4 MiB of a line."""

_CHUNK_ROWS = 128
"""Rows encoded in one go. Between chunks the interpreter may run the scoring thread, which encoding would block."""

_HARMLESS_KINDS = "fiub"
"""NumPy kinds whose values all have a JSON form."""


class _AnyRow(msgspec.Struct):
    """Matches any JSON object: decoding into it checks the syntax and builds nothing."""


_CHECK = msgspec.json.Decoder(list[_AnyRow])


class Rows:
    """The rows of one or more frames: JSON text, or a copy of the frame that is encoded later.

    Args:
        frame: the frame as the caller gave it.
        column_names: of the collection; used by the thread that encodes.

    Attributes:
        count: number of rows.
        nbytes: approximate memory of the rows; exact once encoded.
        is_text: always true, because JSON is UTF-8.
    """

    __slots__ = ("_column_names", "_dtype", "_labels", "_later", "_shape", "_source", "_text", "count", "nbytes")

    is_text = True

    def __init__(self, frame: pd.DataFrame, column_names: ColumnNameCache) -> None:
        self._column_names = column_names
        self._later: list[Rows] | None = None
        self._text: bytes | bytearray = b""
        numbers = _numbers(frame)
        if numbers is not None:
            self._labels, values = numbers
            self.nbytes = values.nbytes
            if self.nbytes <= MAX_DEFERRED_BYTES:
                # Copied column by column, as in memory. Copying into another array takes twice the time.
                self._source: bytes | pd.DataFrame | None = values.tobytes()
                self._dtype, self._shape = values.dtype, values.shape
                self.count = values.shape[1]
                return
        self.count = len(frame)
        self._labels = frame.columns  # an Index is immutable
        self._source = None if numbers is not None else _frozen(frame)
        if self._source is None:
            self._text = _encode(frame, self._columns())
            self.nbytes = len(self._text)
        else:
            self.nbytes = _memory_of(self._source)

    def may_join(self, later: Rows, nbytes: int) -> bool:
        """Whether one event of `nbytes` may hold both: their columns are equal, and the sum is small."""
        return nbytes + later.nbytes <= MAX_JOINED_BYTES and self._columns().names == later._columns().names

    def join(self, later: Rows) -> None:
        """Append other rows to these, after `may_join`."""
        if self._later is None:
            self._later = []
        self._later.append(later)
        self.count += later.count
        self.nbytes += later.nbytes

    def text(self) -> bytes | bytearray:
        """The rows as a JSON array of objects, UTF-8."""
        if self._source is not None:
            if isinstance(self._source, bytes):
                values = np.frombuffer(self._source, self._dtype).reshape(self._shape)
                self._text = _encode_values(values.T, self._columns(), checked=False)
            else:
                self._text = _encode(self._source, self._columns())
            self._source = None
        if self._later is not None:
            self._text = _joined([self._text, *(rows.text() for rows in self._later)])
            self._later = None
        self.nbytes = len(self._text)
        return self._text

    def _columns(self) -> ColumnNames:
        return self._column_names.names_of(self._labels)


def _joined(arrays: list[bytes | bytearray]) -> bytes:
    """Join JSON arrays into one."""
    return b"[" + b",".join(array[1:-1] for array in arrays if len(array) > len(b"[]")) + b"]"


def _numbers(frame: pd.DataFrame) -> tuple[pd.Index[Any], np.ndarray[tuple[int, int], np.dtype[Any]]] | None:
    """Labels and values (by column and row) of a frame of numbers of one type; None for other frames.

    This reads internals of pandas, because they are fast: in a process that just woke up, `frame.dtypes` takes 200 us,
    `to_numpy` 35 and `len` 10. Without these internals the public methods are used, which are slower.
    """
    manager: Any = getattr(frame, "_mgr", None)
    blocks: Any = getattr(manager, "blocks", ())
    if len(blocks) == 1:
        values = blocks[0].values
        if isinstance(values, np.ndarray) and values.dtype.kind in _HARMLESS_KINDS:
            return manager.axes[0], values
    return None


def _frozen(frame: pd.DataFrame) -> pd.DataFrame | None:
    """A copy that can safely be encoded later; None when encoding now is cheaper, or could be refused."""
    if len(frame) * len(frame.columns) < DEFERRED_CELLS or not all(map(_is_harmless, frame.dtypes)):
        return None
    frozen = frame.copy(deep=True)
    return frozen if _memory_of(frozen) <= MAX_DEFERRED_BYTES else None


def _is_harmless(dtype: object) -> bool:
    if isinstance(dtype, np.dtype):
        return dtype.kind in _HARMLESS_KINDS + "mM"
    return isinstance(dtype, (pd.StringDtype, pd.DatetimeTZDtype))


def _memory_of(frame: pd.DataFrame) -> int:
    held = frame.size * 8
    for position, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, pd.StringDtype):
            texts = frame.iloc[:, position].to_numpy(dtype=object)
            held += sum(len(text) for text in texts if isinstance(text, str))
    return held


def _encode(frame: pd.DataFrame, columns: ColumnNames) -> bytearray:
    values = frame.to_numpy(dtype=object)
    try:
        return _encode_values(values, columns, checked=True)
    except (TypeError, ValueError, RecursionError):
        pass
    # The rare case: a Decimal NaN, which the encoder prints as NaN, or a cell that the error has to name.
    finite = np.empty(values.shape, dtype=object)
    for position, cell in np.ndenumerate(values):
        finite[position] = None if isinstance(cell, decimal.Decimal) and not cell.is_finite() else cell
    try:
        return _encode_values(finite, columns, checked=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise _refusal(finite, columns.names, error) from None


def _encode_values(values: np.ndarray[Any, Any], columns: ColumnNames, *, checked: bool) -> bytearray:
    """The JSON of an array of rows and columns; `checked` for objects: the JSON of numbers cannot be wrong."""
    row = columns.row
    text = bytearray()
    for start in range(0, len(values), _CHUNK_ROWS):
        rows = [row(*cells) for cells in values[start : start + _CHUNK_ROWS].tolist()]
        # Its opening bracket is written over the closing one of the rows before, and becomes the comma between them.
        seam = max(0, len(text) - 1)
        _ENCODER.encode_into(rows, text, seam)
        if seam:
            text[seam] = ord(",")
    text = text or bytearray(b"[]")
    if checked:
        _CHECK.decode(text)
    return text


def _refusal(values: np.ndarray[Any, Any], names: list[str], error: Exception) -> UnsupportedValueError:
    for (row, column), cell in np.ndenumerate(values):
        if reason := _reason(cell):
            return UnsupportedValueError(f"column {names[column]!r}, row {row}: {reason}")
    return UnsupportedValueError(f"the frame cannot be written as JSON: {error}")


def _reason(cell: object) -> str | None:
    """Why one cell cannot be written; None when it can. Without its content, which may be personal."""
    try:
        msgspec.json.decode(_ENCODER.encode(cell))
    except UnicodeEncodeError:
        return "expected text, got a lone surrogate in it, which UTF-8 cannot carry: clean the text"
    except RecursionError:
        return "expected values nested at most about 1000 deep, got more: flatten them"
    except (TypeError, ValueError):
        return f"expected a value that JSON can carry, got {type(cell).__name__}: convert it first"
    return None


def _plain(value: Any) -> Any:  # noqa: PLR0911, PLR0912 - one line per family of types reads best
    """Convert what msgspec does not support: scalars of pandas, NumPy and Arrow, and subclasses of Python's types."""
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (pd.Timestamp, pd.Timedelta)):
        return value.isoformat()
    if isinstance(value, (pd.Period, pd.Interval)):
        return str(value)
    if isinstance(value, np.ndarray):
        if not value.ndim:
            return value[()]
        return list(value) if value.dtype.kind in "mM" else value.tolist()
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.timedelta64):
        return pd.Timedelta(value)
    if isinstance(value, np.longdouble):
        return float(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (pd.Series, pd.Index)):
        return value.tolist()
    for kind in (str, bytes, int, float):
        if isinstance(value, kind):
            return kind(value)  # type: ignore[arg-type] # `value` is of this kind
    if callable(as_py := getattr(value, "as_py", None)):
        return as_py()
    raise TypeError(type(value).__name__)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
