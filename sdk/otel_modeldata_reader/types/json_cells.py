"""Reads a column cell by cell, of any type: what pyarrow.json cannot read, and texts of times that are unusual."""

from __future__ import annotations

import base64
import decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
from pyarrow import types

from .clock_texts import clock_count, date_count, duration_count, time_count
from .nested import as_dictionary, is_run_end_encoded, is_view, list_of, run_end_encoded, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["array_of", "texts_of"]

_decoder: Final = msgspec.json.Decoder(float_hook=decimal.Decimal)
"""Numbers with their own digits."""
_DAY_MS: Final = 86_400_000


def texts_of(cells: Sequence[msgspec.Raw]) -> Any:
    """A text column with the JSON of each cell; null is null."""
    texts = [str(memoryview(cell), "utf-8") for cell in cells]
    return pa.array([None if text == "null" else text for text in texts], pa.string())


def array_of(cells: Sequence[msgspec.Raw], kind: Any) -> Any:
    """An array of the type `kind`.

    Raises:
        ValueError: a cell is no value of this type; also `TypeError`, `OverflowError`, `KeyError`, errors of Arrow.
    """
    return _array([_decoder.decode(cell) for cell in cells], kind)


def _array(values: list[Any], kind: Any) -> Any:  # noqa: PLR0911 - one line per family of types reads best
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(values, kind)
    if types.is_dictionary(kind):
        return as_dictionary(_array(values, kind.value_type), kind)
    if is_run_end_encoded(kind):
        return run_end_encoded(_array(values, kind.value_type), kind)
    if types.is_struct(kind):
        return _struct(values, kind)
    if types.is_map(kind):
        return _map(values, kind)
    if hasattr(kind, "value_type"):  # of a list of any form
        elements = [element for value in values if value is not None for element in _checked(value, _LIST)]
        lengths = [None if value is None else len(value) for value in values]
        return list_of(lengths, _array(elements, kind.value_type), kind)
    storage, read = _leaf(kind)
    return pa.array([None if value is None else read(value) for value in values], storage).cast(kind)


def _extension(values: list[Any], kind: Any) -> Any:
    if kind.extension_name == "arrow.uuid":
        cells = [None if value is None else bytes.fromhex(_checked(value, _TEXT).replace("-", "")) for value in values]
        return pa.ExtensionArray.from_storage(kind, pa.array(cells, kind.storage_type))
    if kind.extension_name == "arrow.bool8":
        values = [None if value is None else int(value) for value in values]
    return pa.ExtensionArray.from_storage(kind, _array(values, kind.storage_type))


def _struct(values: list[Any], kind: Any) -> Any:
    fields = [kind.field(number) for number in range(kind.num_fields)]
    if not fields:
        return pa.array([None if value is None else {} for value in values], kind)
    parts = [
        _array([None if value is None else _checked(value, _OBJECT)[name] for value in values], field.type)
        for name, field in zip(unique([field.name for field in fields]), fields, strict=True)
    ]
    gaps = pa.array([value is None for value in values], pa.bool_())
    return pa.StructArray.from_arrays(parts, fields=fields, mask=gaps)


def _map(values: list[Any], kind: Any) -> Any:
    pairs = [pair for value in values if value is not None for pair in _checked(value, _LIST)]
    keys = _array([key for key, _ in pairs], kind.key_type)
    items = _array([item for _, item in pairs], kind.item_type)
    offsets: list[int | None] = []
    end = 0
    for value in values:
        offsets.append(None if value is None else end)
        end += 0 if value is None else len(value)
    return pa.MapArray.from_arrays(pa.array([*offsets, end], pa.int32()), keys, items, type=kind)


def _leaf(kind: Any) -> tuple[Any, Callable[[Any], Any]]:  # noqa: PLR0911 - one line per family of types reads best
    """The type of the values that are read, and what reads one of them."""
    if types.is_floating(kind):
        return (pa.float32() if types.is_float16(kind) else kind), lambda number: float(_checked(number, _NUMBERS))
    if types.is_decimal(kind):
        return kind, lambda number: decimal.Decimal(_checked(number, _NUMBERS))
    if types.is_integer(kind):
        return kind, lambda number: _checked(number, _INTEGER)
    if types.is_timestamp(kind):
        return pa.int64(), lambda text: time_count(_checked(text, _TEXT), kind.unit)
    if types.is_date32(kind):
        return pa.int32(), lambda text: date_count(_checked(text, _TEXT))
    if types.is_date64(kind):
        return pa.int64(), lambda text: date_count(_checked(text, _TEXT)) * _DAY_MS
    if types.is_time(kind):
        return (pa.int32() if types.is_time32(kind) else pa.int64()), lambda text: clock_count(text, kind.unit)
    if types.is_duration(kind):
        return pa.int64(), lambda text: duration_count(text, kind.unit)
    if pa.types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return kind, lambda text: base64.b64decode(text, validate=True)
    if is_view(kind, "binary_view"):
        return kind, lambda text: base64.b64decode(text, validate=True)
    if kind == pa.month_day_nano_interval():
        return kind, tuple
    return kind, lambda value: _checked(value, _BOOLEAN if types.is_boolean(kind) else _TEXT)


def _checked(value: Any, expected: Collection[type]) -> Any:
    """A value of JSON of one of these types: Arrow would make an integer of 1.5."""
    if type(value) not in expected:
        raise ValueError(f"expected {' or '.join(kind.__name__ for kind in expected)}, got {value!r:.80}")
    return value


_INTEGER: Final = (int,)
_NUMBERS: Final = (int, decimal.Decimal)
_BOOLEAN: Final = (bool,)
_TEXT: Final = (str,)
_LIST: Final = (list,)
_OBJECT: Final = (dict,)
