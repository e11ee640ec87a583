"""Rows as a dataset of MLflow."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import ReaderError, UnknownNameError
from ..nearest import nearest

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.data.pandas_dataset import PandasDataset

    from .origin import Origin

__all__ = ["mlflow_dataset"]

_DIGITS: Final = 16
"""Of a digest; MLflow takes up to 36."""


def mlflow_dataset(
    frame: pd.DataFrame, origin: Origin, *, name: str, targets: str | None, predictions: str | None
) -> PandasDataset:
    """A dataset with these rows.

    Args:
        frame: the rows.
        origin: where they come from.
        name: of the dataset.
        targets: the column that has what was right.
        predictions: the column that has what the model answered.

    Raises:
        ReaderError: MLflow is not installed.
        UnknownNameError: there is no such column.
    """
    try:
        from mlflow.data.pandas_dataset import from_pandas  # noqa: PLC0415 (optional)
    except ImportError:
        raise ReaderError("expected MLflow, got no such package: pip install mlflow") from None
    from ..rows.envelope_columns import own_first  # noqa: PLC0415 (imports pyarrow)
    from .mlflow_source import RowsSource  # noqa: PLC0415 (imports MLflow)

    for role, column in (("targets", targets), ("predictions", predictions)):
        if column is not None and column not in frame.columns:
            known = own_first(str(one) for one in frame.columns)
            raise UnknownNameError(
                f"expected a column of the rows in {role}=, got {column!r}: {nearest(column, known)}"
            )
    source = RowsSource(origin.store, origin.method, dict(origin.arguments))
    return from_pandas(frame, source=source, targets=targets, name=name, digest=_digest(frame), predictions=predictions)


def _digest(frame: pd.DataFrame) -> str:
    """Equal for equal rows in the same order. MLflow's own looks at numbers and texts of 10,000 rows only."""
    found = hashlib.sha256(str(len(frame)).encode())
    for position, name in enumerate(frame.columns):
        found.update(f"\0{name}\0".encode("utf-8", "surrogatepass"))
        found.update(_hashes(frame.iloc[:, position]))
    return found.hexdigest()[:_DIGITS]


def _hashes(column: pd.Series[Any]) -> bytes:
    import pandas as pd  # noqa: PLC0415 (slow to import)

    try:
        return pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()
    except TypeError:  # lists and mappings
        return json.dumps([_plain(one) for one in column]).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value)
    return [_plain(one) for one in value]
