"""Shows the progress of the demo: live in a terminal, else as lines, always in 80 columns."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ..terminal import WIDTH, fitting
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from .progress import Step

__all__ = ["progress_view", "rendered"]

_BARS: Final = "▁▂▃▄▅▆▇█"
_PLAIN_BARS: Final = "_.-=+*%#"
_NAME: Final = 10
_SECONDS: Final = 8
_TEXT: Final = WIDTH - _NAME - _SECONDS - 6
_COUNTER: Final = 7
_LINE_SECONDS: Final = 2.0
_PER_SECOND: Final = 8


@contextlib.contextmanager
def progress_view(*, is_quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A function that shows progress on stderr until this is left.

    Args:
        is_quiet: show nothing.
    """
    console = Console(stderr=True, highlight=False, emoji=False)
    if is_quiet:
        yield lambda _: None
    elif console.is_terminal:
        frame = _Frame(console)
        with Live(console=console, get_renderable=frame.rendered, refresh_per_second=_PER_SECOND) as live:
            yield frame.show
            live.refresh()
    else:
        yield _Lines().show


class _Frame:
    """The view in a terminal: it is drawn some times a second, whatever happens meanwhile."""

    def __init__(self, console: Console) -> None:
        self._is_utf8 = _is_utf8(console)
        self._spinner = Spinner("dots" if self._is_utf8 else "line")
        self._progress = Progress()

    def show(self, progress: Progress) -> None:
        """Draw it the next time."""
        self._progress = progress

    def rendered(self) -> RenderableType:
        """What is drawn."""
        return rendered(self._progress, self._spinner, is_utf8=self._is_utf8)


class _Lines:
    """The view where there is no terminal: a line when a step begins or ends, and every two seconds."""

    def __init__(self) -> None:
        self._shown = Progress()
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Print what is new."""
        new = [step for step in progress.steps if step not in self._shown.steps]
        for step in new:
            done = "" if step.seconds is None else f" ({step.seconds:.1f} s)"
            _print(f"{step.name:<{_NAME}}{step.text}{done}")
        now = time.monotonic()
        if progress.requests and now >= self._next and not new:
            self._next = now + _LINE_SECONDS
            _print(f"{'':<{_NAME}}{_counted(progress)}")
        self._shown = replace(progress)


def _counted(progress: Progress) -> str:
    return (
        f"{progress.requests:,} of {progress.total:,} flights, "
        f"accepted {progress.accepted:,}, stored {progress.stored:,} events"
    )


def _print(line: str) -> None:
    sys.stderr.write(f"{fitting(line)}\n")
    sys.stderr.flush()


def rendered(progress: Progress, spinner: RenderableType, *, is_utf8: bool) -> RenderableType:
    """The progress as a terminal shows it, in 80 columns.

    Args:
        progress: what has happened.
        spinner: in front of what goes on.
        is_utf8: whether the terminal has other characters than ASCII.
    """
    steps = Table.grid(padding=(0, 1))
    steps.add_column(width=2, justify="center")
    steps.add_column(width=_NAME, style="bold")
    steps.add_column(width=_TEXT)
    steps.add_column(width=_SECONDS, justify="right", style="dim")
    for step in progress.steps:
        steps.add_row(*_row(step, spinner, is_utf8=is_utf8))
    if not progress.total:
        return steps
    return Group(steps, Text(), _counters(progress), *_drift(progress, is_utf8=is_utf8))


def _row(step: Step, spinner: RenderableType, *, is_utf8: bool) -> tuple[RenderableType, ...]:
    text = Text(fitting(step.text, _TEXT))
    if step.seconds is None:
        return spinner, Text(step.name, style="yellow"), text, Text()
    return Text("✓" if is_utf8 else "+", style="green"), Text(step.name), text, Text(f"{step.seconds:.1f} s")


def _counters(progress: Progress) -> Table:
    """Flights, and events that were accepted and stored, as bars of one scale."""
    whole = max(progress.accepted * progress.total / max(progress.requests, 1), 1)
    bars = Table.grid(padding=(0, 1))
    bars.add_column(width=2)
    bars.add_column(width=_NAME, style="bold")
    bars.add_column(width=_COUNTER, justify="right")
    bars.add_column(width=WIDTH - _NAME - _COUNTER - 6)
    every_event = progress.stored == progress.accepted
    for name, count, total, style in (
        ("flights", progress.requests, progress.total, "cyan"),
        ("accepted", progress.accepted, whole, "yellow"),
        ("stored", progress.stored, whole, "green" if every_event else "magenta"),
    ):
        bar = ProgressBar(total=total, completed=count, complete_style=style, finished_style=style)
        bars.add_row("", name, f"{count:,}", bar)
    waiting = progress.accepted - progress.stored
    note = "every accepted event is stored" if every_event else "accepted, and not stored yet"
    bars.add_row("", "waiting", f"{waiting:,}", Text(note, style="dim"))
    return bars


def _drift(progress: Progress, *, is_utf8: bool) -> Iterator[Text]:
    """The median of the drifting feature, hour by hour."""
    if progress.delays and progress.clock is not None:
        text = Text.assemble(
            ("   departure_delay, median by hour  ", "dim"), _sparkline(progress.delays, is_utf8=is_utf8)
        )
        yield text.append(f"  {progress.delays[-1]:,.0f} at {progress.clock:%H:%M} UTC")


def _sparkline(values: tuple[float, ...], *, is_utf8: bool) -> str:
    bars = _BARS if is_utf8 else _PLAIN_BARS
    low, high = min(values), max(values)
    span = (high - low) or 1
    return "".join(bars[int((value - low) / span * (len(bars) - 1))] for value in values)


def _is_utf8(console: Console) -> bool:
    return console.encoding.lower().replace("-", "") == "utf8"
