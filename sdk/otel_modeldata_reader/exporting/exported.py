"""What is exported, and what is reported of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Exported", "Rows", "batches_of"]


class Rows(Protocol):
    """Rows that can be exported: a `Reading`, a `Query` or `JoinedRows`."""

    def to_arrow(self) -> pa.Table:
        """The rows as a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: the file or folder.
        rows: how many.
        size: bytes.
        notes: what the format has no exact form for; each is one sentence.
    """

    path: Path
    rows: int
    size: int
    notes: tuple[str, ...] = ()


def batches_of(rows: Rows) -> Iterator[pa.RecordBatch]:
    """The batches of some rows, in bounded memory where they have batches; at least one, for its schema.

    Raises:
        ReaderError: the rows cannot be read.
    """
    batches: Any = getattr(rows, "batches", None)
    is_empty = True
    for batch in rows.to_arrow().to_batches() if batches is None else batches():
        is_empty = False
        yield batch
    if is_empty:
        schema = rows.to_arrow().schema
        yield pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
