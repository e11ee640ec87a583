"""One column on a page: its distribution, what changed, and its figures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .charts import category_bars, column_histogram
from .text import count, moment, number, percent, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..figures.column import ColumnFigures

__all__ = ["all_figures", "column_card", "short_type"]

_SHOWN_CATEGORIES: Final = 8
_CATEGORICAL: Final = re.compile(r"dictionary<values=(.+), indices=\w+, ordered=\d>")
_MEASURES: Final = {
    "psi": "PSI",
    "psi_p_value": "PSI p-value",
    "ks_statistic": "KS",
    "ks_p_value": "KS p-value",
    "wasserstein": "Wasserstein",
    "normalized_wasserstein": "normalized W.",
    "jensen_shannon": "JS distance",
    "chi_square": "chi-square",
    "chi_square_p_value": "chi-square p",
}


def column_card(column: ColumnFigures, alarms: frozenset[str]) -> str:
    """A card.

    Args:
        column: the figures.
        alarms: the measures of its findings.
    """
    summary = column.window or column.baseline
    kind = "" if summary is None else shown(short_type(summary.type))
    parts = [f"<header><h3>{shown(column.name)}</h3><span>{column.kind} ({kind})</span></header>"]
    if column.histogram is not None:
        parts.append(column_histogram(column, column.histogram))
    if column.categories:
        parts.append(_category_table(column))
    if column.type_change is not None:
        parts.append(f'<p class="alarm-text">{shown(column.type_change)}</p>')
    if column.note is not None:
        parts.append(f'<p class="soft">{shown(column.note)}</p>')
    cells = "".join(
        f"<div><dt>{name}</dt><dd{_alarm(alarms, measure)}>{value}</dd></div>"
        for measure, name, value in _facts(column)
    )
    parts.append(f'<dl class="figures">{cells}</dl>')
    return f'<article class="card{" alarm" if alarms else ""}">{"".join(parts)}</article>'


def all_figures(columns: tuple[ColumnFigures, ...]) -> str:
    """A table with every measure of drift of every column."""
    compared = [one for one in columns if one.drift is not None]
    if not compared:
        return ""
    azure = list(dict.fromkeys(name for one in compared if one.drift for name in one.drift.azure))
    head = "".join(f"<th>{name}</th>" for name in [*_MEASURES.values(), *azure])
    lines = []
    for one in compared:
        drift = one.drift
        if drift is None:
            continue
        values = [number(getattr(drift, name)) for name in _MEASURES] + [
            number(drift.azure.get(name)) for name in azure
        ]
        cells = "".join(f"<td>{value}</td>" for value in values)
        lines.append(f"<tr><td>{shown(one.name)}</td>{cells}</tr>")
    note = (
        '<p class="foot">The measures with names in one word are those of Azure ML\'s monitors: their bins depend on '
        "the window, too.</p>"
        if azure
        else ""
    )
    table = f"<table><thead><tr><th>column</th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<details><summary>All measures of drift</summary><div class="scroll">{table}</div>{note}</details>'


def _category_table(column: ColumnFigures) -> str:
    """The most frequent categories, then all others together: those that are shown elsewhere and those that are not."""
    from ..figures.column import CategoryCount  # noqa: PLC0415 (only to add up)

    first, rest = list(column.categories[:_SHOWN_CATEGORIES]), column.categories[_SHOWN_CATEGORIES:]
    has_baseline = column.baseline is not None and first[0].baseline is not None
    others = [*rest, *([] if column.other_categories is None else [column.other_categories])]
    if others:
        first.append(
            CategoryCount(
                value="all others",
                window=sum(one.window for one in others),
                baseline=sum(one.baseline or 0 for one in others) if has_baseline else None,
            )
        )
    return category_bars(first, frozenset(column.new_examples), has_baseline=has_baseline)


def _facts(column: ColumnFigures) -> Iterator[tuple[str, str, str]]:
    """Measure, name and value of each figure."""
    window, baseline, drift = column.window, column.baseline, column.drift
    if drift is not None:
        for measure, name in _MEASURES.items():
            value = getattr(drift, measure)
            if value is not None:
                yield measure, name, number(value)
    if window is None:
        return
    before = "" if baseline is None else f' <span class="soft">({percent(baseline.null_share)})</span>'
    yield "nulls", "nulls", f"{percent(window.null_share)}{before}"
    if window.distinct is not None:
        before = "" if baseline is None else f' <span class="soft">({count(baseline.distinct)})</span>'
        yield "distinct", "different", f"{count(window.distinct)}{before}"
    if column.new_categories:
        yield "new_categories", "new", count(column.new_categories)
    if window.infinite:
        yield "infinite", "infinite", count(window.infinite)
    text = moment if column.kind == "time" else number
    for name in ("mean", "least", "largest"):
        value = getattr(window, name)
        if value is not None:
            old = None if baseline is None else getattr(baseline, name)
            before = "" if old is None else f' <span class="soft">({text(old)})</span>'
            yield name, name, f"{text(value)}{before}"


def _alarm(alarms: frozenset[str], measure: str) -> str:
    return ' class="alarm-text"' if measure in alarms else ""


def short_type(text: str) -> str:
    """The type of a column; of a categorical the type of its values."""
    if (found := _CATEGORICAL.match(text)) is not None:
        text = found[1]
    return text if len(text) <= 40 else f"{text[:37]}..."
