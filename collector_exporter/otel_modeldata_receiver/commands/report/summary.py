"""A report on a terminal: what needs eyes, then the columns and the performance, in 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable
from otel_modeldata_reader.report import counted
from otel_modeldata_reader.reporting.figures.findings import label_notes

from ..terminal import WIDTH, columns, fitting, writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from otel_modeldata_reader.reporting.figures.column import ColumnFigures
    from otel_modeldata_reader.reporting.figures.report import CollectionFigures, Figures, Finding

__all__ = ["show"]

_SHOWN_FINDINGS: Final = 20
_SHOWN_COLUMNS: Final = 30
_NAME: Final = 26
_NUMBER: Final = 7
_HEAD: Final = ("column", "kind", "PSI", "KS", "W norm.", "JS", "nulls", "new")
_WIDTHS: Final = (_NAME, 9, 8, 7, 8, 7, 7, 6)


def show(figures: Figures, page: Path | None) -> None:
    """Print a report.

    Args:
        figures: all of it.
        page: where it was written as HTML; None if it was not.
    """
    say = writer()
    against = "" if figures.baseline is None else f" against {figures.baseline.name}"
    _wrapped(f"{figures.name}: {_window(figures)}{against}", say, "bold")
    for line in _facts(figures):
        _wrapped(line, say, "")
    say("")
    _show_findings(figures, say)
    for collection in figures.collections:
        _show_columns(collection, say)
    _show_performance(figures, say)
    if figures.baseline is None:
        say("no baseline, so nothing is compared: name a file or a window with --baseline", "dim")
    if page is not None:
        say(fitting(f"the page: {page}", 4096), "dim")


def _facts(figures: Figures) -> Iterator[str]:
    if figures.traffic is not None:
        yield f"requests {figures.traffic.requests:,}, rows {figures.traffic.rows:,}"
    latency = figures.latency
    if latency is None:
        yield f"latency {figures.latency_note}"
    else:
        yield f"latency {latency.p50:,.1f} ms median, {latency.p99:,.1f} ms 99 % ({latency.source})"
    errors = figures.errors
    if errors is None:
        yield f"errors {figures.errors_note}"
    elif errors.requests:
        yield f"errors {errors.failed / errors.requests:.1%} of {errors.requests:,} ({errors.source})"


def _show_findings(figures: Figures, say: Callable[..., None]) -> None:
    found = figures.findings
    if not found:
        say("nothing needs eyes: no figure reaches its threshold", "green")
        return
    say("what needs eyes", "bold")
    for one in found[:_SHOWN_FINDINGS]:
        _wrapped(f"{_place(one)}{one.text}", say, "red", "  ")
    if len(found) > _SHOWN_FINDINGS:
        say(f"  and {len(found) - _SHOWN_FINDINGS:,} more: --json and --html have all", "dim")


def _show_columns(collection: CollectionFigures, say: Callable[..., None]) -> None:
    say("")
    before = "" if collection.baseline_rows is None else f", {collection.baseline_rows:,} in the baseline"
    say(fitting(f"{collection.name}: {counted(collection.rows, 'row')}{before}"), "bold")
    if not collection.columns:
        return
    say(_line(_HEAD), "dim")
    ordered = sorted(collection.columns, key=_drift, reverse=True)
    for one in ordered[:_SHOWN_COLUMNS]:
        say(_line(_cells(one)))
    if len(ordered) > _SHOWN_COLUMNS:
        say(f"and {len(ordered) - _SHOWN_COLUMNS:,} more columns: --json and --html have all", "dim")
    for one in ordered[:_SHOWN_COLUMNS]:
        if one.note is not None and one.kind != "text":
            _wrapped(f"{one.name}: {one.note}", say)
    if collection.sampled_rows < collection.rows:
        say(fitting(f"KS and Wasserstein are of a fixed sample of {collection.sampled_rows:,} rows"), "dim")


def _show_performance(figures: Figures, say: Callable[..., None]) -> None:
    say("")
    if figures.labels is not None and figures.labels[1]:
        labeled, scored = figures.labels
        say(f"labels: {labeled:,} of {scored:,} scored rows, {labeled / scored:.1%}", "bold")
    for note in label_notes(figures):
        _wrapped(note, say)
    found = figures.performance
    if found is None:
        _wrapped(f"performance {figures.performance_note}", say)
        return
    if found.without_prediction:
        _wrapped(f"{counted(found.without_prediction, 'labeled row')} without a prediction, left out", say)
    if found.note is not None:
        _wrapped(found.note, say)
    for name, measure in found.every.measures.items():
        ends = "" if measure.low is None else f"  {_number(measure.low)} to {_number(measure.high)}"
        say(f"  {name:<10}{_number(measure.value):>8}{ends}")
    if found.slices:
        names = list(found.every.measures)
        say(_slice_line(f"by {found.by}", ("labeled", *names)), "dim")
        for one in found.slices:
            values = [_number(one.measures[name].value) if name in one.measures else "" for name in names]
            say(_slice_line(one.name, (f"{one.labeled:,}", *values)))


def _wrapped(sentence: str, say: Callable[..., None], style: str = "dim", indent: str = "") -> None:
    """Say a sentence in as many lines as it takes, at most ten."""
    lines = textwrap.wrap(
        printable(sentence),
        WIDTH,
        subsequent_indent=f"{indent}  ",
        initial_indent=indent,
        max_lines=10,
        placeholder="...",
        break_on_hyphens=False,
    )
    for line in lines:
        say(fitting(line), style)


def _slice_line(name: str, cells: tuple[str, ...]) -> str:
    text = fitting(name, _NAME - 1)
    return text + " " * (_NAME - columns(text)) + "".join(f"{one:>10}" for one in cells[:5])


def _cells(one: ColumnFigures) -> tuple[str, ...]:
    drift = one.drift
    measures = ("psi", "ks_statistic", "normalized_wasserstein", "jensen_shannon")
    found = [None if drift is None else getattr(drift, name) for name in measures]
    values = ["" if one is None else _number(one) for one in found]
    nulls = "" if one.window is None else f"{one.window.null_share:.1%}"
    return (one.name, one.kind, *values, nulls, f"{one.new_categories:,}" if one.new_categories else "")


def _line(cells: tuple[str, ...]) -> str:
    name, kind, *others = cells
    text = fitting(name, _NAME - 1)
    line = text + " " * (_NAME - columns(text)) + f"{kind:<{_WIDTHS[1]}}"
    return (line + "".join(f" {one:>{width - 1}}" for one, width in zip(others, _WIDTHS[2:], strict=True))).rstrip()


def _place(one: Finding) -> str:
    names = [] if one.collection is None else [one.collection.rpartition("/")[2]]
    names += [] if one.column is None else [one.column]
    return f"{'.'.join(names)} " if names else ""


def _window(figures: Figures) -> str:
    ends = [None if one is None else one[:16].replace("T", " ") for one in (figures.since, figures.until)]
    return f"{ends[0] or 'the beginning'} to {ends[1] or 'now'}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if 0.001 <= abs(value) < 1000 or value == 0:
        return f"{value:.3f}"
    text = f"{value:.2g}"
    return text if len(text) <= _NUMBER else f"{value:.0e}"  # such as 5e-299


def _drift(one: ColumnFigures) -> float:
    return -1.0 if one.drift is None or one.drift.psi is None else one.drift.psi
