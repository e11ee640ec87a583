"""Rows that were read together while a collection is followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

__all__ = ["NewRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRows:
    """Some rows of a collection, in the order of their times.

    Attributes:
        table: the rows, with the envelope's columns before their own. The types are those of these rows: a column may
            have another one in the next rows.
        skipped: how many lines were left out since the rows before, by the names of `ReadReport`: `duplicates`,
            `foreign`, `mismatched` (read, but without their types), `missing_payloads`. Also `undecided`: events for
            whose values the condition cannot be evaluated, although it could for others.
    """

    table: pa.Table
    skipped: Mapping[str, int] = field(default_factory=dict)

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a frame."""
        from ..rows.frames import to_pandas  # noqa: PLC0415 (imports pyarrow)

        return to_pandas(self.table.select(self.table.column_names))  # a copy, because it releases columns
