"""Performance: how many rows have a label, and how good predictions were, by slice, over time, and the worst ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 (msgspec reads the annotations)
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_reader.nearest import nearest
from otel_modeldata_reader.reporting.figures.report import Performance as Measured  # noqa: TC001 (likewise)
from otel_modeldata_reader.reporting.profiles.performances import performance_of
from otel_modeldata_reader.reporting.profiles.scored_rows import Roles

from ..queries.moments import iso
from ..tables.deployment_rows import LABELS, OUTPUTS
from .explored import explored
from .scored_table import scored_table, sliceable
from .steps import steps_of

if TYPE_CHECKING:
    from otel_modeldata_reader.window import Window

    from ..studio import Studio
    from ..tables.deployment_rows import DeploymentRows
    from .scored_table import ScoredTable

__all__ = ["OverTime", "PerformanceAnswer", "PerformanceFigures", "Series", "WorstRow", "performance"]

_STEPS: Final = 20
"""As many slices as a report shows one by one."""
_WORST: Final = 20
_MOST_TEXT: Final = 200


class PerformanceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures as a report has them.

    Attributes:
        performance: None if it is not known.
        performance_note: why it is not known.
        labels: labeled and all scored rows; None without labels.
    """

    performance: Measured | None = None
    performance_note: str | None = None
    labels: tuple[int, int] | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One measure by step of time, with its interval of 95 %; null where it is not defined."""

    value: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]


class OverTime(msgspec.Struct, frozen=True, kw_only=True):
    """Measures by step of time.

    Attributes:
        times: the beginnings of steps, ISO 8601 in UTC.
        rows: scored rows.
        labeled: those with a label.
        measures: by their names.
    """

    times: Sequence[str]
    rows: Sequence[int]
    labeled: Sequence[int]
    measures: Mapping[str, Series]


class WorstRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row whose prediction is far from its label.

    Attributes:
        row_id: of the row.
        time: ISO 8601 in UTC.
        prediction: what the model answered.
        label: what was right.
        error: of numbers, the prediction minus the label; of classes with a score, how far the score is from the label.
        score: of the positive class, where it is another column than the prediction.
    """

    row_id: str
    time: str
    prediction: Any
    label: Any
    error: float | None
    score: float | None = None


class PerformanceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The screen.

    Attributes:
        figures: as a report has them; their `by` has the role of its column.
        by: the columns by which performance can be sliced.
        over_time: None where nothing is known.
        worst: the worst first.
        sample: the share of rows that were looked at.
        pending: bytes of lines that are not read yet: ask again in a second.
    """

    figures: PerformanceFigures
    by: Sequence[str]
    over_time: OverTime | None
    worst: Sequence[WorstRow]
    sample: float = 1.0
    pending: int = 0


def performance(  # noqa: PLR0913 (keywords: the query of the URL)
    studio: Studio,
    *,
    deployment: str,
    since: str | None = None,
    until: str | None = None,
    by: str | None = None,
    prediction: str | None = None,
    label: str | None = None,
    score: str | None = None,
) -> PerformanceAnswer:
    """What the screen shows.

    Args:
        studio: has the store.
        deployment: `endpoint/deployment`.
        since: as for `Store.read`.
        until: likewise.
        by: a column of inputs or outputs with its role, such as `inputs.country`.
        prediction: the column of outputs with what the model answered, without its role.
        label: the column of labels with what was right.
        score: the column of outputs with a score of the positive class.

    Raises:
        UnknownNameError: there is no such deployment or column.
        ReaderError: a wrong argument, or the store cannot be read.
    """
    found, window = explored(studio, deployment, since, until)
    choices = sliceable(found)
    if by and by not in choices:
        raise UnknownNameError(
            f"expected a column of inputs or outputs for the slices, got {by!r:.200}: {nearest(by, choices)}"
        )
    named = Roles(prediction=prediction, label=label, score=score, by=by)
    missing = _missing(found)
    if missing:
        figures = PerformanceFigures(performance_note=missing)
        return PerformanceAnswer(figures=figures, by=choices, over_time=None, worst=(), pending=found.pending)
    scored = scored_table(studio, found, window, named)
    labeled = scored.rows.num_rows - scored.rows["label"].null_count
    measured = performance_of(scored.measured())
    known = None if isinstance(measured, str) else measured
    figures = PerformanceFigures(
        performance=known,
        performance_note=f"not known: {measured}" if isinstance(measured, str) else None,
        labels=(labeled, scored.rows.num_rows),
    )
    return PerformanceAnswer(
        figures=figures,
        by=choices,
        over_time=None if known is None else _over_time(found, scored, window),
        worst=() if known is None else _worst(scored, known),
        sample=scored.share,
        pending=found.pending,
    )


def _missing(found: DeploymentRows) -> str | None:
    if found.side(OUTPUTS) is None:
        return "not known: the deployment has no model_outputs"
    if found.side(LABELS) is None:
        return "not known: there are no labels for these rows"
    return None if found.base.pieces else "not known: no row in the window"


def _over_time(found: DeploymentRows, scored: ScoredTable, window: Window) -> OverTime | None:
    """The measures of each step of time: the same as those of a slice."""
    steps = steps_of(found.base.pieces, window, _STEPS)
    places = steps.places(scored.rows["time"].to_numpy())
    names = np.array([f"{at:04d}" for at in range(steps.count)])
    measured = performance_of(scored.measured(pa.array(names[places], pa.string())))
    if isinstance(measured, str):
        return None
    slices = {one.name: one for one in measured.slices}
    ordered = [slices.get(name) for name in names]
    measures = {
        name: Series(
            value=[None if one is None else one.measures[name].value for one in ordered],
            low=[None if one is None else one.measures[name].low for one in ordered],
            high=[None if one is None else one.measures[name].high for one in ordered],
        )
        for name in measured.every.measures
    }
    return OverTime(
        times=steps.texts,
        rows=[0 if one is None else one.rows for one in ordered],
        labeled=[0 if one is None else one.labeled for one in ordered],
        measures=measures,
    )


def _worst(scored: ScoredTable, known: Measured) -> list[WorstRow]:
    """The rows with the largest errors: of numbers by their distance, of classes by their score or only wrong ones.

    Of rows with the same error, such as a probability of 1 that was wrong, the newest come first.
    """
    both = scored.rows.filter(pa.compute.and_(scored.rows["label"].is_valid(), scored.rows["prediction"].is_valid()))
    if not both.num_rows:
        return []
    errors = _errors(both, known)
    times = both["time"].to_numpy()
    order = np.lexsort((both["row_id"].to_numpy(), -times, -np.abs(errors)))
    order = order[np.isfinite(errors[order]) & (errors[order] != 0)][:_WORST]
    rows = both.take(pa.array(order)).to_pylist()
    has_error = known.kind == "numbers" or known.score is not None
    has_score = known.kind == "classes" and known.score not in {None, known.prediction}
    return [
        WorstRow(
            row_id=row["row_id"] or "",
            time=iso(row["time"]),
            prediction=_shown(row["prediction"]),
            label=_shown(row["label"]),
            score=row["score"] if has_score else None,
            error=float(errors[at]) if has_error else None,
        )
        for at, row in zip(order, rows, strict=True)
    ]


def _errors(rows: pa.Table, known: Measured) -> Any:
    """How far each prediction is from its label; 0 for right classes."""
    if known.kind == "numbers":
        return _floats(rows["prediction"]) - _floats(rows["label"])
    scores = rows["prediction"] if known.score == known.prediction else rows["score"]
    if known.score is None or known.positive is None:
        return (_texts(rows["label"]) != _texts(rows["prediction"])).astype(np.float64)
    return _floats(scores) - _is_positive(rows["label"], known.positive).astype(np.float64)


def _is_positive(labels: Any, positive: str) -> Any:
    """Which labels are of the positive class, whose name is that of a report."""
    if pa.types.is_boolean(labels.type):
        return labels.cast(pa.string()).to_numpy() == positive
    return _texts(labels) == positive


def _floats(column: Any) -> Any:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _texts(column: Any) -> Any:
    """Classes as a report has them: whole numbers without a point."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values = column.to_pylist()
    return np.array(
        [str(int(one)) if isinstance(one, float) and one.is_integer() else str(one) for one in values], object
    )


def _shown(value: Any) -> Any:
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return str(value)[:_MOST_TEXT]
