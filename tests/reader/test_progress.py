"""Progress is shown on a terminal only, from the second second of a command on, and leaves nothing behind."""

from __future__ import annotations

import io
import re
import threading
import time
from typing import TYPE_CHECKING

import pytest
from deployment_requests import FIRST, Deployment
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import progress, reading
from otel_modeldata_reader.exporting import to_parquet
from otel_modeldata_reader.progress import Progress, Step, clear_line, command_began, step

if TYPE_CHECKING:
    from pathlib import Path

CLEAR = "\r\x1b[K"


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        size = super().write(text)
        self.is_written.set()
        return size


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Of 80 columns; pytest replaces stderr between a fixture and its test."""
    found = Terminal()
    monkeypatch.setattr("sys.stderr", found)
    monkeypatch.setenv("COLUMNS", "80")
    return found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is shown, whatever the time."""
    monkeypatch.setattr(progress, "_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_EVERY_SECONDS", 0.0)


def names(terminal: Terminal) -> list[str]:
    """What was shown, without figures, each name once in a row."""
    shown = [re.sub(r": \d+% of \d+ MB$", "", one) for one in terminal.getvalue().split(CLEAR) if one]
    return [one for number, one in enumerate(shown) if number == 0 or shown[number - 1] != one]


@pytest.mark.parametrize(("stderr", "shown"), [(Terminal(), True), (io.StringIO(), False)])
@pytest.mark.usefixtures("at_once")
def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, *, shown: bool) -> None:
    monkeypatch.setattr("sys.stderr", stderr)
    one = Progress("shop/blue/model_inputs", 4_000_000)
    one.add(1_000_000)
    one.add(3_000_000)
    with step("shop/blue, joined rows"):
        pass
    expected = (
        f"{CLEAR}shop/blue/model_inputs: 0% of 4 MB{CLEAR}shop/blue/model_inputs: 25% of 4 MB{CLEAR}"
        f"{CLEAR}shop/blue, joined rows{CLEAR}"
    )
    assert stderr.getvalue() == (expected if shown else "")


def test_a_short_reading_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    Progress("shop/blue/model_inputs", 100).add(50)
    with step("shop/blue, joined rows"):
        pass
    with command_began(time.monotonic()):
        Progress("shop/blue/model_inputs", 100).add(50)
    assert terminal.getvalue() == ""


def test_the_two_seconds_count_from_the_beginning_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with command_began(time.monotonic() - 2):
        Progress("one", 100).add(100)
        clear_line()
        Progress("two", 100)  # an error ends its reading
        assert terminal.getvalue() == f"{CLEAR}one: 0% of 0 MB{CLEAR}{CLEAR}two: 0% of 0 MB"
    assert terminal.getvalue().endswith(f"two: 0% of 0 MB{CLEAR}")


def test_a_step_is_named_when_the_second_second_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(progress, "_AFTER_SECONDS", 0.05)
    one = Step("query, result")
    assert terminal.is_written.wait(30)
    one.end()
    one.show()
    assert terminal.getvalue() == f"{CLEAR}query, result{CLEAR}"


@pytest.mark.usefixtures("at_once")
def test_bytes_that_are_read_in_a_step_are_shown_behind_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with step("shop/blue, baseline"):
        one = Progress("shop/blue/model_inputs", 100, "rows")
        one.add(40)
        one.add(60)
    assert [one for one in terminal.getvalue().split(CLEAR) if one] == [
        "shop/blue, baseline",
        "shop/blue, baseline, rows: 0% of 0 MB",
        "shop/blue, baseline, rows: 40% of 0 MB",
        "shop/blue, baseline",
    ]
    assert terminal.getvalue().endswith(CLEAR)


@pytest.mark.usefixtures("at_once")
def test_a_name_steers_no_terminal_and_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    Progress("a\x1b[2J\n" + "b" * 100, 2_000_000, "rows").add(1_000_000)
    first, last = terminal.getvalue().removeprefix(CLEAR).split(CLEAR)
    assert first == rf"a\x1b[2J\n{'b' * 54}...: 0% of 2 MB"
    assert last == rf"a\x1b[2J\n{'b' * 53}...: 50% of 2 MB"
    assert (len(first), len(last)) == (79, 79)


@pytest.mark.usefixtures("at_once")
def test_each_pass_of_a_reading_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    write(tmp_path / "store", [line([{"a": 1, "b": "x"}]), line([{"a": 2, "b": "y"}], number=1)])
    with reader.open(tmp_path / "store") as store:
        rows = store.read("shop/blue/model_inputs")
        to_parquet(rows, tmp_path / "small.parquet")
        assert names(terminal) == ["shop/blue/model_inputs, rows"]
        terminal.seek(0)
        terminal.truncate()
        monkeypatch.setattr(reading, "_KEPT_BYTES", 0)
        to_parquet(rows, tmp_path / "large.parquet")
        assert names(terminal) == ["shop/blue/model_inputs, columns", "shop/blue/model_inputs, rows"]
        terminal.seek(0)
        terminal.truncate()
        store.query("SELECT max(a) FROM model_inputs").to_arrow()
        assert names(terminal) == ["shop/blue/model_inputs, columns", "shop/blue/model_inputs, rows", "query, result"]


@pytest.mark.usefixtures("at_once")
def test_all_of_a_report_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = terminal_of(monkeypatch)
    deployment = Deployment(tmp_path / "store")
    for at in range(4):
        deployment.request(
            FIRST.replace(day=10 if at < 2 else 17, microsecond=at),
            model_inputs=[{"age": at}],
            model_outputs=[{"prediction": at % 2}],
            ground_truth=[{"label": at % 2}],
        )
    with deployment.open() as store:
        store.report("shop/blue", "2026-11-16", "2026-11-23", baseline="2026-11-09..2026-11-16")
    of_collections = [
        name
        for collection in ("model_inputs", "model_outputs")
        for name in (
            f"shop/blue/{collection}, rows",
            f"shop/blue/{collection}, baseline",
            f"shop/blue/{collection}, baseline, rows",
            f"shop/blue/{collection}, baseline",
            f"shop/blue/{collection}, figures",
        )
    ]
    assert names(terminal) == [
        *of_collections,
        "shop/blue, joined rows, part 1 of 1",
        *("shop/blue, joined rows, part 1 of 1, rows", "shop/blue, joined rows, part 1 of 1") * 3,
        "shop/blue, performance",
    ]
