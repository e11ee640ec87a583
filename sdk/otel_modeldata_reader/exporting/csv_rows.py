"""Rows as CSV (RFC 4180) in UTF-8, with a header. A null is an empty field, an empty text is `""`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ..report import counted
from ..types.plain_values import plain_batch
from .exported import Exported, batches_of
from .new_file import new_file

if TYPE_CHECKING:
    import os

    from .exported import Rows

__all__ = ["CsvRows", "to_csv"]

_FORMULA: Final = r"^[=+\-@\t\r]"
"""How a text begins that a spreadsheet may run as a formula."""


class CsvRows:
    """Makes CSV of batches of one schema.

    Texts are written as they are, also those that a spreadsheet would run as formulas; `formulas` counts them.
    """

    def __init__(self) -> None:
        self.formulas = 0

    def header(self, schema: pa.Schema) -> bytes:
        """The first line."""
        empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
        return _csv(plain_batch(empty, nested=False), has_header=True)

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """The lines of some rows."""
        plain = plain_batch(batch, nested=False)
        for column in plain.columns:
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                self.formulas += pc.sum(pc.match_substring_regex(column, _FORMULA)).as_py() or 0
        return _csv(plain, has_header=False)


def to_csv(rows: Rows, path: str | os.PathLike[str], *, overwrite: bool = False) -> Exported:
    """Write rows into a CSV file.

    Args:
        rows: a reading, joined rows, or a query.
        path: the file.
        overwrite: whether to replace a file of this name.

    Returns:
        What was written, and what a spreadsheet would not take as it is.

    Raises:
        ExportError: there is a file of this name, or the file cannot be written.
        ReaderError: the rows cannot be read.
    """
    csv = CsvRows()
    count = 0
    with new_file(path, overwrite=overwrite) as new, new.path.open("wb") as file:
        for batch in batches_of(rows):
            if count == 0 and file.tell() == 0:
                file.write(csv.header(batch.schema))
            file.write(csv.rows(batch))
            count += batch.num_rows
    notes = []
    if csv.formulas:
        notes.append(
            f"{counted(csv.formulas, 'text')} with =, +, -, @ or a tab at the beginning: a spreadsheet may run "
            "such texts as formulas, so import their columns as text"
        )
    return Exported(path=new.final, rows=count, size=new.size, notes=tuple(notes))


def _csv(batch: pa.RecordBatch, *, has_header: bool) -> bytes:
    sink = pa.BufferOutputStream()
    options: Any = pa_csv.WriteOptions(include_header=has_header)
    pa_csv.write_csv(batch, sink, options)
    return bytes(sink.getvalue())
