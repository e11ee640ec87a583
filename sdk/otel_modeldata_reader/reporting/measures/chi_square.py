"""Pearson's chi-square test: whether counts of categories are those that a baseline leads one to expect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .stirling import poisson_terms

__all__ = ["ChiSquare", "chi_square", "chi_square_survival"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquare:
    """The result of the test.

    Attributes:
        statistic: the sum of `(observed - expected) ** 2 / expected`; infinite for a category that the baseline lacks.
        p_value: how likely as much or more is, if nothing has changed.
        freedom: degrees of freedom, one less than the categories.
    """

    statistic: float
    p_value: float
    freedom: int


def chi_square(baseline: Any, current: Any) -> ChiSquare:
    """The test of Azure's `PearsonsChiSquaredTest`, which is the p-value.

    What is expected is the baseline's share of each category. Source: `_chisquaretest` in the module
    `categorical_data_drift_metrics` of github.com/Azure/azureml-assets, commit 4b41f8c; Evidently's is equal.

    Args:
        baseline: counts by category, not all zero.
        current: counts of the same categories, none of them zero in both.
    """
    observed = np.asarray(current, dtype=np.float64)
    expected = np.asarray(baseline, dtype=np.float64) / np.sum(baseline) * observed.sum()
    freedom = len(observed) - 1
    if freedom == 0 or not observed.sum():
        return ChiSquare(statistic=0.0, p_value=1.0, freedom=freedom)
    if not expected.all():
        return ChiSquare(statistic=math.inf, p_value=0.0, freedom=freedom)
    statistic = float(np.sum((observed - expected) ** 2 / expected))
    return ChiSquare(statistic=statistic, p_value=chi_square_survival(statistic, freedom), freedom=freedom)


def chi_square_survival(statistic: float, freedom: int) -> float:
    """How likely a chi-square variable is above `statistic`: a finite sum, because `freedom` is whole.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.4.4 and 26.4.5.
    """
    half = statistic / 2
    if half <= 0:
        return 1.0
    is_odd = freedom % 2
    terms = poisson_terms(half, np.arange(0.5 if is_odd else 0.0, freedom / 2))
    return min(1.0, (math.erfc(math.sqrt(half)) if is_odd else 0.0) + math.fsum(terms))
