"""Distances of two distributions: of counts in the same bins, and of two samples.

Where a measure has the name that a monitor of Azure ML uses, it is Azure's formula: `data_drift_compute_metrics` of
github.com/Azure/azureml-assets (`assets/model_monitoring/components/src`), commit 4b41f8c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .bins import shares
from .chi_square import chi_square_survival

if TYPE_CHECKING:
    from .bins import Floats

__all__ = [
    "jensen_shannon",
    "normalized_wasserstein",
    "population_stability",
    "psi_by_chance",
    "psi_of_shares",
    "wasserstein",
]

_LEAST_DEVIATION: Final = 0.001
"""Azure's, and Evidently's: the distances of a constant are finite."""


def population_stability(baseline: Any, current: Any) -> float:
    """The population stability index (PSI) of counts in the same bins: the sum of `(q - p) * ln(q / p)`.

    One is added to every count, so that an empty bin is no infinity. This is Azure's `PopulationStabilityIndex`
    (`_psi_numerical`, `_psi_categorical`), whose bins depend on both samples; the reports use bins of the baseline.

    Args:
        baseline: counts.
        current: counts in the same bins.
    """
    return psi_of_shares(shares(np.asarray(baseline) + 1), shares(np.asarray(current) + 1))


def psi_by_chance(index: float, baseline: Any, current: Any) -> float:
    """How likely an index is as large or larger if nothing has changed: it is never 0 for samples of finite size.

    Divided by `1 / n + 1 / m` it is about chi-square distributed, with one degree of freedom less than there are bins.
    Source: B. Yurdakul, Statistical properties of population stability index, 2018.

    Args:
        index: `population_stability` of these counts.
        baseline: counts, not all zero.
        current: counts in the same bins, not all zero.
    """
    baseline, current = np.asarray(baseline), np.asarray(current)
    freedom = int(np.count_nonzero(baseline + current)) - 1
    if freedom < 1:
        return 1.0
    return chi_square_survival(index / (1 / int(baseline.sum()) + 1 / int(current.sum())), freedom)


def psi_of_shares(baseline: Floats, current: Floats) -> float:
    """The same of shares above zero."""
    return float(np.sum((current - baseline) * np.log(current / baseline)))


def jensen_shannon(baseline: Any, current: Any, base: float = 2.0) -> float:
    """The Jensen-Shannon distance of counts in the same bins: the root of the divergence, from 0 to 1 with base 2.

    Azure's `JensenShannonDistance` (`_jensen_shannon_numerical`, `_jensen_shannon_categorical`) has base 2.

    Args:
        baseline: counts, not all zero.
        current: counts in the same bins, not all zero.
        base: of the logarithm.
    """
    left, right = shares(baseline), shares(current)
    middle = (left + right) / 2.0
    divergence = float(_entropy(left, middle) + _entropy(right, middle)) / np.log(base) / 2.0
    return float(np.sqrt(max(divergence, 0.0)))


def wasserstein(baseline: Floats, current: Floats) -> float:
    """The first Wasserstein distance (earth mover's) of two samples, in the unit of their values.

    Args:
        baseline: finite values, at least one.
        current: likewise.
    """
    baseline, current = np.sort(baseline), np.sort(current)
    every = np.sort(np.concatenate([baseline, current]), kind="stable")
    of_baseline = np.searchsorted(baseline, every[:-1], side="right") / len(baseline)
    of_current = np.searchsorted(current, every[:-1], side="right") / len(current)
    return float(np.sum(np.abs(of_baseline - of_current) * np.diff(every)))


def normalized_wasserstein(baseline: Floats, current: Floats, ddof: int = 1) -> float:
    """The same in standard deviations of the baseline, or in 0.001 if that is more.

    Azure's `NormalizedWassersteinDistance` (`_normalized_wasserstein`) takes the deviation of a sample (`ddof=1`),
    Evidently that of a population (`ddof=0`). That of one value is 0.
    """
    deviation = float(np.std(baseline, ddof=ddof)) if len(baseline) > ddof else 0.0
    return wasserstein(baseline, current) / max(deviation, _LEAST_DEVIATION)


def _entropy(left: Floats, middle: Floats) -> float:
    """The relative entropy; 0 * ln(0) is 0."""
    there = left > 0
    return float(np.sum(left[there] * np.log(left[there] / middle[there])))
