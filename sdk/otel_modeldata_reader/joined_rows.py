"""The joined rows of a deployment: its inputs, outputs and labels are read, and joined by row id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .exceptions import UnknownNameError
from .progress import step
from .reading import check_packages
from .window import held, window_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from mlflow.data.pandas_dataset import PandasDataset

    from .datasets.origin import Origin
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
        origin: the call that reads these rows again.
    """

    table: pa.Table
    report: JoinReport
    inputs: ReadReport
    outputs: ReadReport
    labels: ReadReport | None = None
    origin: Origin

    def __repr__(self) -> str:
        deployment, store = self.origin.arguments["deployment"], self.origin.store
        return f"JoinedRows({self.table.num_rows:,} of {deployment!r} of {store!r})"

    def to_arrow(self) -> pa.Table:
        """The rows as a table."""
        return self.table

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a frame."""
        from .rows.frames import to_pandas  # noqa: PLC0415 (imports pyarrow)

        return to_pandas(self.table.select(self.table.column_names))  # a copy, because it releases columns

    def to_polars(self) -> pl.DataFrame:
        """The rows as a frame of Polars; raises ReaderError if Polars is not installed."""
        from .rows.frames import to_polars  # noqa: PLC0415 (imports pyarrow)

        return to_polars(self.table)

    def to_mlflow_dataset(
        self, *, targets: str | None = None, predictions: str | None = None, name: str | None = None
    ) -> PandasDataset:
        """The rows as a dataset of MLflow, for `mlflow.log_input` and `mlflow.models.evaluate`.

        Its source is the store and the window, without credentials; its digest is equal for equal rows.

        Args:
            targets: the column that has what was right, such as `label`.
            predictions: the column that has what the model answered.
            name: of the dataset; by default that of the deployment.

        Raises:
            ReaderError: MLflow is not installed, or there is no such column.
        """
        from .datasets.mlflow_dataset import mlflow_dataset  # noqa: PLC0415 (with the first dataset)

        name = name or str(self.origin.arguments["deployment"])
        return mlflow_dataset(self.to_pandas(), self.origin, name=name, targets=targets, predictions=predictions)


def read_joined(  # noqa: PLR0913 (most are keywords)
    read: Callable[..., Reading],
    store: str,
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
        store: its URL, without secrets.
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
    check_packages()
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    from .datasets.origin import Origin, window_texts  # noqa: PLC0415 (likewise)
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
    with step(f"{deployment}, joined rows"):
        joined = join(*tables, label_table, how=how, history=history, label_id=label_id, envelope=ENVELOPE.names)
    arguments = {"deployment": deployment, "how": how, "history": history, "inputs": inputs, "outputs": outputs}
    arguments |= {"labels": (labels if needs_labels else True) if labels else False, "label_id": label_id}
    return JoinedRows(
        table=joined.table,
        report=joined.report,
        inputs=of_inputs.report,
        outputs=of_outputs.report,
        labels=None if of_labels is None else of_labels.report,
        origin=Origin(store=store, method="join", arguments=arguments | window_texts(window)),
    )


def _moment(nanoseconds: int | None, later: int = 0) -> pd.Timestamp | None:
    import pandas as pd  # noqa: PLC0415 (slow to import)

    return None if nanoseconds is None else pd.Timestamp(held(nanoseconds + later), tz="UTC")
