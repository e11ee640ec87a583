"""The codes of Arrow types, the types in them included. Needs pyarrow, which a frame with such a column has loaded."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
from pyarrow import types

from .quoting import other, quoted, quoted_name

_LISTS: Final = ("large_list_view", "list_view", "fixed_size_list", "large_list", "list")
_SIMPLE: Final[dict[Any, str]] = {
    pa.null(): "null",
    pa.bool_(): "b",
    pa.float16(): "f2",
    pa.float32(): "f4",
    pa.float64(): "f8",
    pa.date32(): "date32",
    pa.date64(): "date64",
    pa.binary(): "binary",
    pa.large_binary(): "large_binary",
    pa.string(): "string",
    pa.large_string(): "large_string",
    pa.month_day_nano_interval(): "month_day_nano_interval",
    **{getattr(pa, f"{sign}{8 * size}")(): f"{sign[0]}{size}" for sign in ("int", "uint") for size in (1, 2, 4, 8)},
    **{getattr(pa, name)(): name for name in ("string_view", "binary_view") if hasattr(pa, name)},
}
_EXTENSIONS: Final = frozenset({"arrow.uuid", "arrow.json", "arrow.bool8"})
"""Arrow's own types whose cells and storage say all about them."""


def arrow_code(kind: Any) -> str:  # noqa: PLR0911 - one line per family of types reads best
    """The code of an Arrow type."""
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(kind)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple
    if types.is_timestamp(kind):
        return f"timestamp[{kind.unit}]" if kind.tz is None else f"timestamp[{kind.unit}, {quoted(kind.tz)}]"
    if types.is_duration(kind):
        return f"duration[{kind.unit}]"
    if types.is_time(kind):
        return f"time{kind.bit_width}[{kind.unit}]"
    if types.is_decimal(kind):
        return f"decimal{kind.bit_width}[{kind.precision}, {kind.scale}]"
    if types.is_fixed_size_binary(kind):
        return f"binary[{kind.byte_width}]"
    return _nested(kind)


def _extension(kind: Any) -> str:
    name = kind.extension_name
    return f"extension[{name}, {arrow_code(kind.storage_type)}]" if name in _EXTENSIONS else other(str(kind))


def _nested(kind: Any) -> str:
    if types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return f"struct[{', '.join(f'{quoted_name(field.name)}:{_nullable(field)}' for field in fields)}]"
    if types.is_map(kind):
        is_sorted = ", sorted" if kind.keys_sorted else ""
        return f"map[{arrow_code(kind.key_type)}, {_nullable(kind.item_field)}{is_sorted}]"
    if types.is_dictionary(kind):
        is_ordered = ", ordered" if kind.ordered else ""
        return f"dictionary[{arrow_code(kind.index_type)}, {arrow_code(kind.value_type)}{is_ordered}]"
    if kind.id == getattr(pa.lib, "Type_RUN_END_ENCODED", None):
        return f"run_end_encoded[{arrow_code(kind.run_end_type)}, {arrow_code(kind.value_type)}]"
    for name in _LISTS:
        if getattr(types, f"is_{name}", lambda _: False)(kind):
            size = f", {kind.list_size}" if name == "fixed_size_list" else ""
            return f"{name}[{_element(kind.value_field)}{size}]"
    return other(str(kind))


def _element(field: Any) -> str:
    return _nullable(field) if field.name == "item" else f"{quoted_name(field.name)}:{_nullable(field)}"


def _nullable(field: Any) -> str:
    return arrow_code(field.type) + ("" if field.nullable else "!")
