"""Texts that clients sent, made safe for a terminal and for a log."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["printable"]

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, changes of the direction of writing, and halves of surrogate pairs."""


def printable(text: str) -> str:
    r"""`text` in one line that steers no terminal: what could is escaped, as in `\x1b`."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
