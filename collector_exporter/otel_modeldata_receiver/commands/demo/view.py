"""Shows the progress of the demo: live in a terminal, else as lines, always in 80 columns."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from otel_modeldata_reader.printable import printable

from ..terminal import WIDTH
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from .progress import Step

__all__ = ["LineView", "LiveView", "progress_view", "rendered"]

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
        live_view = LiveView(console)
        with Live(console=console, get_renderable=live_view.rendered, refresh_per_second=_PER_SECOND) as live:
            try:
                yield live_view.show
            except BaseException:  # only to take the spinner away; it is raised again
                live_view.stop()
                raise
            finally:
                live.refresh()
    else:
        with LineView() as lines:
            yield lines.show


class LiveView:
    """The view in a terminal: it is drawn some times a second, whatever happens meanwhile."""

    def __init__(self, console: Console) -> None:
        self._is_utf8 = _is_utf8(console)
        self._spinner: RenderableType = Spinner("dots" if self._is_utf8 else "line")
        self._progress = Progress()

    def show(self, progress: Progress) -> None:
        """Draw it the next time."""
        self._progress = progress

    def stop(self) -> None:
        """Nothing goes on any more."""
        self._spinner = Text("-")

    def rendered(self) -> RenderableType:
        """What is drawn."""
        return rendered(self._progress, self._spinner, is_utf8=self._is_utf8)


class LineView:
    """The view where there is no terminal: a line when a step begins or ends, and every two seconds."""

    def __init__(self) -> None:
        self._shown = Progress()
        self._begun: dict[str, float] = {}
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-modeldata-demo-view", daemon=True)

    def __enter__(self) -> LineView:  # noqa: PYI034 (`Self` is not in Python 3.10)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def show(self, progress: Progress) -> None:
        """Print what is new."""
        with self._lock:
            now = time.monotonic()
            for step in progress.steps:
                if step not in self._shown.steps:
                    self._begun.setdefault(step.name, now)
                    done = "" if step.seconds is None else f" ({step.seconds:.1f} s)"
                    _print(f"{step.name:<{_NAME}}{step.text}{done}")
            self._shown = progress

    def print_current(self) -> None:
        """Print how far it is."""
        with self._lock:
            active = [step for step in self._shown.steps if step.seconds is None]
            if active and self._shown.requests:
                _print(f"{'':<{_NAME}}{_counted(self._shown)}")
            elif active:
                waited = time.monotonic() - self._begun[active[-1].name]
                _print(f"{'':<{_NAME}}{active[-1].name} goes on ({waited:.0f} s)")

    def _run(self) -> None:
        while not self._is_over.wait(_LINE_SECONDS):
            self.print_current()


def _counted(progress: Progress) -> str:
    return (
        f"{progress.requests:,} of {progress.total:,} flights, "
        f"accepted {progress.accepted:,}, stored {progress.stored:,} events"
    )


def _print(line: str) -> None:
    for part in textwrap.wrap(printable(line), WIDTH, subsequent_indent=" " * _NAME, break_on_hyphens=False):
        sys.stderr.write(f"{part}\n")
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
    steps.add_column(width=_TEXT, overflow="fold")
    steps.add_column(width=_SECONDS, justify="right", style="dim")
    for step in progress.steps:
        steps.add_row(*_row(step, spinner, is_utf8=is_utf8))
    if not progress.total:
        return steps
    return Group(steps, Text(), _counters(progress), *_drift(progress, is_utf8=is_utf8))


def _row(step: Step, spinner: RenderableType, *, is_utf8: bool) -> tuple[RenderableType, ...]:
    text = Text(printable(step.text))  # a long one, such as an error, has more lines
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
