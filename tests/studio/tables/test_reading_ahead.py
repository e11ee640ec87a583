from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from otel_modeldata_reader.window import Window
from otel_modeldata_studio.interruption import Interruption, of_request
from otel_modeldata_studio.tables import reading_ahead
from otel_modeldata_studio.tables.reading_ahead import ReadingAhead

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

OPEN = Window()


def test_folders_are_read_until_nothing_is_pending() -> None:
    left, is_read = [3], threading.Event()

    def read(_: str, __: Window, may_go_on: Callable[[], bool]) -> int:
        assert may_go_on()
        assert not may_go_on()  # one folder at a time
        left[0] -= 1
        if not left[0]:
            is_read.set()
        return left[0]

    reading = ReadingAhead(read)
    reading.want("shop/blue/model_inputs", OPEN)
    assert is_read.wait(60)
    reading.close()
    assert left == [0]


def test_questions_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "_LONGEST_PAUSE", 600.0)
    events: list[str] = []
    is_read = threading.Event()

    def read(root: str, _: Window, __: Callable[[], bool]) -> int:
        events.append(f"read {root}")
        is_read.set()
        return 0

    reading = ReadingAhead(read)
    with of_request(Interruption()):
        reading.want("first", OPEN)
        reading.want("second", OPEN)
        assert not is_read.wait(0.2)
        events.append("answered")
    assert is_read.wait(60)
    reading.close()
    assert events[:2] == ["answered", "read second"]


def test_a_question_that_takes_long_does_not_stop_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "_LONGEST_PAUSE", 0.01)
    is_read = threading.Event()

    def read(_: str, __: Window, ___: Callable[[], bool]) -> int:
        is_read.set()
        return 0

    reading = ReadingAhead(read)
    with of_request(Interruption()):
        reading.want("first", OPEN)
        assert is_read.wait(60)
    reading.close()
