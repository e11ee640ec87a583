"""The sections of a page: what needs eyes, traffic, columns, performance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..figures.findings import CHANCE, label_notes
from .charts import interval_line, latency_bars, share_bar, volume_bars
from .column_card import all_figures, column_card
from .text import count, duration, number, percent, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..figures.column import ColumnFigures
    from ..figures.report import CollectionFigures, Figures, Finding, Performance, Slice, Thresholds

__all__ = ["collection_section", "findings_section", "performance_section", "traffic_section"]

_SHOWN_FINDINGS: Final = 100
_SKIPPED: Final = {"parked": "bytes parked", "missing_payloads": "lines whose object is missing"}
_SHARES: Final = frozenset({"accuracy", "precision", "recall", "f1", "auc"})
_NAMES: Final = {"f1": "F1", "auc": "AUC", "mae": "MAE", "rmse": "RMSE", "r2": "R2"}


def findings_section(figures: Figures) -> str:
    """What needs eyes, and the thresholds that say so."""
    found = figures.findings
    if found:
        items = "".join(f"<li>{_finding(one)}</li>" for one in found[:_SHOWN_FINDINGS])
        content = f'<ul class="findings">{items}</ul>'
        if len(found) > _SHOWN_FINDINGS:
            content += f'<p class="soft">and {count(len(found) - _SHOWN_FINDINGS)} more</p>'
    else:
        content = '<p class="none">No figure reaches its threshold.</p>'
    return f'<section><h2>What needs eyes</h2>{content}<p class="foot">{_thresholds(figures.thresholds)}</p></section>'


def traffic_section(figures: Figures) -> str:
    """Volume, latency and errors."""
    parts = []
    if figures.traffic is not None and figures.traffic.volumes:
        parts.append(volume_bars(figures.traffic))
    latency, errors = figures.latency, figures.errors
    parts.append("<h3>Latency</h3>")
    if latency is None:
        parts.append(f'<p class="soft">{shown(figures.latency_note or "")}</p>')
    else:
        values = {"median": latency.p50, "90 %": latency.p90, "99 %": latency.p99, "longest": latency.largest}
        text = ", ".join(f"{name} {duration(value)}" for name, value in values.items())
        of = f'<span class="soft">({count(latency.requests)} requests: {shown(latency.source)})</span>'
        parts.append(f"<p>{text} {of}</p>{latency_bars(latency)}")
    parts.append("<h3>Errors</h3>")
    if errors is None:
        parts.append(f'<p class="soft">{shown(figures.errors_note or "")}</p>')
    else:
        share = errors.failed / errors.requests if errors.requests else None
        kinds = ", ".join(f"{shown(name)}: {count(times)}" for name, times in errors.kinds)
        ends = "" if errors.interval is None else f" ({_range(errors.interval, percent)})"
        text = f"{count(errors.failed)} of {count(errors.requests)} requests failed, {percent(share)}{ends}."
        parts.append(f'<p>{text} {kinds} <span class="soft">({shown(errors.source)})</span></p>')
    return f"<section><h2>Requests</h2>{''.join(parts)}</section>"


def collection_section(figures: Figures, collection: CollectionFigures) -> str:
    """The columns of a collection, those with the largest drift first."""
    alarms: dict[str, set[str]] = {}
    for one in figures.findings:
        if one.collection == collection.name and one.column is not None:
            alarms.setdefault(one.column, set()).add(one.measure)
    ordered = sorted(collection.columns, key=lambda one: (one.name not in alarms, -_drift(one)))
    cards = "".join(column_card(one, frozenset(alarms.get(one.name, ()))) for one in ordered)
    key = '<span class="key"><span><i></i>window</span>'
    key += '<span><i class="of-baseline"></i>baseline</span></span>' if figures.baseline is not None else "</span>"
    text = " ".join(_sentences(collection))
    name = shown(collection.name)
    return (
        f'<section><h2>{name}</h2><p>{text}</p><p>{key}</p><div class="cards">{cards}</div>'
        f"{all_figures(collection.columns)}</section>"
    )


def performance_section(figures: Figures) -> str:
    """Predictions against labels."""
    found = figures.performance
    parts = []
    if figures.labels is not None:
        labeled, scored = figures.labels
        share = labeled / scored if scored else 0.0
        others = "".join(f" {shown(one)}." for one in label_notes(figures))
        parts.append(f"<p>{count(labeled)} of {count(scored)} scored rows have a label, {percent(share)}.{others}</p>")
        parts.append(share_bar(share, f"{percent(share)} of the rows have a label"))
    if found is None:
        parts.append(f'<p class="soft">{shown(figures.performance_note or "not known")}</p>')
    else:
        parts.append(_performance(found))
    return f"<section><h2>Performance</h2>{''.join(parts)}</section>"


def _performance(found: Performance) -> str:
    rows = (found.every, *found.slices)
    names = list(found.every.measures)
    widths = {name: _ends(name, rows) for name in names}
    head = "".join(f"<th>{_NAMES.get(name, name)}</th>" for name in names)
    lines = []
    for one in rows:
        cells = f"<td>{shown(one.name)}</td><td>{count(one.rows)}</td><td>{count(one.labeled)}</td>"
        for name in names:
            measure = one.measures.get(name)
            if measure is None:
                cells += "<td></td>"
                continue
            text = f"{_short(name, measure.value)}{interval_line(measure, *widths[name])}"
            if measure.low is not None and measure.high is not None:
                text += f'<span class="under">{_short(name, measure.low)} to {_short(name, measure.high)}</span>'
            cells += f"<td>{text}</td>"
        lines.append(f"<tr>{cells}</tr>")
    table = (
        f"<table><thead><tr><th>{shown(found.by or 'rows')}</th><th>scored</th><th>labeled</th>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    notes = [f"Prediction <code>{shown(found.prediction)}</code>, label <code>{shown(found.label)}</code>."]
    if found.positive is not None:
        notes.append(f"Precision, recall and F1 are of the class <code>{shown(found.positive)}</code>.")
    elif found.kind == "classes":
        notes.append("Precision, recall and F1 are means over all classes.")
    if found.note is not None:
        end = "" if found.note.endswith("?") else "."
        notes.append(f"{shown(found.note[:1].upper() + found.note[1:])}{end}")
    if found.without_prediction:
        notes.append(f"{count(found.without_prediction)} labeled rows have no prediction and are left out.")
    notes.append("Intervals are of 95 %: Wilson's for shares, DeLong's for AUC, by bootstrap for the others.")
    if found.compared < sum(one.labeled for one in rows[:1]):
        notes.append(f"Values of {count(found.compared)} rows were compared.")
    return f'<div class="scroll">{table}</div><p class="foot">{" ".join(notes)}</p>'


def _ends(name: str, rows: tuple[Slice, ...]) -> tuple[float, float]:
    """From where to where a measure is drawn."""
    if name in _SHARES:
        return 0.0, 1.0
    found = [one.measures[name] for one in rows if name in one.measures]
    values = [value for one in found for value in (one.value, one.low, one.high) if value is not None]
    return (min([0.0, *values]), max([0.0, *values])) if values else (0.0, 1.0)


def _short(name: str, value: float | None) -> str:
    """A share has three digits."""
    return f"{value:.3f}" if value is not None and name in _SHARES else number(value)


def _finding(one: Finding) -> str:
    name = "" if one.collection is None else shown(one.collection.rpartition("/")[2])
    if one.column is not None:
        name += f".<b>{shown(one.column)}</b>" if name else f"<b>{shown(one.column)}</b>"
    limit = "" if one.threshold is None else f' <span class="limit">threshold {one.threshold:g}</span>'
    return f"{name}{' ' if name else ''}{shown(one.text)}{limit}"


def _thresholds(thresholds: Thresholds) -> str:
    names = [(name, getattr(thresholds, name)) for name in thresholds.__struct_fields__]
    stated = [f"{name.replace('_', ' ')} {value:g}" for name, value in names if value is not None]
    return (
        f"A figure is here from this value on: {', '.join(stated)}. A distance that chance explains "
        f"(p &ge; {CHANCE:g}) is not."
    )


def _sentences(collection: CollectionFigures) -> Iterator[str]:
    yield f"{count(collection.rows)} rows."
    if collection.baseline_rows is not None:
        yield f"{count(collection.baseline_rows)} rows in the baseline."
    samples = [(collection.sampled_rows, collection.rows, "the window")]
    samples.append((collection.baseline_sampled_rows, collection.baseline_rows or 0, "the baseline"))
    for sampled, rows, where in samples:
        if sampled < rows:
            yield f"Quantiles, KS and Wasserstein are of a fixed sample of {count(sampled)} rows of {where}."
    if collection.left_out:
        yield f"{count(collection.left_out)} further columns are not measured."
    for reason, times in collection.skipped.items():
        yield f"{count(times)} {_SKIPPED.get(reason, f'lines {reason}')}."


def _drift(column: ColumnFigures) -> float:
    return -1.0 if column.drift is None or column.drift.psi is None else column.drift.psi


def _range(interval: tuple[float, float], text: object) -> str:
    low, high = interval
    return f"{percent(low)} to {percent(high)}" if text is percent else f"{number(low)} to {number(high)}"
