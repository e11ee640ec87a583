"""Text on stdout: in color where rich is installed and stdout is a terminal, else the same text without color.

`doctor` and `audit` also run in scoring images, which have the SDK's dependencies only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["writer"]


def writer() -> Callable[..., None]:
    """A function that writes a text; lines are never wrapped, so that paths can be copied.

    It takes the text, and optionally a style of rich, and `end` as `print` does.
    """
    try:
        from rich.console import Console  # noqa: PLC0415 (optional)
    except ImportError:
        return _plain
    console = Console(highlight=False)

    def styled(text: str, style: str | None = None, end: str = "\n") -> None:
        console.print(text, style=style, end=end, markup=False, soft_wrap=True)

    return styled


def _plain(text: str, style: str | None = None, end: str = "\n") -> None:  # noqa: ARG001 (see `writer`)
    sys.stdout.write(f"{text}{end}")
