"""Curves of growth and their picture, a panel for each, with the line of linear growth from the first point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_IN_A_LINE: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What was measured in one direction.

    Attributes:
        name: what grows.
        label: what takes the seconds.
        points: amounts and seconds.
    """

    name: str
    label: str
    points: list[tuple[int, float]]

    @property
    def exponent(self) -> float:
        """The slope of the logarithms, by least squares."""
        return _slope(self.points)

    @property
    def end_exponent(self) -> float:
        """The slope between the two largest amounts."""
        return _slope(self.points[-2:])


def _slope(points: Sequence[tuple[int, float]]) -> float:
    xs, ys = ([math.log(point[column]) for point in points] for column in (0, 1))
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread


def draw(curves: Sequence[Curve], file: Path) -> None:
    """Draw the curves into a picture; its suffix says the format."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    lines = math.ceil(len(curves) / _IN_A_LINE)
    # Text as text, and neither times nor random names: the file changes only with the figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth"}):
        figure, panels = plt.subplots(lines, _IN_A_LINE, figsize=(15, 3.2 * lines), layout="constrained", squeeze=False)
        for panel in panels.flat[len(curves) :]:
            panel.set_axis_off()
        for curve, panel in zip(curves, panels.flat, strict=False):
            amounts, seconds = zip(*curve.points, strict=True)
            panel.loglog(amounts, seconds, "o-", label="measured")
            panel.loglog(amounts, [seconds[0] * n / amounts[0] for n in amounts], ":", color="gray", label="linear")
            title = f"{curve.name}^{curve.exponent:.2f}, at the end ^{curve.end_exponent:.2f}"
            panel.set(xlabel=curve.name, ylabel=f"seconds: {curve.label}", title=title)
            panel.title.set_fontsize(10)
            panel.grid(alpha=0.3)
        panels.flat[0].legend()
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else {})
        plt.close(figure)
