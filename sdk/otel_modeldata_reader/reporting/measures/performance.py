"""How good predictions are: of classes, of scores of a class, and of numbers. Each with an interval of 95 %."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .intervals import Z95, block_bootstrap, cell_bootstrap, wilson

if TYPE_CHECKING:
    from .bins import Counts, Floats

__all__ = ["Measured", "auc", "of_classes", "of_numbers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measure.

    Attributes:
        value: None where it is not defined, such as the precision of a class that is never predicted.
        interval: its lower and upper end; None where none is known.
        method: how the interval is made: `wilson`, `bootstrap` or `delong`.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    method: str | None = None


def of_classes(table: Counts, positive: int | None) -> dict[str, Measured]:
    """Accuracy, precision, recall and F1.

    Args:
        table: how often each label (row) was predicted as each class (column).
        positive: the class that precision, recall and F1 are of; None takes their mean over all classes that are there
            (`macro`).
    """
    total, right = int(table.sum()), int(np.trace(table))
    found = {"accuracy": Measured(value=_ratio(right, total), interval=wilson(right, total), method="wilson")}
    if positive is not None:
        hits = int(table[positive, positive])
        predicted, labeled = int(table[:, positive].sum()), int(table[positive].sum())
        found |= {
            "precision": Measured(value=_ratio(hits, predicted), interval=wilson(hits, predicted), method="wilson"),
            "recall": Measured(value=_ratio(hits, labeled), interval=wilson(hits, labeled), method="wilson"),
        }
    for at, name in enumerate(("precision", "recall", "f1")):
        if name in found:
            continue
        size = len(table)

        def measure(cells: Any, at: int = at, size: int = size) -> Any:
            return _per_class(cells.reshape(-1, size, size), positive)[at]

        value = float(measure(table.reshape(1, -1))[0])
        interval = cell_bootstrap(table.reshape(-1), measure)
        found[name] = Measured(value=None if math.isnan(value) else value, interval=interval, method="bootstrap")
    return found


def _per_class(tables: Any, positive: int | None) -> tuple[Any, Any, Any]:
    """Precision, recall and F1 of each table; as scikit-learn has them, those without a denominator are 0."""
    hits = np.diagonal(tables, axis1=1, axis2=2).astype(np.float64)
    predicted, labeled = tables.sum(axis=1), tables.sum(axis=2)
    there = (predicted + labeled) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(predicted > 0, hits / predicted, 0.0)
        recall = np.where(labeled > 0, hits / labeled, 0.0)
        f1 = np.where(there, 2 * hits / (predicted + labeled), 0.0)
        if positive is not None:
            return precision[:, positive], recall[:, positive], np.where(there, f1, np.nan)[:, positive]
        number = there.sum(axis=1)
        return tuple(np.where(there, one, 0.0).sum(axis=1) / number for one in (precision, recall, f1))


def auc(scores: Floats, is_positive: Any) -> Measured:
    """The area under the ROC curve: how likely a positive row has a higher score than a negative one.

    Its interval is DeLong's (Biometrics 44, 1988).
    """
    positive, negative = np.sort(scores[is_positive]), np.sort(scores[~is_positive])
    if not len(positive) or not len(negative):
        return Measured(value=None)
    of_positive = _share_below(positive, negative)
    of_negative = 1 - _share_below(negative, positive)
    value = float(of_positive.mean())
    interval = None
    if len(positive) > 1 and len(negative) > 1:
        error = math.sqrt(np.var(of_positive, ddof=1) / len(positive) + np.var(of_negative, ddof=1) / len(negative))
        interval = (max(0.0, value - Z95 * error), min(1.0, value + Z95 * error))
    return Measured(value=value, interval=interval, method="delong")


def _share_below(values: Floats, others: Floats) -> Floats:
    """The share of the others, which are sorted, below each value; equal ones count half."""
    below = np.searchsorted(others, values, side="left")
    return np.asarray((below + np.searchsorted(others, values, side="right")) / (2 * len(others)))


def of_numbers(labels: Floats, predictions: Floats) -> dict[str, Measured]:
    """Mean absolute error, root of the mean squared error, mean error (bias) and R2 of finite numbers."""
    if not len(labels):
        return {name: Measured(value=None) for name in ("mae", "rmse", "bias", "r2")}
    error = predictions - labels
    centered = labels - labels.mean()  # the squares of large numbers far from zero would lose their digits
    sums = np.stack([np.ones_like(error), np.abs(error), error**2, error, centered, centered**2], axis=1)

    def mae(totals: Any) -> Any:
        return totals[:, 1] / totals[:, 0]

    def rmse(totals: Any) -> Any:
        return np.sqrt(totals[:, 2] / totals[:, 0])

    def bias(totals: Any) -> Any:
        return totals[:, 3] / totals[:, 0]

    def r2(totals: Any) -> Any:
        spread = totals[:, 5] - totals[:, 4] ** 2 / totals[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, 1 - totals[:, 2] / spread, np.nan)

    found = {}
    total = sums.sum(axis=0)[None, :]
    measures = {"mae": mae, "rmse": rmse, "bias": bias, "r2": r2}
    intervals = block_bootstrap(sums, measures)
    for name, measure in measures.items():
        value = float(measure(total)[0])
        is_known = math.isfinite(value)
        found[name] = (
            Measured(value=value, interval=intervals[name], method="bootstrap") if is_known else Measured(value=None)
        )
    return found


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
