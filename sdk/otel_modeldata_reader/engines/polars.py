"""A lazy frame of Polars that reads only the columns that a query uses, and stops when it has enough rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pyarrow as pa

from ..exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from .planning import ReadPlan

__all__ = ["scan_polars"]


def scan_polars(plan: ReadPlan) -> pl.LazyFrame:
    """The rows of a plan.

    Raises:
        ReaderError: Polars is not installed.
    """
    try:
        from polars.io.plugins import register_io_source  # noqa: PLC0415 (optional)
    except ImportError:
        raise ReaderError("expected Polars, got no such package: pip install polars") from None

    def frames(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        rows: int | None,
        batch_size: int | None,  # noqa: ARG001 (Polars passes it)
    ) -> Iterator[pl.DataFrame]:
        for partition in plan.partitions:
            for batch in partition.batches():
                frame = _frame(pa.Table.from_batches([batch]))
                if predicate is not None:
                    frame = frame.filter(predicate)
                if columns is not None:
                    frame = frame.select(columns)
                if rows is not None:
                    frame = frame.head(rows)
                    rows -= frame.height
                yield frame
                if rows == 0:
                    return

    return register_io_source(frames, schema=_frame(plan.schema.empty_table()).schema)


def _frame(table: pa.Table) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 (optional)

    return cast("pl.DataFrame", pl.from_arrow(table))
