"""The columns of the result of a query, with the types that were collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ..exceptions import ReaderError
from .column_types import restored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .plain_columns import PlainColumns
    from .stored_table import StoredTable

__all__ = ["Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """How batches of DuckDB become batches of a result.

    Attributes:
        schema: of the result.
    """

    schema: pa.Schema

    @classmethod
    def of(cls, found: pa.Schema, tables: Sequence[StoredTable], plain: PlainColumns) -> Result:
        """The result of a query.

        Args:
            found: the columns that DuckDB gives.
            tables: that the query reads.
            plain: the columns that are columns of these as they are.
        """
        fields: dict[str, list[pa.Field]] = {}
        for table in tables:
            for name, field in table.fields.items():
                fields.setdefault(name.casefold(), []).append(field)
        columns = []
        for field, name in zip(found, _names(found.names), strict=True):
            if isinstance(field.type, pa.BaseExtensionType):
                raise ReaderError(
                    f"expected columns that Arrow has types for, got {name!r}: write CAST({name} AS VARCHAR) AS {name}"
                )
            source = plain.source(field.name)
            candidates = [] if source is None else fields.get(source, [])
            original = candidates[0] if candidates else field
            if any(not original.equals(other, check_metadata=True) for other in candidates):
                original = field  # of one of several tables, in which it has different types
            columns.append(original.with_name(name).with_nullable(True))
        return cls(pa.schema(columns))

    def empty(self) -> pa.RecordBatch:
        """A batch without rows."""
        return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in self.schema], schema=self.schema)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of the result."""
        columns = [restored(column, field) for column, field in zip(batch.columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _names(names: Sequence[str]) -> list[str]:
    """The names of columns, each once: `a.id` and `b.id` are `id` and `id_1`."""
    used = set(names)
    found: list[str] = []
    for name in names:
        own, number = name, 1
        while own in found or (own != name and own in used):
            own, number = f"{name}_{number}", number + 1
        found.append(own)
    return found
