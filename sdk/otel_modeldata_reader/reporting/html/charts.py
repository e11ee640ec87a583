"""Charts as inline SVG, made of shares and counts; their labels are HTML beside them, to be read on a phone.

The distributions of columns are drawn as Studio draws them (`page/charts/histogram_pair.js` there): a figure that both
show has the same chart.

A page forbids inline styles, so every measure is an attribute and every color a class of the style sheet.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from .text import count, duration, moment, number, percent, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..figures.column import CategoryCount, ColumnFigures, Histogram
    from ..figures.report import Latency, Measure, Traffic

__all__ = ["category_bars", "column_histogram", "interval_line", "latency_bars", "share_bar", "volume_bars"]

_WIDE: Final = 1000
_MOST_BARS: Final = 400
_MIDDLE_EDGES: Final = 5
"""From so many edges on the one in the middle is named."""
_MOST_CHARACTERS: Final = 44
"""That fit below a histogram in one line."""


def volume_bars(traffic: Traffic) -> str:
    """Requests over time."""
    volumes = traffic.volumes
    step = -(-len(volumes) // _MOST_BARS)
    bars = []
    for at in range(0, len(volumes), step):
        together = volumes[at : at + step]
        requests, rows = (sum(getattr(one, name) for one in together) for name in ("requests", "rows"))
        bars.append((requests, f"{_time(together[0].time)}: {count(requests)} requests, {count(rows)} rows"))
    most = max(one for one, _ in bars)
    unit = traffic.unit if step == 1 else f"{step} {traffic.unit}s"
    top = f"most: {count(most)} requests per {unit}"
    ends = (_time(volumes[0].time), top, _time(volumes[-1].time))
    return _figure(_bars(bars, 150, "window"), "requests over time", ends)


def latency_bars(latency: Latency) -> str:
    """Requests by how long they took; the bins are wider to the right."""
    names = _bin_names(latency.edges, duration)
    whole = sum(latency.counts) or 1
    bars = [(one, f"{name}: {percent(one / whole)}") for one, name in zip(latency.counts, names, strict=True)]
    ends = _edge_names(names, latency.edges, duration)
    return _figure(_bars(bars, 110, "window"), "requests by duration", ends)


def column_histogram(column: ColumnFigures, histogram: Histogram) -> str:
    """The window as bars, the baseline as an area behind them; each is drawn as shares of its own values."""
    text = moment if column.kind == "time" else number
    of_window, of_baseline = _shares(histogram.window), _shares(histogram.baseline or ())
    most = max([*of_window, *of_baseline, 1e-9])
    bins, height = len(of_window), 90
    width = _WIDE / bins
    parts = [f'<line class="rule" x1="0" x2="{_WIDE}" y1="{height}" y2="{height}"/>']
    if of_baseline:
        parts.append(f'<path class="outline" d="{_steps(of_baseline, most, height)}"/>')
    names = _bin_names(histogram.edges, text, is_time=column.kind == "time")
    for at, name in enumerate(names):
        tall = of_window[at] / most * height
        rows = histogram.window[at]
        title = f"{name}: {count(rows)} {'row' if rows == 1 else 'rows'}, {percent(of_window[at])}"
        title += f", baseline {percent(of_baseline[at])}" if of_baseline else ""
        parts.append(
            f'<rect class="{"faint" if of_baseline else "window"}" x="{at * width + width * 0.08:.1f}" '
            f'y="{height - tall:.1f}" width="{width * 0.84:.1f}" height="{tall:.1f}"><title>{title}</title></rect>'
        )
    ends = _edge_names(names, histogram.edges, text)
    return _figure(_svg("".join(parts), height), f"distribution of {shown(column.name)}", ends)


def share_bar(share: float, label: str) -> str:
    """A share as the filled part of a bar."""
    return (
        f'<svg class="share" height="10" role="img" aria-label="{label}"><rect class="track" width="100%" height="10" '
        f'rx="3"/><rect class="window" width="{share * 100:.1f}%" height="10" rx="3"/></svg>'
    )


def category_bars(categories: Iterable[CategoryCount], new: frozenset[str], *, has_baseline: bool) -> str:
    """A table of categories with a bar for the window and one for the baseline."""
    rows = list(categories)
    whole = sum(one.window for one in rows) or 1
    of_baseline = sum(one.baseline or 0 for one in rows) or 1
    most = max(max(one.window / whole, (one.baseline or 0) / of_baseline) for one in rows) or 1
    lines = []
    for one in rows:
        share, before = one.window / whole, (one.baseline or 0) / of_baseline
        bars = f'<rect class="window" y="1" width="{share / most * 100:.1f}%" height="6" rx="1"/>'
        if has_baseline:
            bars += f'<rect class="baseline" y="9" width="{before / most * 100:.1f}%" height="4" rx="1"/>'
        mark = ' <span class="alarm-text">new</span>' if one.value in new else ""
        cells = f"<td>{shown(one.value) or '(empty)'}{mark}</td>"
        cells += f'<td class="bar"><svg height="14" aria-hidden="true">{bars}</svg></td><td>{percent(share)}</td>'
        cells += f'<td class="soft">{percent(before)}</td>' if has_baseline else ""
        lines.append(f"<tr>{cells}</tr>")
    return f'<table class="values"><tbody>{"".join(lines)}</tbody></table>'


def interval_line(measure: Measure, low: float, high: float) -> str:
    """A value and its interval between two ends."""
    if measure.value is None or not high > low:
        return ""

    def place(value: float) -> str:
        return f"{min(100.0, max(0.0, (value - low) / (high - low) * 100)):.1f}%"

    line = ""
    if measure.low is not None and measure.high is not None:
        line = f'<line class="range" x1="{place(measure.low)}" x2="{place(measure.high)}" y1="8" y2="8"/>'
    dot = f'<circle class="window" cx="{place(measure.value)}" cy="8" r="4"/>'
    rule = '<line class="rule" x1="0" x2="100%" y1="8" y2="8"/>'
    return f'<svg class="interval" width="96" height="16" aria-hidden="true">{rule}{line}{dot}</svg>'


def _bars(bars: Sequence[tuple[int, str]], height: int, style: str) -> str:
    most = max([one for one, _ in bars] + [1])
    width = _WIDE / len(bars)
    gap = 0.04 if len(bars) < 200 else 0.0
    parts = [f'<line class="rule" x1="0" x2="{_WIDE}" y1="{height}" y2="{height}"/>']
    for at, (value, title) in enumerate(bars):
        tall = value / most * height
        parts.append(
            f'<rect class="{style}" x="{at * width + width * gap:.2f}" y="{height - tall:.1f}" '
            f'width="{width * (1 - 2 * gap):.2f}" height="{tall:.1f}"><title>{title}</title></rect>'
        )
    return _svg("".join(parts), height)


def _edge_names(names: Sequence[str], edges: Sequence[float], text: Callable[[float], str]) -> tuple[str, str, str]:
    """Below a histogram: its first bin, the edge in the middle if there is room for it, and its last bin."""
    middle = text(edges[len(edges) // 2]) if len(edges) >= _MIDDLE_EDGES and len(edges) % 2 == 1 else ""
    first, last = names[0], names[-1]
    return first, middle if len(first + middle + last) <= _MOST_CHARACTERS else "", last


def _steps(shares: Sequence[float], most: float, height: int) -> str:
    width = _WIDE / len(shares)
    path = f"M0 {height}"
    for at, share in enumerate(shares):
        top = height - share / most * height
        path += f"L{at * width:.1f} {top:.1f}L{(at + 1) * width:.1f} {top:.1f}"
    return f"{path}L{_WIDE} {height}Z"


def _svg(content: str, height: int) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDE} {height}" height="{height}" preserveAspectRatio="none" role="img">{content}</svg>'
    )


def _figure(svg: str, label: str, ends: Sequence[str]) -> str:
    svg = svg.replace('role="img"', f'role="img" aria-label="{label}"', 1)
    spans = "".join(f"<span>{one}</span>" for one in ends)
    return f'<div class="chart">{svg}<div class="ends">{spans}</div></div>'


def _bin_names(edges: Sequence[float], text: Callable[[float], str], *, is_time: bool = False) -> list[str]:
    """What is in each bin; the first and the last one have no end."""
    before, after = ("before", "later") if is_time else ("below", "above")
    middle = [f"{text(low)} to {text(high)}" for low, high in pairwise(edges)]
    return [f"{before} {text(edges[0])}", *middle, f"{text(edges[-1])} and {after}"]


def _shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts)
    return [one / whole for one in counts] if whole else [0.0] * len(counts)


def _time(text: str) -> str:
    return text.replace("T", " ").removesuffix(":00Z")
