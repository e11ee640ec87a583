"""Some rows as a table of text that fits a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["row_table"]

_GAP: Final = "  "
_NARROWEST: Final = 10
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What could steer a terminal, or turn the direction of its text."""


def row_table(names: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> tuple[list[str], int]:
    """The lines of a table, the names first, and how many columns are left out because they do not fit.

    Args:
        names: of the columns.
        rows: their values: texts, numbers, truths, None, lists and dictionaries.
        width: how wide a line may be.
    """
    columns = [[_text(name), *(_text(row[place]) for row in rows)] for place, name in enumerate(names)]
    widths = [min(width, max(map(_width, column))) for column in columns]
    shown = len(widths)
    while shown > 1 and _total(min(one, _NARROWEST) for one in widths[:shown]) > width:
        shown -= 1
    widths = widths[:shown]
    while _total(widths) > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    is_number = [bool(rows) and all(_is_number(row[place]) for row in rows) for place in range(shown)]
    lines = []
    for number in range(len(rows) + 1):
        cells = [_fitted(columns[place][number], widths[place], right=is_number[place]) for place in range(shown)]
        lines.append(_GAP.join(cells).rstrip())
    return lines, len(columns) - shown


def _total(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + len(_GAP) * (len(found) - 1)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _fitted(text: str, width: int, *, right: bool) -> str:
    if _width(text) > width:
        cut = ""
        for one in text:
            if _width(cut) + _width(one) > width - 3:
                break
            cut += one
        text = f"{cut}..."
    gap = " " * (width - _width(text))
    return gap + text if right else text + gap


def _width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF") for one in text)
