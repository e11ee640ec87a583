"""The types that pyarrow.json reads exactly, and the exact columns that are made of them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from .clock_texts import clock_count, duration_count
from .nested import as_dictionary, is_list, is_run_end_encoded, is_view, list_of, run_end_encoded

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["exact", "storage_of"]


def storage_of(kind: Any) -> Any:  # noqa: PLR0911 - one line per family of types reads best
    """The type by which pyarrow.json reads a column of the type `kind`; None where it cannot."""
    if isinstance(kind, pa.BaseExtensionType):
        return None
    if _is_read_as_it_is(kind):
        return kind
    if types.is_float16(kind):
        return pa.float32()
    if types.is_timestamp(kind):
        # A text has no decimal digits or at least six: milliseconds are read as microseconds.
        return pa.timestamp("us", kind.tz) if kind.unit == "ms" else kind
    if types.is_date(kind):
        return pa.timestamp("s")
    if _is_text_in_json(kind):
        return pa.string()
    if types.is_dictionary(kind) or is_run_end_encoded(kind):
        return storage_of(kind.value_type)
    if types.is_struct(kind):
        return _struct(kind)
    if is_list(kind):
        element = storage_of(kind.value_type)
        return None if element is None else pa.list_(element)
    return None


def _is_read_as_it_is(kind: Any) -> bool:
    is_number = types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind) or types.is_decimal(kind)
    return bool(is_number or types.is_null(kind) or types.is_boolean(kind) or types.is_string(kind))


def _is_text_in_json(kind: Any) -> bool:
    is_binary = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    is_other_text = types.is_large_string(kind) or is_view(kind, "string_view") or is_view(kind, "binary_view")
    return bool(is_binary or is_other_text or types.is_time(kind) or types.is_duration(kind))


def _struct(kind: Any) -> Any:
    fields = [kind.field(number) for number in range(kind.num_fields)]
    storages = [storage_of(field.type) for field in fields]
    if not fields or len({field.name for field in fields}) < len(fields) or any(part is None for part in storages):
        return None
    return pa.struct([(field.name, storage) for field, storage in zip(fields, storages, strict=True)])


def exact(array: Any, kind: Any) -> Any:  # noqa: PLR0911 - as above
    """An array of the type `kind`, made of one of the type `storage_of(kind)`.

    Raises:
        ValueError: a text is no value of this type.
    """
    if array.type == kind:
        return array
    if types.is_dictionary(kind):
        return as_dictionary(exact(array, kind.value_type), kind)
    if is_run_end_encoded(kind):
        return run_end_encoded(exact(array, kind.value_type), kind)
    if types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        parts = [exact(part, field.type) for part, field in zip(array.flatten(), fields, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=fields, mask=array.is_null())
    if is_list(kind):
        return list_of(pc.list_value_length(array).to_pylist(), exact(array.flatten(), kind.value_type), kind)
    if types.is_duration(kind):
        return _read(array, lambda text: duration_count(text, kind.unit), pa.int64()).cast(kind)
    if types.is_time(kind):
        counts = pa.int32() if types.is_time32(kind) else pa.int64()
        return _read(array, lambda text: clock_count(text, kind.unit), counts).cast(kind)
    if _is_text_in_json(kind) and not (types.is_large_string(kind) or is_view(kind, "string_view")):
        return _read(array, lambda text: base64.b64decode(text, validate=True), kind)
    return array.cast(kind)


def _read(array: Any, read: Callable[[str], Any], kind: Any) -> Any:
    return pa.array([None if text is None else read(text) for text in array.to_pylist()], kind)
