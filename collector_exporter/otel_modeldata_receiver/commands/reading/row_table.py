"""Some rows as a table of text that fits a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.printable import printable

from ..terminal import columns, fitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["row_table"]

_GAP: Final = "  "
_NARROWEST: Final = 10


def row_table(names: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> tuple[list[str], int]:
    """The lines of a table, the names first, and how many columns are left out because they do not fit.

    Args:
        names: of the columns.
        rows: their values: texts, numbers, truths, None, lists and dictionaries.
        width: how wide a line may be.
    """
    cells = [[_text(name), *(_text(row[place]) for row in rows)] for place, name in enumerate(names)]
    widths = [min(width, max(map(columns, column))) for column in cells]
    shown = len(widths)
    while shown > 1 and _total(min(one, _NARROWEST) for one in widths[:shown]) > width:
        shown -= 1
    widths = widths[:shown]
    while _total(widths) > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    is_number = [bool(rows) and all(_is_number(row[place]) for row in rows) for place in range(shown)]
    lines = []
    for number in range(len(rows) + 1):
        fitted = [_fitted(cells[place][number], widths[place], right=is_number[place]) for place in range(shown)]
        lines.append(_GAP.join(fitted).rstrip())
    return lines, len(cells) - shown


def _total(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + len(_GAP) * (len(found) - 1)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return printable(text)


def _fitted(text: str, width: int, *, right: bool) -> str:
    text = fitting(text, width)
    gap = " " * (width - columns(text))
    return gap + text if right else text + gap
