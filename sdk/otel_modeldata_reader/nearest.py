"""Names that a wrong one may mean, for messages."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["nearest"]

_SHOWN: Final = 5
_LIKENESS: Final = 0.6


def nearest(name: str, known: Sequence[str]) -> str:
    """The advice at the end of a message: the names that are like a wrong one, else some that there are."""
    beside = _beside(name, known)
    if close := _close(name, known, beside):
        return f"did you mean {' or '.join(map(repr, close))}?"
    first = [*beside, *(one for one in known if one not in beside)]
    more = f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
    return f"there are {', '.join(map(repr, first[:_SHOWN]))}{more}" if known else "there are none"


def _beside(name: str, known: Sequence[str]) -> list[str]:
    """The names in the folder of `name`, if it is in one."""
    folder = name.rpartition("/")[0]
    return [one for one in known if folder and one.rpartition("/")[0] == folder]


def _close(name: str, known: Sequence[str], beside: Sequence[str]) -> list[str]:
    """The known names that are like one; of those beside it only the last part is compared: their folder is right."""
    if not beside:
        by_lower = {one.lower(): one for one in known}
        return [by_lower[one] for one in get_close_matches(name.lower(), by_lower, n=_SHOWN, cutoff=_LIKENESS)]
    last = name.rpartition("/")[2]
    by_last = {one.rpartition("/")[2].lower(): one for one in beside}
    close = [by_last[one] for one in get_close_matches(last.lower(), by_last, n=_SHOWN, cutoff=_LIKENESS)]
    return close or [one for one in known if one.rpartition("/")[2] == last][:_SHOWN]
