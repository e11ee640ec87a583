"""Quantiles of any number of values in bounded memory, each within 1 % of the value (DDSketch, arXiv 1908.10693)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["QuantileSketch", "Quantiles"]

_ACCURACY: Final = 0.01
_GAMMA: Final = (1 + _ACCURACY) / (1 - _ACCURACY)
_SMALLEST: Final = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """What is known of some values that are not negative: their mean and maximum, and quantiles within 1 %."""

    mean: float
    p50: float
    p90: float
    p99: float
    maximum: float


class QuantileSketch:
    """Takes values that are not negative, one at a time."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._zeros = self._count = 0
        self._mean = self._maximum = 0.0

    def add(self, value: float) -> None:
        """Take a value; an infinite one, or one that is no number, is left out."""
        if not math.isfinite(value):
            return
        self._count += 1
        self._mean += (value - self._mean) / self._count  # a sum may be above every float
        self._maximum = max(self._maximum, value)
        if value < _SMALLEST:
            self._zeros += 1
            return
        bucket = math.ceil(math.log(value) / math.log(_GAMMA))
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def quantile(self, share: float) -> float:
        """The value below which this share of all is; 0 of no values."""
        rank = share * (self._count - 1)
        seen = self._zeros
        if rank < seen or not self._count:
            return 0.0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if rank < seen:
                return min(2 * _GAMMA**bucket / (_GAMMA + 1), self._maximum)
        return self._maximum

    def summary(self) -> Quantiles | None:
        """The quantiles so far; None of no values."""
        if not self._count:
            return None
        return Quantiles(
            mean=self._mean,
            p50=self.quantile(0.5),
            p90=self.quantile(0.9),
            p99=self.quantile(0.99),
            maximum=self._maximum,
        )
