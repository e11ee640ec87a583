"""Rows as a Parquet file that pandas reads with the dtypes that were collected.

The file has the Arrow types of the columns, and pandas' own description of the frame (the key `pandas`), which
`pandas.read_parquet` follows. It is known at the end only: a column of integers becomes nullable where it has nulls.
So the file is copied in the rare case that the description of the first batch was wrong, or that categories occur in
another order than theirs.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..exceptions import ExportError
from ..progress import step
from .exported import Exported, batches_of
from .frame_sample import FrameSample
from .new_file import new_file
from .parquet_categories import OccurringCategories
from .parquet_types import as_written, written_schema

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from .exported import Rows

__all__ = ["to_parquet"]

_GROUP_ROWS: Final = 131_072
_GROUP_BYTES: Final = 64 << 20
_LEVEL: Final = 3
_KEY: Final = b"pandas"


def to_parquet(rows: Rows, path: str | os.PathLike[str], *, overwrite: bool = False) -> Exported:
    """Write rows into a Parquet file, compressed with zstd.

    Args:
        rows: a reading, joined rows, or a query.
        path: the file.
        overwrite: whether to replace a file of this name.

    Returns:
        What was written. Its notes name columns that Parquet has no type for.

    Raises:
        ExportError: there is a file of this name, or the file cannot be written.
        ReaderError: the rows cannot be read.
    """
    batches = batches_of(rows)
    with new_file(path, overwrite=overwrite) as new:
        first = next(batches)
        _check_names(first.schema)
        schema = written_schema(first.schema)
        seen = FrameSample(first.schema, schema)
        seen.add(first)
        described = seen.description()
        categories = OccurringCategories(first.schema, schema)
        count = 0
        try:
            with _writer(new.path, schema, described.metadata) as writer:
                for group in _groups(chain([first], batches)):
                    for batch in group:
                        seen.add(batch)
                        count += batch.num_rows
                    table = as_written(pa.Table.from_batches(group).unify_dictionaries(), schema)
                    writer.write_table(categories.of_table(table))
        except pa.ArrowNotImplementedError as error:
            raise ExportError(f"expected columns that Parquet has types for, got others: {error}") from None
        final = seen.description()
        if final.metadata != described.metadata or not categories.are_sorted:
            categories.sort()
            with step(f"{new.final}, written again"):
                _write_again(new.path, schema, final.metadata, categories)
    return Exported(path=new.final, rows=count, size=new.size, notes=final.notes)


def _check_names(schema: pa.Schema) -> None:
    names = schema.names
    if not names:
        raise ExportError("expected a column for Parquet, got none: name one")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ExportError(
            f"expected each column once, as pandas reads Parquet, got {repeated[0]!r} twice: leave one out"
        )


def _writer(path: Path, schema: pa.Schema, metadata: bytes) -> Any:
    with_metadata = schema.with_metadata({**(schema.metadata or {}), _KEY: metadata})
    return pq.ParquetWriter(path, with_metadata, compression="zstd", compression_level=_LEVEL)


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield waiting
            waiting, rows, size = [], 0, 0
    if waiting:
        yield waiting


def _write_again(path: Path, schema: pa.Schema, metadata: bytes, categories: OccurringCategories) -> None:
    copy = path.with_suffix(".copy.part")
    try:
        with pq.ParquetFile(path) as file, _writer(copy, schema, metadata) as writer:
            for number in range(file.num_row_groups):
                writer.write_table(categories.of_table(as_written(file.read_row_group(number), schema)))
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)
