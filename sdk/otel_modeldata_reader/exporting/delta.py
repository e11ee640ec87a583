"""Rows as a table of Delta Lake, by the package `deltalake`.

Delta has fewer types than Arrow: its times have microseconds, its integers a sign and at most 64 bits. What a table
has of a column is reported before anything is written, and an integer that it cannot hold is refused before that.
"""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ..exceptions import ExportError, ReaderError
from ..rows.column_types import MISMATCH
from .exported import Exported, batches_of
from .new_file import check_free, new_file
from .parquet_types import values_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .exported import Rows

__all__ = ["to_delta"]

_GREATEST: Final = 2**63 - 1
_DECIMAL_DIGITS: Final = 38
_SYSTEM_ERROR: Final = re.compile(r"\(os error (\d+)\)")
"""What Rust writes about an error of the system, whatever the class of the error is in Python."""


def to_delta(
    rows: Rows,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    report: Callable[[str], object] = lambda _: None,
) -> Exported:
    """Write rows into a new table of Delta Lake.

    Args:
        rows: a reading, joined rows, or a query. Columns of unsigned 64-bit integers are read twice.
        path: the folder of the table.
        overwrite: whether to replace a table of this name; another folder or file is never replaced.
        report: called with each note before anything is written.

    Returns:
        What was written. Its notes name the columns that have another type in the table.

    Raises:
        ExportError: `deltalake` is not installed, there is a folder of this name, it cannot be written, or the table
            cannot hold a value.
        ReaderError: the rows cannot be read.
    """
    try:
        deltalake = import_module("deltalake")
    except ImportError:
        raise ExportError("expected the package deltalake, got none: pip install deltalake") from None
    check_free(Path(path), overwrite=overwrite)
    _check_replaceable(Path(path))
    batches = batches_of(rows)
    first = next(batches)
    found = first.schema
    _check_names(found)
    if any(_has_unsigned(field.type) for field in found):
        _check_unsigned(first)
        for batch in batches:
            _check_unsigned(batch)
        batches = batches_of(rows)
        first = next(batches)
    schema = pa.schema([pa.field(field.name, _delta_type(field.type)) for field in found])
    notes = tuple(
        f"column {one.name!r} is {one.type} here, and {other.type} in Delta"
        for one, other in zip(found, schema, strict=True)
        if not _is_same(one.type, other.type)
    )
    for note in notes:
        report(note)
    counted = [0]

    def cast() -> Iterator[pa.RecordBatch]:
        one = first
        while one is not None:
            counted[0] += one.num_rows
            columns = [_cast(column, field.type) for column, field in zip(one.columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            one = next(batches, None)

    with new_file(path, overwrite=overwrite) as new:
        _write(deltalake, new.path, pa.RecordBatchReader.from_batches(schema, cast()))
    return Exported(path=new.final, rows=counted[0], size=new.size, notes=notes)


def _check_replaceable(path: Path) -> None:
    """Raise ExportError if something else than a table would be deleted, such as a store."""
    if os.path.lexists(path) and (path.is_symlink() or not (path / "_delta_log").is_dir()):
        raise ExportError(
            f"expected a table of Delta Lake to overwrite, got {path}, which is none: choose another name, or remove it"
        )


def _check_names(schema: pa.Schema) -> None:
    first: dict[str, str] = {}
    for name in schema.names:
        if (other := first.setdefault(name.casefold(), name)) != name or schema.names.count(name) > 1:
            raise ExportError(
                f"expected columns whose names differ in more than case, which Delta can hold, got {other!r} and "
                f"{name!r}: leave one out"
            )


def _write(deltalake: Any, path: Path, reader: Any) -> None:
    try:
        deltalake.write_deltalake(str(path), reader)
    except (ReaderError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 (the errors of its schemas are of no other class)
        if found := _SYSTEM_ERROR.search(str(error)):  # a full disk, for example
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from None
        raise ExportError(f"expected rows that Delta can hold, got others: {' '.join(str(error).split())}") from None


def _has_unsigned(kind: Any) -> bool:
    return bool(pa.types.is_uint64(kind) or (pa.types.is_dictionary(kind) and pa.types.is_uint64(kind.value_type)))


def _check_unsigned(batch: pa.RecordBatch) -> None:
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not _has_unsigned(field.type):
            continue
        greatest = pc.max(column.cast(pa.uint64())).as_py()
        if greatest is not None and greatest > _GREATEST:
            raise ExportError(
                f"expected integers below 2**63 in column {field.name!r}, which Delta can hold, got {greatest}: export "
                "Parquet, or leave the column out"
            )


def _delta_type(kind: Any) -> Any:  # noqa: PLR0911, PLR0912 (a table of kinds)
    if pa.types.is_dictionary(kind):
        return _delta_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", None if kind.tz is None else "UTC")
    if pa.types.is_duration(kind) or pa.types.is_uint64(kind) or pa.types.is_uint32(kind):
        return pa.int64()
    if pa.types.is_uint16(kind):
        return pa.int32()
    if pa.types.is_uint8(kind):
        return pa.int16()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_decimal(kind):
        fits = kind.precision <= _DECIMAL_DIGITS and kind.scale >= 0
        return pa.decimal128(kind.precision, kind.scale) if fits else pa.string()
    if any(is_kind(kind) for is_kind in (pa.types.is_time, pa.types.is_null, pa.types.is_union)):
        return pa.string()
    if kind == pa.month_day_nano_interval():
        return pa.string()
    if pa.types.is_fixed_size_binary(kind) or pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_map(kind):
        return pa.map_(_delta_type(kind.key_type), _delta_type(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _delta_type(field.type)) for field in kind])
    if pa.types.is_nested(kind):
        return pa.list_(_delta_type(kind.value_type))
    return kind


def _is_same(one: Any, other: Any) -> bool:
    """Whether a type has the same values in a table, so that there is nothing to report."""
    if pa.types.is_dictionary(one):
        return _is_same(one.value_type, other)
    if pa.types.is_large_string(one) or pa.types.is_null(one):
        return True
    return bool(one == other)


def _cast(column: Any, kind: Any) -> Any:
    if column.type == kind:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return column.cast(kind, safe=not pa.types.is_timestamp(kind))
    except MISMATCH:
        return pa.array(values_as(column.to_pylist(), kind), kind)
