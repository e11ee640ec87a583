"""Samples of joined rows as Arrow tables."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..queries.joined_rows import joined_rows
from ..queries.samples import sampled
from ..tables.slices import even_slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from otel_modeldata_reader.window import Window

    from ..queries.filters import Filter
    from ..queries.joined_rows import OwnColumn
    from ..tables.database import Database
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["SAMPLE_ROWS", "Sample", "sample_of"]

SAMPLE_ROWS: Final = 50_000
_LEAST: Final = 2_000
"""With fewer rows after the filters more are read, while there is time."""
_SECONDS: Final = 0.8
_FACTOR: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Some rows.

    Attributes:
        table: the columns, by their names with the role.
        share: of the rows of the window that were looked at; 1.0 is all of them.
    """

    table: pa.Table
    share: float


def sample_of(  # noqa: PLR0913, PLR0917 (what a query takes)
    database: Database,
    rows: DeploymentRows,
    columns: Sequence[OwnColumn],
    filters: Sequence[Filter],
    window: Window,
    most: int = SAMPLE_ROWS,
) -> Sample:
    """A sample of the rows that all filters choose.

    Args:
        database: has the rows.
        rows: of the deployment.
        columns: the wanted ones.
        filters: all must hold.
        window: only rows of this window.
        most: rows to look at; more if the filters leave few.

    Raises:
        ReaderError: a filter does not fit.
    """
    end = time.monotonic() + _SECONDS
    while True:
        start = time.monotonic()
        slices, share = even_slices(rows.base.pieces, window, most)
        chosen = joined_rows(rows, columns, filters, window, base=slices)
        names = [one.name for one in columns]
        text = sampled(chosen, columns)
        table = database.table(text.text, text.parameters)
        now = time.monotonic()
        if share >= 1.0 or table.num_rows >= _LEAST or now + (now - start) * _FACTOR > end:
            if names:
                table = table.rename_columns(names)
            return Sample(table=table, share=share)
        most *= _FACTOR
