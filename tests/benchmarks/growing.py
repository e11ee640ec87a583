"""How cost grows with events, columns, collections and clients: linear or better, as a picture.

`exponent` is the slope in a plot of logarithms: 1 is linear, 0 is constant.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import flood
import official
from case import Case, Effort, Run, Sides, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    Cost = Callable[[int, Effort], float]

_AXES: Final = ("events", "columns", "collections", "clients")
_CEILING: Final = Target(most=1.1, absolute=True)
"""Linear, plus a tenth for the noise of a few points."""


def _events(count: int, effort: Effort) -> float:
    """Seconds for this number of events of 1x23, from the first collect to the last acknowledgment."""
    return official.ours("burst", {"rows": 1, "count": count})["seconds"]


def _columns(columns: int, effort: Effort) -> float:
    """Seconds for 1000 rows with this number of columns."""
    count = effort.of(max(1000, 20_000 // columns), 20)
    return official.ours("burst", {"rows": 1, "columns": columns, "count": count})["seconds"] / count * 1000


def _collections(collections: int, effort: Effort) -> float:
    """Seconds for 1000 events in this number of collections."""
    count = effort.of(10_000, 400)
    return official.ours("burst", {"rows": 1, "collections": collections, "count": count})["seconds"] / count * 1000


def _clients(clients: int, effort: Effort) -> float:
    """Seconds in which a receiver stores 1000 events of this number of clients."""
    with official.receiver() as one:
        plan = flood.Plan(
            endpoint=one.endpoint,
            tenants=["credit/blue"] * clients,
            per_second=1e6,
            in_flight=1,
            records=20,
            size=500,
            seconds=effort.seconds(5),
        )
        counts = flood.sent(plan)
        assert one.stop() == 0
        flood.check(plan, counts, flood.lines_of(Path(one.store)))
    return 1000 * plan.seconds / sum(book.in_time for book in counts) / plan.records


def _growth(effort: Effort) -> Sides:
    events = [100, 300] if effort.tiny else [10_000, 30_000, 100_000, 300_000, 1_000_000]
    if effort.full:
        events += [3_000_000, 10_000_000]
    measures: dict[str, tuple[Cost, list[int]]] = {
        "events": (_events, events),
        "columns": (_columns, [1, 1000] if effort.tiny else [1, 3, 10, 30, 100, 300, 1000]),
        "collections": (_collections, [1, 200] if effort.tiny else [1, 5, 20, 50, 100, 200]),
        "clients": (_clients, [1, 20] if effort.tiny else [1, 5, 20, 50, 100, 200]),
    }
    curves = {
        axis: [(amount, cost(amount, effort)) for amount in amounts] for axis, (cost, amounts) in measures.items()
    }
    if effort.plot:
        _draw(curves, Path(effort.plot))
    figures: Run = {f"exponent_{axis}": _exponent(points) for axis, points in curves.items()}
    for axis, points in curves.items():
        figures |= {f"{axis}_{amount}_seconds": seconds for amount, seconds in points}
    return {"ours": [figures]}


def _exponent(points: list[tuple[int, float]]) -> float:
    """The slope by least squares of the logarithms."""
    xs, ys = ([math.log(point[column]) for point in points] for column in (0, 1))
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread


def _draw(curves: dict[str, list[tuple[int, float]]], file: Path) -> None:
    """One panel for each axis, with the line of linear growth from the first point."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    labels = {
        "events": "seconds, collect to acknowledgment",
        "columns": "seconds for 1000 events",
        "collections": "seconds for 1000 events",
        "clients": "seconds for 1000 events, receiver",
    }
    figure, panels = plt.subplots(1, len(_AXES), figsize=(14, 3.6), layout="constrained")
    for axis, panel in zip(_AXES, panels, strict=True):
        amounts, seconds = zip(*curves[axis], strict=True)
        panel.loglog(amounts, seconds, "o-", label="measured")
        panel.loglog(amounts, [seconds[0] * n / amounts[0] for n in amounts], ":", color="gray", label="linear")
        panel.set(xlabel=axis, ylabel=labels[axis], title=f"grows as {axis}^{_exponent(curves[axis]):.2f}")
        panel.grid(alpha=0.3)
    panels[0].legend()
    figure.savefig(file, dpi=110)
    plt.close(figure)


CASES: Final[dict[str, Case]] = {
    "growth": Case(
        about="cost by events, columns, collections and clients (--plot PNG draws it)",
        run=_growth,
        targets={f"exponent_{axis}": [_CEILING] for axis in _AXES},
    ),
}
