"""The joined rows of a deployment: its inputs, outputs and labels are read, and joined by row id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .exceptions import ReaderError, UnknownNameError
from .window import held, window_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from .joining import JoinReport
    from .joining.joined_table import How
    from .reading import Reading
    from .report import ReadReport
    from .window import Moment

__all__ = ["JoinedRows", "read_joined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedRows:
    """One row per scored row.

    Attributes:
        table: the rows; `joining/join.py` has its columns.
        report: which rows have no partner, which ids repeat, how much of each day is joined and labeled.
        inputs: what reading the inputs skipped. It counts the hour before the window, too.
        outputs: what reading the outputs skipped. It counts the hour after the window, too.
        labels: what reading the labels skipped; None without labels.
    """

    table: pa.Table
    report: JoinReport
    inputs: ReadReport
    outputs: ReadReport
    labels: ReadReport | None = None

    def to_arrow(self) -> pa.Table:
        """The rows as a table."""
        return self.table

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a frame."""
        from .rows.frames import to_pandas  # noqa: PLC0415 (imports pyarrow)

        return to_pandas(self.table.select(self.table.column_names))  # a copy, because it releases columns

    def to_polars(self) -> pl.DataFrame:
        """The rows as a frame of Polars; raises ReaderError if Polars is not installed."""
        try:
            import polars as pl  # noqa: PLC0415 (optional)
        except ImportError:
            raise ReaderError("expected Polars, got no such package: pip install polars") from None
        frame = pl.from_arrow(self.table)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes no series
        return frame


def read_joined(  # noqa: PLR0913 (most are keywords)
    read: Callable[..., Reading],
    deployment: str,
    since: Moment,
    until: Moment,
    *,
    inputs: str,
    outputs: str,
    labels: str | None,
    needs_labels: bool,
    how: How,
    history: bool,
    label_id: str | None,
) -> JoinedRows:
    """Read the collections of a deployment and join them.

    Args:
        read: `Store.read`.
        deployment: `endpoint/deployment`.
        since: the first moment of the inputs.
        until: the moment after their last one.
        inputs: the collection of inputs.
        outputs: the collection of outputs.
        labels: the collection of labels, its whole name; None without labels.
        needs_labels: whether it is an error if there is none.
        how: as for `join`.
        history: as for `join`.
        label_id: as for `join`.

    Raises:
        ReaderError: as for `Store.read`, and for `join`.
    """
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    from .joining import LABEL_ROW_ID, join  # noqa: PLC0415 (imports pyarrow)
    from .joining.window_edges import EDGE_NS, rows_of_window  # noqa: PLC0415 (likewise)
    from .rows.envelope_columns import ENVELOPE  # noqa: PLC0415 (likewise)

    window = window_of(since, until)
    earlier = _moment(window.since, -EDGE_NS)
    of_inputs = read(f"{deployment}/{inputs}", earlier, _moment(window.until))
    of_outputs = read(f"{deployment}/{outputs}", _moment(window.since), _moment(window.until, EDGE_NS))
    of_labels = None
    if labels is not None:
        try:
            of_labels = read(labels, earlier)  # labels come late, so this window has no end
        except UnknownNameError:
            if needs_labels:
                raise
    tables = rows_of_window(of_inputs.to_arrow(), of_outputs.to_arrow(), window)
    if labels is None:
        label_table = None
    else:
        label_table = pa.table({LABEL_ROW_ID: []}) if of_labels is None else of_labels.to_arrow()
    joined = join(*tables, label_table, how=how, history=history, label_id=label_id, envelope=ENVELOPE.names)
    return JoinedRows(
        table=joined.table,
        report=joined.report,
        inputs=of_inputs.report,
        outputs=of_outputs.report,
        labels=None if of_labels is None else of_labels.report,
    )


def _moment(nanoseconds: int | None, later: int = 0) -> pd.Timestamp | None:
    import pandas as pd  # noqa: PLC0415 (slow to import)

    return None if nanoseconds is None else pd.Timestamp(held(nanoseconds + later), tz="UTC")
