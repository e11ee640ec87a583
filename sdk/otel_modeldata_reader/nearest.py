"""Names that a wrong one may mean, for messages."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Final

from .collection_names import STANDARD

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["misspelled", "nearest"]

_SHOWN: Final = 5
_LIKENESS: Final = 0.6
"""How similar two names are, 0 to 1, to be taken for the same: `bleu` and `blue` are at 0.75."""
_MOST_COMPARED: Final = 2_000
"""Names, of which each takes some microseconds."""
_LONGEST_COMPARED: Final = 200
"""Characters of a name: the time grows with their square."""


def nearest(name: str, known: Sequence[str]) -> str:
    """The advice at the end of a message: the names that are like a wrong one, else some that there are."""
    beside = _beside(name, known)
    if close := misspelled(name, known) or (_namesakes(name, known) if beside else []):
        return f"did you mean {' or '.join(map(repr, close))}?"
    first = dict.fromkeys([*beside, *known])
    more = f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
    return f"there are {', '.join(map(repr, list(first)[:_SHOWN]))}{more}" if known else "there are none"


def misspelled(name: str, known: Sequence[str]) -> list[str]:
    """The known names of which one may be a misspelling, the most similar first.

    Of names in the same folder only the last parts are compared, because the folder is right; else each part is like
    that of the other name.
    """
    folder, _, last = name.rpartition("/")
    if beside := _beside(name, known):
        by_last = {one.rpartition("/")[2]: one for one in beside}
        return [] if last in STANDARD else [by_last[one] for one in _close(last, list(by_last))]
    depth = name.count("/")
    same_depth = [one for one in known if one.count("/") == depth][:_MOST_COMPARED]
    alike = [one for one in same_depth if not folder or _are_alike(name.split("/"), one.split("/"))]
    same_last = [one for one in alike if folder and one.rpartition("/")[2] == last]
    return (
        _close(name, same_last or alike)
        or _close(name, [one for one in known if one.count("/") != depth])
        or ([] if folder else _by_last(name, known))
    )


def _by_last(name: str, known: Sequence[str]) -> list[str]:
    """The names whose last part is like a name without folders, which is short beside a whole one."""
    close = _close(name, list(dict.fromkeys(one.rpartition("/")[2] for one in known)))
    return _namesakes(close[0], known) if close else []


def _beside(name: str, known: Sequence[str]) -> list[str]:
    """The names in the folder of `name`, if it is in one."""
    folder = name.rpartition("/")[0]
    return [one for one in known if folder and one.rpartition("/")[0] == folder]


def _namesakes(name: str, known: Sequence[str]) -> list[str]:
    """The names in other folders with the same last part."""
    last = name.rpartition("/")[2]
    return [one for one in known if one.rpartition("/")[2] == last][:_SHOWN]


def _close(name: str, known: Sequence[str]) -> list[str]:
    by_lower = {one.lower()[:_LONGEST_COMPARED]: one for one in known[:_MOST_COMPARED]}
    close = get_close_matches(name.lower()[:_LONGEST_COMPARED], by_lower, n=_SHOWN, cutoff=_LIKENESS)
    return [by_lower[one] for one in close]


def _are_alike(parts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether each part is like that of another name, and the last one is no other standard collection."""
    if parts[-1] != others[-1] and parts[-1] in STANDARD and others[-1] in STANDARD:
        return False
    return all(_is_alike(*pair) for pair in zip(parts, others, strict=True))


def _is_alike(part: str, other: str) -> bool:
    if part == other:
        return True
    matcher = SequenceMatcher(None, part.lower()[:_LONGEST_COMPARED], other.lower()[:_LONGEST_COMPARED])
    return (
        matcher.real_quick_ratio() >= _LIKENESS and matcher.quick_ratio() >= _LIKENESS and matcher.ratio() >= _LIKENESS
    )
