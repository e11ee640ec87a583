"""The live view of the demo has 80 columns, and everything in them."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from otel_modeldata_receiver.commands.demo.progress import Progress
from otel_modeldata_receiver.commands.demo.view import LineView, LiveView, progress_view, rendered

if TYPE_CHECKING:
    import pytest

NOW = datetime(2026, 11, 29, 11, 3, tzinfo=UTC)


def progress(stored: int) -> Progress:
    done = Progress().begin("receiver", "starts").end("receiver", "listens on 127.0.0.1:65535", 1.25)
    return Progress(
        steps=done.begin("traffic", "the flights of a day").steps,
        requests=500,
        total=937,
        accepted=2_060,
        stored=stored,
        clock=NOW,
        delays=(-2.0, 0.0, 4.0, 300.0),
        labels=430,
    )


def shown(value: Progress, *, is_utf8: bool) -> list[str]:
    console = Console(file=StringIO(), width=80, legacy_windows=False, force_terminal=False)
    console.print(rendered(value, Text(">"), is_utf8=is_utf8))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_every_step_and_counter_is_shown_in_80_columns() -> None:
    lines = shown(progress(1_789), is_utf8=True)
    bare = [line.rstrip("━╸╺ ") for line in lines]
    assert bare == [
        "✓  receiver   listens on 127.0.0.1:65535                                  1.2 s",
        ">  traffic    the flights of a day",
        "",
        "   flights        500",
        "   accepted     2,060",
        "   stored       1,789",
        "   waiting        271 accepted, and not stored yet",
        "   departure_delay, median by hour  ▁▁▁█  300 at 11:03 UTC",
    ]
    assert max(map(len, lines)) <= 80


def test_when_nothing_waits_it_says_so() -> None:
    assert "   waiting          0 every accepted event is stored" in shown(progress(2_060), is_utf8=True)


def test_a_terminal_without_utf8_gets_ascii() -> None:
    lines = shown(progress(1_789), is_utf8=False)
    assert "".join(line.replace("━", "").replace("╸", "").replace("╺", "") for line in lines).isascii()


def test_a_long_text_has_more_lines_and_nothing_is_cut() -> None:
    text = "expected the service to run, got exit code 1 and the last line " + "x" * 200
    lines = shown(Progress().begin("service", text), is_utf8=True)
    assert "".join(" ".join(lines).removeprefix(">  service").split()) == text.replace(" ", "")
    assert max(map(len, lines)) <= 80


def test_when_the_demo_is_interrupted_no_spinner_is_left() -> None:
    frame = LiveView(Console(file=StringIO(), width=80, legacy_windows=False))
    frame.show(Progress().begin("service", "starts"))
    frame.stop()
    console = Console(file=StringIO(), width=80, legacy_windows=False)
    console.print(frame.rendered())
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().split() == ["-", "service", "starts"]


def test_without_a_terminal_each_step_is_a_line_when_it_begins_and_when_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_view(is_quiet=False) as view:
        begun = Progress().begin("receiver", "starts")
        view(begun)
        view(begun)
        view(begun.end("receiver", "listens on 127.0.0.1:65535", 1.25))
    assert capsys.readouterr().err.splitlines() == [
        "receiver  starts",
        "receiver  listens on 127.0.0.1:65535 (1.2 s)",
    ]


def test_without_a_terminal_a_long_line_is_wrapped_below_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_view(is_quiet=False) as view:
        view(Progress().begin("studio", " ".join(["word"] * 30)))
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0][:14], lines[1][:14]) == ("studio    word", "          word")
    assert " ".join(" ".join(lines).split()) == " ".join(["studio", *["word"] * 30])
    assert max(map(len, lines)) <= 80


def test_without_a_terminal_a_step_that_takes_long_is_named_again(capsys: pytest.CaptureFixture[str]) -> None:
    view = LineView()  # its thread is not started: what it prints is asked for here
    view.show(Progress().begin("service", "starts"))
    view.print_current()
    view.show(progress(1_789))
    view.print_current()
    assert capsys.readouterr().err.splitlines() == [
        "service   starts",
        "          service goes on (0 s)",
        "receiver  listens on 127.0.0.1:65535 (1.2 s)",
        "traffic   the flights of a day",
        "          500 of 937 flights, accepted 2,060, stored 1,789 events",
    ]


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_view(is_quiet=True) as view:
        view(progress(1))
    assert capsys.readouterr() == ("", "")
