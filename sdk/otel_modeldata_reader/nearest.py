"""Names that a wrong one may mean, for messages."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["nearest"]

_SHOWN: Final = 5


def nearest(name: str, known: Sequence[str]) -> str:
    """The advice at the end of a message: the names that are like a wrong one, else some that there are."""
    by_lower = {one.lower(): one for one in known}
    close = [by_lower[one] for one in get_close_matches(name.lower(), by_lower, n=_SHOWN, cutoff=0.6)]
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
    return f"there are {', '.join(map(repr, known[:_SHOWN]))}{more}" if known else "there are none"
