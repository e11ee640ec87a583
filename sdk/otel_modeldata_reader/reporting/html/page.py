"""The page: its head, its tiles, and its sections in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .sections import collection_section, findings_section, performance_section, traffic_section
from .style import POLICY, STYLE
from .text import count, duration, percent, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..figures.report import Figures

__all__ = ["page"]


def page(figures: Figures) -> str:
    """The figures of a report as HTML."""
    name = shown(figures.name)
    sections = [
        findings_section(figures),
        traffic_section(figures),
        performance_section(figures),
        *(collection_section(figures, one) for one in figures.collections),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{name}: report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{name}</h1>\n{_meta(figures)}\n{_tiles(figures)}\n" + "\n".join(sections) + "\n</body>\n</html>\n"
    )


def _meta(figures: Figures) -> str:
    baseline = "none: nothing is compared" if figures.baseline is None else f"{figures.baseline.name}"
    facts = {
        "Window": f"{_time(figures.since) or 'the beginning'} to {_time(figures.until) or 'now'} (UTC)",
        "Baseline": baseline,
        "Store": figures.store,
        "Made": f"{_time(figures.made)} (UTC)",
    }
    cells = "".join(f"<div><dt>{key}</dt><dd>{shown(value)}</dd></div>" for key, value in facts.items())
    return f'<dl class="meta">{cells}</dl>'


def _tiles(figures: Figures) -> str:
    tiles = "".join(
        f'<div class="tile{" alarm" if is_alarm else ""}"><b>{value}</b>{name}</div>'
        for name, value, is_alarm in _facts(figures)
    )
    return f'<div class="tiles">{tiles}</div>'


def _facts(figures: Figures) -> Iterator[tuple[str, str, bool]]:
    number = len(figures.findings)
    yield ("finding" if number == 1 else "findings"), count(number), number > 0
    if figures.traffic is not None:
        yield "requests", count(figures.traffic.requests), False
        yield "rows", count(figures.traffic.rows), False
    if figures.latency is not None:
        yield "median latency", duration(figures.latency.p50), False
    if figures.errors is not None and figures.errors.requests:
        is_alarm = any(one.measure == "errors" for one in figures.findings)
        yield "errors", percent(figures.errors.failed / figures.errors.requests), is_alarm
    if figures.labels is not None and figures.labels[1]:
        yield "labeled", percent(figures.labels[0] / figures.labels[1]), False


def _time(text: str | None) -> str:
    return "" if text is None else text[:19].replace("T", " ").removesuffix(" 00:00:00")
