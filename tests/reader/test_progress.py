"""Progress is shown on a terminal only, and leaves nothing behind."""

from __future__ import annotations

import io

import pytest

from otel_modeldata_reader import progress
from otel_modeldata_reader.progress import Progress


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("terminal", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch, terminal: io.StringIO, *, shown: bool) -> None:
    monkeypatch.setattr(progress, "_AFTER_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr", terminal)
    one = Progress("shop/blue/model_inputs", 4_000_000)
    one.add(1_000_000)
    one.add(3_000_000)
    expected = "\r\x1b[Kshop/blue/model_inputs: 25% of 4 MB\r\x1b[K"
    assert terminal.getvalue() == (expected if shown else "")


def test_a_short_reading_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    Progress("shop/blue/model_inputs", 100).add(50)
    assert terminal.getvalue() == ""
