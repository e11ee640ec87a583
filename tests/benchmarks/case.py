"""The parts of a benchmark: a case has sides that do the same work, a side has runs, and a run has named figures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

Run = dict[str, float]
Sides = dict[str, list[Run]]
"""Runs by side; the first side is this package, the others are peers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work a case does.

    Attributes:
        repeat: runs of each side, in turn.
        minutes: of load, for cases that run for a time.
        tiny: too little work for meaningful figures; shows only that a case works.
        full: include steps that take very long.
        plot: file for the picture of cases that draw one.
        only: parts of the names of frames or axes, for cases that measure many; all when empty.
    """

    repeat: int = 3
    minutes: float = 1.0
    tiny: bool = False
    full: bool = False
    plot: str | None = None
    only: tuple[str, ...] = ()

    def of(self, usual: int, tiny: int) -> int:
        """One of two sizes."""
        return tiny if self.tiny else usual

    def seconds(self, usual: float) -> float:
        """How long to run: one second when tiny."""
        return 1.0 if self.tiny else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target: a bound for the ratio to the peer, or for the figure itself.

    Attributes:
        most: upper bound.
        least: lower bound.
        absolute: the bound is for our figure, not for the ratio.
        peer: the side to compare with; any side when empty.
    """

    most: float | None = None
    least: float | None = None
    absolute: bool = False
    peer: str = ""

    def met_by(self, ours: float, peer: float | None) -> bool | None:
        """Whether the target is met; None without a peer to compare with."""
        value = ours if self.absolute else (ours / peer if peer else None)
        if value is None:
            return None
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        sign, bound = ("<=", self.most) if self.most is not None else (">=", self.least)
        return f"{sign} {bound:,g}" + ("" if self.absolute else "x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A benchmark.

    Attributes:
        about: one line for the list.
        run: does the work and checks what was stored; a wrong result raises.
        targets: by figure.
        table: the result in 80 columns, for cases with too many figures for a line of each.
    """

    about: str
    run: Callable[[Effort], Sides]
    targets: dict[str, list[Target]] = field(default_factory=dict)
    table: Callable[[list[Row]], Table] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table: the medians of one figure, for this package and for a peer if there is one."""

    case: str
    figure: str
    ours: float
    peer_name: str
    peer: float | None
    target: str
    met: bool | None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None


def rows(name: str, case: Case, sides: Sides) -> list[Row]:
    """The lines of a case in the table: one for each figure and each peer that has it."""
    (_, ours), *peers = sides.items()
    lines = []
    for figure in (one for one in ours[0] if one != "sent"):
        with_it = [(side, runs) for side, runs in peers if figure in runs[0]]
        for side, runs in with_it or [("", [])]:
            a, b = median(ours, figure), median(runs, figure) if runs else None
            bounds = [one for one in case.targets.get(figure, ()) if one.peer in ("", side)]
            verdicts = [one.met_by(a, b) for one in bounds]
            met = None if not verdicts or None in verdicts else all(verdicts)
            target = ", ".join(map(str, bounds))
            lines.append(Row(case=name, figure=figure, ours=a, peer_name=side, peer=b, target=target, met=met))
    return lines


def median(runs: list[Run], figure: str) -> float:
    return statistics.median(run[figure] for run in runs)


def in_turn(repeat: int, sides: dict[str, Callable[[], Run]]) -> Sides:
    """Run the sides in turn, `repeat` times, so that a slow minute of the machine affects all of them."""
    runs: Sides = {name: [] for name in sides}
    for _ in range(repeat):
        for name, side in sides.items():
            runs[name].append(side())
    return runs
