"""The result of a `frames-*` case in 80 columns: a line for each kind and size, as ratios to azureml-ai-monitoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from case import Row

_FIGURES = ("p50_us", "p99_us", "waited_p50_us", "cpu_us", "all_cpu_us")


def table(rows: Iterable[Row]) -> Table:
    """Times of a call in us, then ours divided by the other's: p50, p99, p50 of frames that waited, CPU, all CPU.

    `bound` is the target of p50, or of p50 and p99; `!` is behind a ratio that exceeds it.
    """
    legend = (
        "us: p50 of a call; then ours / its: p50, p99, p50 of frames that waited, CPU of the call and of the process"
    )
    shown = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, caption=legend)
    shown.add_column("frame", no_wrap=True)
    for head in ("rows", " us", " its", "p50 ", "p99 ", "late ", "CPU ", "all ", "bound"):
        shown.add_column(head, justify="right", no_wrap=True)
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        frames, _, figure = row.figure.rpartition(" ")
        lines.setdefault(f"{frames} {row.peer_name}", {})[figure] = row
    for by_figure in lines.values():
        first = by_figure["p50_us"]
        kind, _, count = first.figure.removesuffix(" p50_us").rpartition(" x ")
        shown.add_row(
            kind if first.peer_name == "official" else f"beside a {first.peer_name}",
            count,
            f" {first.ours:,.0f}",
            f" {first.peer or 0:,.0f}",
            *(_ratio(by_figure.get(one)) for one in _FIGURES),
            " ".join(one.target.removeprefix("<= ").removesuffix("x") for one in by_figure.values() if one.target),
        )
    return shown


def _ratio(row: Row | None) -> str:
    if row is None or row.ratio is None:
        return ""
    return f"{row.ratio:.2f}" + ("!" if row.met is False else " ")
