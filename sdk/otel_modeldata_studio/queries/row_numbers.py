"""Rows by their numbers: from the first row of the first file on, in the order of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata_reader.window import Window

from .filters import condition
from .joined_rows import joined_rows, own_column
from .scans import AT, scan
from .sql import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..tables.deployment_rows import DeploymentRows, Side
    from ..tables.piece import Piece, Slice
    from .filters import Filter
    from .sql import Sql

__all__ = ["numbers_of_rows", "numbers_of_side", "times_of_rows"]


def numbers_of_side(rows: DeploymentRows, side: Side, filters: Sequence[Filter], starts: Mapping[str, int]) -> Sql:
    """The numbers of the rows of a side that all filters choose.

    Args:
        rows: of the deployment.
        side: one of them.
        filters: of columns of this side, at least one.
        starts: the number of the first row of each file, by its path.

    Raises:
        ReaderError: a filter does not fit.
    """
    columns = [own_column(rows, one.column) for one in filters]
    aliases = {name: f"k{at}" for at, name in enumerate(dict.fromkeys(one.own for one in columns))}
    must = [condition(by, aliases[one.own], one.kind) for by, one in zip(filters, columns, strict=True)]
    scanned = scan(side.pieces, side.columns, aliases, Window(), envelope=(AT,), starts=starts)
    return "SELECT _at FROM (" + scanned + ") WHERE " + joined(" AND ", must)


def numbers_of_rows(rows: DeploymentRows, filters: Sequence[Filter], window: Window, starts: Mapping[str, int]) -> Sql:
    """The numbers of the rows that all filters choose.

    Args:
        rows: of the deployment.
        filters: of columns of the first side.
        window: only rows of this window.
        starts: the number of the first row of each file, by its path.

    Raises:
        ReaderError: a filter does not fit.
    """
    chosen = joined_rows(rows, [], filters, window, envelope=("row_id", "time", AT), starts=starts)
    return "SELECT _at FROM (" + chosen.sql + ")"


def times_of_rows(
    rows: DeploymentRows,
    filters: Sequence[Filter],
    window: Window,
    base: Sequence[Piece | Slice],
    starts: Mapping[str, int],
) -> Sql:
    """The numbers of the rows that all filters choose, and their times in nanoseconds since the epoch.

    Args:
        rows: of the deployment.
        filters: of columns of the first side.
        window: only rows of this window.
        base: only rows of these pieces.
        starts: the number of the first row of each file, by its path.

    Raises:
        ReaderError: a filter does not fit.
    """
    chosen = joined_rows(rows, [], filters, window, base=base, envelope=("row_id", "time", AT), starts=starts)
    return "SELECT _at, epoch_ns(_time) AS _ns FROM (" + chosen.sql + ")"
