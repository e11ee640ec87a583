"""Texts that clients sent, made safe for a terminal and for a log of this package or of a command."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["printable"]

_CONTROLS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Control characters, line breaks, changes of the direction of writing, halves of surrogate pairs, unseen characters.

The joiners U+200C and U+200D are part of words and of emoji.
"""


def printable(text: str) -> str:
    r"""`text` in one line that steers no terminal: what could is escaped, as in `\x1b`."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
