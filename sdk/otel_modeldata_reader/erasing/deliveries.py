"""Erasures beside a receiver that delivers parked lines, and so removes what an erasure has listed and not read yet.

Lines are in their own place before they are removed from where they were parked. So the work begins again, with a new
listing: what it has done is in its journal, as for one that was interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from ..exceptions import RemovedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["beside_deliveries"]

_T = TypeVar("_T")

_MOST_DELIVERIES: Final = 20
"""Each parked blob is delivered once; so many follow each other only where a place fails again and again."""


def beside_deliveries(work: Callable[[], _T]) -> _T:
    """The result of `work`, which begins again if something that it has listed is gone.

    Args:
        work: calling it again continues it.

    Raises:
        RemovedError: that of `work`, each time.
    """
    for _ in range(_MOST_DELIVERIES):
        try:
            return work()
        except RemovedError:
            continue
    return work()
