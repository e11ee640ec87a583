"""What needs eyes: sentences made of the figures that reach their thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ...report import counted
from .report import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .column import ColumnFigures, Drift
    from .report import CollectionFigures, Figures, Thresholds

__all__ = ["CHANCE", "column_findings", "findings_of", "label_notes", "with_findings"]

CHANCE: Final = 0.01
"""A distance is no finding if one as large or larger is more likely than this, although nothing has changed."""
_ORDER: Final = (
    *("rows", "baseline", "skipped", "errors", "type_changes", "columns"),
    *("psi", "normalized_wasserstein", "jensen_shannon", "ks_statistic", "nulls", "new_categories"),
)
_DISTANCES: Final = {
    "psi": "PSI",
    "normalized_wasserstein": "normalized Wasserstein distance",
    "jensen_shannon": "Jensen-Shannon distance",
    "ks_statistic": "Kolmogorov-Smirnov statistic",
}
_SKIPPED: Final = {
    "torn": ("blob", "with an incomplete last line"),
    "foreign": ("line", "left out: no event with rows"),
    "mismatched": ("line", "read without types: the rows do not have those that the line says"),
    "missing_payloads": ("line", "left out: the object with the rows is missing"),
    "quarantined": ("line", "of any collection in quarantine in these hours"),
    "parked": ("byte", "waiting in the store for their own place"),
}


def findings_of(figures: Figures) -> tuple[Finding, ...]:
    """The findings, by importance: what is missing or broken first, then drift, the largest first."""
    found = [*_of_errors(figures), *_of_baseline(figures)]
    for collection in figures.collections:
        found += _of_collection(collection, figures.thresholds)
        for column in collection.columns:
            found += column_findings(collection.name, column, figures.thresholds)
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.measure), -one.value)))


def _of_baseline(figures: Figures) -> Iterator[Finding]:
    """That a baseline has nothing to compare with: no figure says then that all is well."""
    if figures.baseline is None:
        return
    with_rows = [one for one in figures.collections if one.rows]
    without = [one for one in with_rows if not one.baseline_rows]
    if figures.baseline.kind == "window":
        for one in without:
            text = f"no row in the baseline {figures.baseline.name}: nothing is compared"
            yield Finding(measure="baseline", text=text, collection=one.name)
    elif with_rows and len(without) == len(with_rows):
        text = f"no row and column of the baseline {figures.baseline.name} to compare with: nothing is compared"
        yield Finding(measure="baseline", text=text)


def _of_errors(figures: Figures) -> Iterator[Finding]:
    errors, threshold = figures.errors, figures.thresholds.errors
    if errors is None or not errors.requests or threshold is None:
        return
    share = errors.failed / errors.requests
    if share >= threshold:
        yield Finding(
            measure="errors",
            text=f"{share:.1%} of {errors.requests:,} requests failed ({errors.failed:,})",
            value=share,
            threshold=threshold,
        )


def _of_collection(collection: CollectionFigures, thresholds: Thresholds) -> Iterator[Finding]:
    name = collection.name
    if not collection.rows:
        yield Finding(measure="rows", text="no row in the window", collection=name)
    if thresholds.skipped is not None:
        for reason, count in collection.skipped.items():
            if count >= thresholds.skipped:
                noun, meaning = _SKIPPED[reason]
                text = f"{counted(count, noun)} {meaning}"
                yield Finding(measure="skipped", text=text, collection=name, value=count, threshold=thresholds.skipped)
    if thresholds.type_changes is not None and len(collection.type_changes) >= thresholds.type_changes:
        for change in collection.type_changes:
            yield Finding(
                measure="type_changes",
                text=change,
                collection=name,
                value=len(collection.type_changes),
                threshold=thresholds.type_changes,
            )
    for column in collection.missing_columns:
        yield Finding(
            measure="columns",
            text="is in the baseline, but in no row of the window",
            collection=name,
            column=column,
        )
    if collection.new_columns and collection.baseline_rows:
        shown = ", ".join(collection.new_columns[:8])
        more = len(collection.new_columns) - 8
        text = f"the baseline lacks {shown}{f' and {more} more' if more > 0 else ''}: not compared"
        yield Finding(measure="columns", text=text, collection=name)


def column_findings(collection: str, column: ColumnFigures, thresholds: Thresholds) -> Iterator[Finding]:
    """What needs eyes in one column. Drift of times is none: later ones are always others.

    Args:
        collection: of the store.
        column: its figures.
        thresholds: from which value on a figure is a finding.
    """

    def finding(measure: str, text: str, value: float, threshold: float | None) -> Finding:
        return Finding(
            measure=measure, text=text, collection=collection, column=column.name, value=value, threshold=threshold
        )

    if column.type_change is not None and thresholds.type_changes is not None:
        yield finding("type_changes", f"has {column.type_change}", 1.0, thresholds.type_changes)
    if column.drift is not None and column.kind != "time" and not _by_chance(column.drift):
        for measure, name in _DISTANCES.items():
            value, threshold = getattr(column.drift, measure), getattr(thresholds, measure)
            if value is not None and threshold is not None and value >= threshold:
                yield finding(measure, f"has drifted: {name} {value:.3g}", value, threshold)
    yield from (finding("nulls", text, value, thresholds.nulls) for text, value in _nulls(column, thresholds.nulls))
    if thresholds.new_categories is not None and column.new_categories >= max(1, thresholds.new_categories):
        shown = ", ".join(repr(one) for one in column.new_examples)
        more = "" if column.new_categories <= len(column.new_examples) else ", ..."
        noun = "category" if column.new_categories == 1 else "categories"
        text = f"has {column.new_categories:,} new {noun} in {column.new_category_rows:,} rows: {shown}{more}"
        yield finding("new_categories", text, column.new_categories, thresholds.new_categories)


def _by_chance(drift: Drift) -> bool:
    """Whether samples of this size differ as much without any change: a small window gives no false alarms."""
    known = [one for one in (drift.psi_p_value, drift.ks_p_value) if one is not None]
    return min(known, default=0.0) >= CHANCE


def _nulls(column: ColumnFigures, threshold: float | None) -> Iterator[tuple[str, float]]:
    window, baseline = column.window, column.baseline
    if window is None or threshold is None or not window.rows:
        return
    share = window.null_share
    if baseline is None:
        if share >= threshold and window.nulls:
            yield f"is null in {share:.1%} of the rows", share
        return
    growth = share - baseline.null_share
    if growth >= threshold and window.nulls:
        yield f"is null in {share:.1%} of the rows, {baseline.null_share:.1%} in the baseline", growth


def label_notes(figures: Figures) -> tuple[str, ...]:
    """What became of labels that are of no scored row, in sentences."""
    found = []
    if figures.other_labels:
        found.append(
            "1 other label is of a row outside the window, or of one that is not stored"
            if figures.other_labels == 1
            else f"{figures.other_labels:,} other labels are of rows outside the window, or of rows that are not stored"
        )
    if figures.ambiguous_labels:
        rows = counted(figures.ambiguous_labels, "row")
        found.append(f"{rows} with a label repeat their row id: it is not known which of them is meant")
    return tuple(found)


def with_findings(figures: Figures) -> Figures:
    """The same figures with their findings."""
    return msgspec.structs.replace(figures, findings=findings_of(figures))
