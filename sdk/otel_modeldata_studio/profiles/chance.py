"""Whether counts differ by no more than samples of their size do without any change, as a report asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_modeldata_reader.reporting.figures.findings import CHANCE
from otel_modeldata_reader.reporting.measures.distances import population_stability, psi_by_chance

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_by_chance"]


def is_by_chance(baseline: Sequence[int], window: Sequence[int]) -> bool:
    """Whether a difference of counts as large or larger is likely, although nothing has changed.

    Args:
        baseline: counts in some classes.
        window: counts in the same classes.
    """
    if not (sum(baseline) and sum(window)):
        return True
    counts = np.array(baseline), np.array(window)
    return psi_by_chance(population_stability(*counts), *counts) >= CHANCE
