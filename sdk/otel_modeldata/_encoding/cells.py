"""The value of one cell as the encoder writes it: text, numbers, true, false, null, lists and dicts with keys of text.

Equal values of a type have equal results, wherever they come from: a column, a list, a dict, an array.
`columns.py` reads whole columns, and uses this module for cells that are Python objects.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from types import NoneType
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd

from .kept.part import CannotKeepError
from .number_range import are_small, check_decimal
from .short_floats import shortest, shortest_of
from .text_size import text_bytes
from .times import duration_text, duration_texts, time_texts

SCALARS: Final[frozenset[type]] = frozenset({str, int, float, bool, NoneType})
"""Types of cells that are written as they are. Such cells are also immutable."""

SHARED_TYPES: Final = SCALARS | {type(pd.NA), type(pd.NaT)}
"""Types of cells that cannot change."""
_CONVERTED_TYPES: Final = frozenset(
    {pd.Timestamp, pd.Timedelta, dt.datetime, dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, np.float64}
    | {np.float32, np.int64, np.int32, np.bool_}
)
"""Of cells that have a JSON form which cannot change: as cheap to make now as later."""
_ELEMENT_TYPES: Final = frozenset({float, bool, NoneType})
"""Of lists in cells that are copied."""
NUMBERS: Final = "fiub"
"""NumPy kinds of numbers whose values all have a JSON form."""

Array = np.ndarray[Any, np.dtype[Any]]


def plain(value: object) -> Any:
    """One cell, or one element of a list in a cell.

    Raises:
        TypeError: it has no JSON form; the text is the name of its type.
        RecursionError: it is nested too deep.
    """
    return _CONVERTERS.get(type(value), _other)(value)


def plain_all(cells: list[Any]) -> list[Any]:
    """Many cells; the list itself when nothing in it has to be converted."""
    if SCALARS.issuperset(map(type, cells)):
        return cells
    return [_CONVERTERS.get(type(cell), _other)(cell) for cell in cells]


def kept_cell(cell: Any, sizes: list[int]) -> Any:
    """A cell that no later change reaches; its size is appended to `sizes`.

    Raises:
        CannotKeepError: it may change, or be refused.
    """
    kind = type(cell)
    if kind is str:
        sizes.append(text_bytes([cell]))
        return cell
    if kind is int and not are_small([cell]):
        raise CannotKeepError
    if kind in SHARED_TYPES:
        return plain(cell)
    if kind in _CONVERTED_TYPES:
        converted = plain(cell)
        sizes.append(sys.getsizeof(converted))
        return converted
    if kind is np.ndarray and cell.dtype.kind in NUMBERS:
        sizes.append(cell.size * 8 + 128)
        return cell.copy()
    if kind is list and _ELEMENT_TYPES.issuperset(map(type, cell)):
        sizes.append(len(cell) * 40 + 64)  # floats are objects
        return cell.copy()
    raise CannotKeepError


def array_cells(values: Array) -> list[Any]:
    """The cells of a NumPy array of one dimension and any type."""
    dtype = values.dtype
    if not dtype.isnative:
        values = values.astype(dtype.newbyteorder("="))
    return _READERS.get(dtype.kind, _read_objects)(values)


def _read_floats(values: Array) -> list[Any]:
    if values.dtype.itemsize < 8:
        values = shortest(values)
    elif values.dtype.itemsize > 8:
        with np.errstate(all="ignore"):
            values = values.astype(np.float64)
    return values.tolist()  # type: ignore[no-any-return]


def _read_objects(values: Array) -> list[Any]:
    return plain_all(list(values) if values.dtype.kind == "V" else values.tolist())


_READERS: Final[Mapping[str, Callable[[Array], list[Any]]]] = {
    **dict.fromkeys("biuUS", lambda values: values.tolist()),
    "f": _read_floats,
    "M": time_texts,
    "m": duration_texts,
}
"""By kind of the type; other kinds are read as objects."""


def _same(value: Any) -> Any:
    return value


def _time(value: Any) -> str:
    return value.isoformat()  # type: ignore[no-any-return]


def _duration(value: dt.timedelta) -> str:
    return duration_text((value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds, "us")


def _decimal(value: decimal.Decimal) -> decimal.Decimal | None:
    if not value.is_finite():
        return None
    check_decimal(value)
    return value


def _list(items: Iterable[Any]) -> Any:
    cells = items if isinstance(items, (list, tuple)) else list(items)
    if SCALARS.issuperset(map(type, cells)):
        return cells
    # Not by `plain_all`: a list in a list takes one frame of the stack, not two.
    return [_CONVERTERS.get(type(cell), _other)(cell) for cell in cells]


def _object(items: Mapping[Any, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in items.items():
        name = key if type(key) is str else _key(key)
        if name in result:
            raise TypeError(f"{type(items).__name__} with keys that are equal as text")
        result[name] = _CONVERTERS.get(type(value), _other)(value)
    return result


def _key(key: object) -> str:
    """A key as text: like the name of a column, `0` becomes "0"."""
    cell = plain(key)
    if isinstance(cell, (bytes, bytearray)):
        return msgspec.to_builtins(cell)  # type: ignore[no-any-return]
    if isinstance(cell, (list, tuple, dict)):
        raise TypeError("dict")
    return str(cell)


def _array(values: Array) -> Any:
    """An array in a cell: nested lists; what is masked is null."""
    if values is np.ma.masked:
        return None
    if not values.ndim and not isinstance(values, np.ma.MaskedArray):
        return plain(values[()])
    if isinstance(values, np.ma.MaskedArray) and values.dtype.names:
        return _nested(_masked_records(values), values.shape)
    flat = np.asarray(values).reshape(-1)
    cells = array_cells(flat)
    mask = np.ma.getmask(values)
    if mask is not np.ma.nomask and mask.dtype.kind == "b":
        cells = [None if hidden else cell for cell, hidden in zip(cells, mask.reshape(-1).tolist(), strict=True)]
    return _nested(cells, values.shape)


def _masked_records(values: np.ma.MaskedArray[Any, Any]) -> list[Any]:
    """Records as lists, like those of an array without a mask; each field has a mask of its own."""
    flat = values.reshape(-1)
    return [list(record) for record in zip(*(_array(flat[name]) for name in values.dtype.names), strict=True)]


def _nested(cells: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return cells[0]
    for length in reversed(shape[1:]):
        count = len(cells) // length if length else _product(shape[:-1])
        cells = [cells[n * length : (n + 1) * length] for n in range(count)]
        shape = shape[:-1]
    return cells


def _product(numbers: Iterable[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _numpy_scalar(value: np.generic) -> Any:
    kind = value.dtype.kind
    if kind == "f":
        return shortest_of(value) if value.dtype.itemsize < 8 else float(value)  # type: ignore[arg-type]
    if kind == "M":
        return time_texts(np.array([value]))[0]
    if kind == "m":
        return duration_texts(np.array([value]))[0]
    if kind == "V" and value.dtype.names:
        return [plain(value[name]) for name in value.dtype.names]  # type: ignore[index]
    if kind == "c":
        raise TypeError(type(value).__name__)
    return plain(value.item())


def _attributes(value: Any, names: Iterable[str]) -> dict[str, Any]:
    return _object({name: getattr(value, name) for name in names})


def _other(value: Any) -> Any:  # noqa: PLR0911 - one line per family of types reads best
    """A type that `_CONVERTERS` does not name: scalars of NumPy and Arrow, arrays, subclasses, containers."""
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.generic):
        return _numpy_scalar(value)
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, (pd.Series, pd.Index, pd.api.extensions.ExtensionArray, pd.DataFrame)):
        from .columns import cells_of, row_dicts  # noqa: PLC0415 - columns consist of cells, and cells may hold columns

        if isinstance(value, pd.DataFrame):
            return row_dicts(value)
        return cells_of(value if isinstance(value, pd.api.extensions.ExtensionArray) else value.array)
    for kind, converter in _FAMILIES:
        if isinstance(value, kind):
            return converter(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _attributes(value, [field.name for field in dataclasses.fields(value)])
    if isinstance(value, msgspec.Struct):
        return _attributes(value, value.__struct_fields__)
    if not isinstance(value, type) and (names := getattr(type(value), "__attrs_attrs__", None)) is not None:
        return _attributes(value, [field.name for field in names])
    if type(value).__module__.partition(".")[0] == "pyarrow" and hasattr(value, "type"):
        from .arrow_cells import cells_of_arrow, cells_of_scalar  # noqa: PLC0415 - pyarrow is optional

        is_array = hasattr(value, "slice")
        return cells_of_arrow(value) if is_array else cells_of_scalar(value)
    raise TypeError(type(value).__name__)


_CONVERTERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    **dict.fromkeys((*SCALARS, bytes, bytearray), _same),
    type(pd.NA): lambda _: None,
    type(pd.NaT): lambda _: None,
    pd.Timestamp: _time,
    pd.Timedelta: _time,
    pd.Period: str,
    pd.Interval: str,
    dt.datetime: _time,
    dt.date: _time,
    dt.time: _time,
    dt.timedelta: _duration,
    decimal.Decimal: _decimal,
    uuid.UUID: str,
    memoryview: bytes,
    list: _list,
    tuple: _list,
    set: _list,
    frozenset: _list,
    dict: _object,
    np.ndarray: _array,
    np.float64: float,
    np.int64: int,
    np.bool_: bool,
    np.float32: shortest_of,
}
"""By the exact type, for speed; `_other` has the rest."""

_FAMILIES: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    # `str(value)` would call a method of the subclass.
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, lambda value: b"".join((value,))),
    (pd.Timestamp, _time),
    (pd.Timedelta, _time),
    (dt.timedelta, _duration),
    ((dt.date, dt.time), _time),
    (decimal.Decimal, _decimal),
    ((uuid.UUID, PurePath), str),
    (bytearray, bytes),
    (array.array, lambda value: _array(np.asarray(value))),
    (Mapping, _object),
    ((Sequence, AbstractSet, collections.deque), _list),
)
"""Subclasses of Python's own types, and containers."""
