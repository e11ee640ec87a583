"""Texts and numbers for a page. Everything from data passes `shown`, because senders are strangers."""

from __future__ import annotations

import html
import math
import unicodedata
from datetime import datetime, timezone
from typing import Final

__all__ = ["count", "duration", "moment", "number", "percent", "shown"]

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode's categories of controls, of changes of direction, of halves of pairs, of private use and of line breaks."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""Parts of words and of emoji."""
_LATEST: Final = 253_402_300_799


def shown(text: str) -> str:
    r"""`text` as HTML: markup is text, and a character that is not seen is escaped, as in `\x1b`."""
    return html.escape("".join(one if _is_seen(one) else _escaped(one) for one in text))


def number(value: float | None) -> str:
    """Four digits that matter, with commas; a dash for None."""
    if value is None:
        return "&ndash;"
    if not math.isfinite(value):
        return "not finite"
    size = abs(value)
    if value == 0 or (float(value).is_integer() and size < 1e9):
        return f"{value:,.0f}"
    if size >= 1e9 or size < 1e-4:
        return f"{value:.3g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(size)))}f}"


def count(value: int | None) -> str:
    """A whole number with commas."""
    return "&ndash;" if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share in percent: `0.04 %`, `12.3 %`."""
    if share is None:
        return "&ndash;"
    value = share * 100
    if 0 < value < 0.1:
        return "&lt; 0.1 %"
    return f"{value:.1f} %" if value % 1 else f"{value:.0f} %"


def duration(milliseconds: float) -> str:
    """Milliseconds with their unit."""
    if milliseconds >= 60_000:
        return f"{milliseconds / 60_000:,.1f} min"
    return f"{milliseconds / 1000:,.2f} s" if milliseconds >= 1000 else f"{number(milliseconds)} ms"


def moment(seconds: float | None) -> str:
    """Seconds since 1970 as a time in UTC; of a date only its day."""
    if seconds is None:
        return "&ndash;"
    if not -62_135_596_800 <= seconds <= _LATEST:
        return number(seconds)
    found = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{found:%Y-%m-%d}" if seconds % 86_400 == 0 else f"{found:%Y-%m-%d %H:%M}"


def _is_seen(one: str) -> bool:
    return unicodedata.category(one) not in _UNSEEN or one in _JOINERS


def _escaped(one: str) -> str:
    return one.encode("unicode_escape", "backslashreplace").decode()
