"""A benchmark is a case with sides that do the same work; each side has runs, and each run has figures by name."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Run = dict[str, float]
Sides = dict[str, list[Run]]
"""Runs by side; the first side is ours, the others are peers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work a case does.

    Attributes:
        repeat: runs of each side, in turn.
        minutes: of load, for cases that run for a time.
        tiny: too little work for figures with a meaning; it shows that a case works.
        full: include what takes very long.
        plot: the file for the picture of a case that draws one.
    """

    repeat: int = 3
    minutes: float = 1.0
    tiny: bool = False
    full: bool = False
    plot: str | None = None

    def of(self, usual: int, tiny: int) -> int:
        """One of two sizes."""
        return tiny if self.tiny else usual

    def seconds(self, usual: float) -> float:
        """How long to run: one second when tiny."""
        return 1.0 if self.tiny else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target: a bound of the ratio to the peer, or of the figure itself.

    Attributes:
        most: upper bound.
        least: lower bound.
        absolute: of our figure, not of the ratio.
        peer: the side that the ratio is to; any when empty.
    """

    most: float | None = None
    least: float | None = None
    absolute: bool = False
    peer: str = ""

    def met_by(self, ours: float, peer: float | None) -> bool | None:
        """Whether it is reached; None without a peer to compare with."""
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
    """

    about: str
    run: Callable[[Effort], Sides]
    targets: dict[str, list[Target]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table: the medians of one figure, ours and that of a peer if there is one."""

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
