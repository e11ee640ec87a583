"""How long attempts to deliver parked lines wait for their place: briefly, and sometimes longer each time.

A place may be slow and work: a datastore in another continent, or a long tail that is read over a thin line. With
brief attempts only, its lines would be parked for as long as it is slow. With long ones only, places that hang would
keep those waiting that are back. So every second attempt of a folder is a long one, and few of them run at the same
time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .parked_folders import ParkedFolder

__all__ = ["LONG_AT_ONCE", "note_outcome", "set_patience"]

LONG_AT_ONCE: Final = 4
"""Long attempts that run at the same time; the others are for places that answer soon, or fail soon."""
_FIRST_LONG: Final = 8.0
_DOUBLINGS: Final = 2
"""To 32 times as long: a request to a store takes 30 s at most. An outage of a day has thousands of failures."""


def set_patience(folder: ParkedFolder, running: Iterable[ParkedFolder]) -> None:
    """Set `patience` of a folder, a factor, for an attempt that begins beside those that are running."""
    is_long = folder.failures % 2 == 1 and sum(1 for other in running if other.patience > 1.0) < LONG_AT_ONCE
    folder.patience = _FIRST_LONG * 2.0 ** min(folder.failures // 2, _DOUBLINGS) if is_long else 1.0


def note_outcome(folder: ParkedFolder, *, has_delivered: bool) -> None:
    """Note the end of an attempt. The next one is as long after one that delivered something.

    A long one that had to be brief, because too many were running, is made up for.
    """
    if not has_delivered and (folder.failures % 2 == 0 or folder.patience > 1.0):
        folder.failures += 1
