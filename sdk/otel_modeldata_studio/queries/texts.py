"""Long texts by their short forms, as profiles of a report have them: the beginning, and a part of the digest."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_short", "short_text"]

_LONGEST: Final = 200
"""What is longer has a short form."""
_KEPT: Final = 180
_DIGITS: Final = 12
_SHORT: Final = re.compile(rf".{{{_KEPT}}}\.\.\. \([0-9a-f]{{{_DIGITS}}}\)", re.DOTALL | re.ASCII)


def is_short(text: str) -> bool:
    """Whether a text may be a short form; the text itself may be the value of a column, too."""
    return _SHORT.fullmatch(text) is not None


def short_text(text: str) -> str:
    """The expression of the short form of a text, or of the text itself where it is not long.

    Args:
        text: the expression of the text.
    """
    short = f"left({text}, {_KEPT}) || '... (' || left(sha256({text}), {_DIGITS}) || ')'"
    return f"CASE WHEN length({text}) <= {_LONGEST} THEN {text} ELSE {short} END"
