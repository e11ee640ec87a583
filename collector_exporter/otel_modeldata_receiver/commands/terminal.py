"""Text on stdout: in color where rich is installed and stdout is a terminal, else the same text without color.

`doctor` and `audit` also run in scoring images, which have the SDK's dependencies only.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["WIDTH", "columns", "fitting", "printable_lines", "size_text", "wrapped", "writer"]

WIDTH: Final = 80
"""Columns of a table, on every terminal."""
_LEAST_COLUMNS: Final = 40
_WIDE: Final = frozenset("WF")
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def writer() -> Callable[..., None]:
    """A function that writes a text; lines are never wrapped, so that paths can be copied, and steer no terminal.

    It takes the text, and optionally a style of rich, and `end` as `print` does.
    """
    try:
        from rich.console import Console  # noqa: PLC0415 (optional)
    except ImportError:
        return _plain

    class _Stdout(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 (rich calls this where it catches the error, and would end the process with code 1)

    console = _Stdout(highlight=False, emoji=False)  # `:smile:` in data is no emoji

    def styled(text: str, style: str | None = None, end: str = "\n") -> None:
        console.print(printable_lines(text), style=style, end=end, markup=False, soft_wrap=True)

    return styled


def printable_lines(text: str) -> str:
    """`text`, which steers no terminal; its lines stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def fitting(text: str, width: int = WIDTH) -> str:
    """`text` in one line without control characters, cut with `...` where it is wider than `width` columns."""
    text = printable(text)
    if len(text) <= width and text.isascii():
        return text
    if columns(text) <= width:
        return text
    room, kept = width - 3, 0
    for character in text:
        room -= columns(character)
        if room < 0:
            break
        kept += 1
    return f"{text[:kept]}..."


def wrapped(lines: Iterable[str], *, whole_words: bool = False) -> Iterator[str]:
    """Lines as they fit the terminal, or the columns in COLUMNS.

    Args:
        lines: each is wrapped by itself.
        whole_words: whether a long path stays in one piece, to be copied.
    """
    width = max(_LEAST_COLUMNS, shutil.get_terminal_size().columns)
    for line in lines:
        yield from textwrap.wrap(
            line, width, subsequent_indent="    ", break_long_words=not whole_words, break_on_hyphens=False
        )


def size_text(size: float) -> str:
    """A number of bytes with its unit."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} {_UNITS[-1]}"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        (2 if unicodedata.east_asian_width(character) in _WIDE else 1)
        for character in text
        if not unicodedata.combining(character)
    )


def _plain(text: str, style: str | None = None, end: str = "\n") -> None:  # noqa: ARG001 (see `writer`)
    sys.stdout.write(f"{printable_lines(text)}{end}")
