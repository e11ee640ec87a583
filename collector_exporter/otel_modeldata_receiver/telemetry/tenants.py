"""Counts of records by tenant, with a bounded number of series: clients choose the names of tenants.

Each pair of `endpoint` and `deployment` is a series of its own. A deployment that the configuration names always has
one. The others compete for `MOST_TENANTS` places: one that has none takes the place of the least active one when it has
sent more than twice as many records lately. So names that are sent once keep no place from a tenant that writes, and
whoever wants to take many places has to send twice as much for each further one. Whatever has no place is counted as
`other`, also what a tenant sent before it had one.
"""

from __future__ import annotations

import threading
import time
from statistics import median_low
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.metrics import Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions

__all__ = ["MOST_TENANTS", "MOST_WAITING", "OTHER", "TenantRecords"]

MOST_TENANTS: Final = 200
"""Tenants with series of their own, in addition to those that the configuration names."""
MOST_WAITING: Final = 2_000
"""Tenants without a place whose records are remembered. Where there are more, half of them are forgotten, and the
others keep what they have above the median (the algorithm of Misra and Gries for frequent items)."""
OTHER: Final = "other"
_PLACE_FACTOR: Final = 2
_HALF_LIFE_SECONDS: Final = 3600.0
"""Tenants are compared by their records, those of an hour ago with half their weight."""
_Counts: TypeAlias = dict[str, int]
"""Records by outcome."""


def _unnamed(_: str) -> str | None:
    return None


class TenantRecords:
    """Counts the records of tenants; they are read on another thread.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._configured: Callable[[str], str | None] = _unnamed
        self._lock = threading.Lock()
        self._counts: dict[str, _Counts] = {}
        self._names: dict[str, str] = {}
        self._scores: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._others: _Counts = {}
        self._least = 0
        self._aged = clock()

    def keep(self, configured: Callable[[str], str | None]) -> None:
        """Give a place to every tenant, `endpoint/deployment`, for which `configured` returns the name it has there.

        Tenants with the same one, which differ in case, share the place.
        """
        self._configured = configured

    def add(self, records: int, tenant: str, outcome: str) -> None:
        """Count `records` of a tenant: accepted or refused."""
        with self._lock:
            self._age()
            counts = self._place(tenant, records)
            counts[outcome] = counts.get(outcome, 0) + records

    def observations(self, _: CallbackOptions | None = None) -> Iterable[Observation]:
        """The counts by `endpoint`, `deployment` and `outcome`."""
        with self._lock:
            series = [(*_names(self._names.get(key, key)), counts.copy()) for key, counts in self._counts.items()]
            series.append((OTHER, OTHER, self._others.copy()))
        return [
            Observation(count, {"endpoint": endpoint, "deployment": deployment, "outcome": outcome})
            for endpoint, deployment, counts in series
            for outcome, count in counts.items()
        ]

    def _place(self, tenant: str, records: int) -> _Counts:
        """Where the records of a tenant are counted."""
        if tenant in self._scores:
            self._scores[tenant] += records
            return self._counts[tenant]
        if (name := self._configured(tenant)) is not None:
            self._names.setdefault(name, tenant)
            return self._counts.setdefault(name, {})
        score = self._waiting.pop(tenant, 0) + records
        if len(self._scores) < MOST_TENANTS or self._leaves(score):
            self._scores[tenant] = score
            return self._counts.setdefault(tenant, {})
        self._waiting[tenant] = score
        if len(self._waiting) > MOST_WAITING:
            middle = median_low(self._waiting.values())
            self._waiting = {key: score - middle for key, score in self._waiting.items() if score > middle}
        return self._others

    def _leaves(self, score: int) -> bool:
        """Free the place of the least active tenant for one with this score, if that has enough."""
        if score <= _PLACE_FACTOR * self._least:  # a lower bound, so that most need no look at all places
            return False
        least = min(self._scores, key=self._scores.__getitem__)
        self._least = self._scores[least]
        if score <= _PLACE_FACTOR * self._least:
            return False
        del self._scores[least]
        for outcome, count in self._counts.pop(least).items():
            self._others[outcome] = self._others.get(outcome, 0) + count
        return True

    def _age(self) -> None:
        halvings = int((self._clock() - self._aged) // _HALF_LIFE_SECONDS)
        if halvings > 0:
            self._aged += halvings * _HALF_LIFE_SECONDS
            self._least = 0
            self._scores = {key: score >> halvings for key, score in self._scores.items()}
            self._waiting = {key: left for key, score in self._waiting.items() if (left := score >> halvings)}


def _names(tenant: str) -> tuple[str, str]:
    endpoint, _, deployment = tenant.partition("/")
    return endpoint, deployment
