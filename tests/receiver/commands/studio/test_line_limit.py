"""The lines that whoever asks can cause are few, whatever they ask."""

from __future__ import annotations

import logging
import sys
from typing import Any

from otel_modeldata_receiver.commands.studio.line_limit import LineLimit


def record(text: str, *arguments: object, name: str = "studio", error: BaseException | None = None) -> Any:
    info = None if error is None else (type(error), error, None)
    return logging.LogRecord(name, logging.WARNING, "", 0, text, arguments, info)


def passed(limit: LineLimit, some: list[Any]) -> list[str]:
    return [one.getMessage() for one in some if limit.filter(one)]


def test_a_condition_has_one_line_a_minute() -> None:
    now = [0.0]
    limit = LineLimit(lambda: now[0])
    assert passed(limit, [record("no %s", "a"), record("no %s", "b"), record("other")]) == ["no a", "other"]
    now[0] = 59.0
    assert passed(limit, [record("no %s", "c")]) == []
    now[0] = 60.0
    assert passed(limit, [record("no %s", "d"), record("no %s", "e")]) == ["no d"]


def test_the_same_text_of_another_part_or_with_another_error_is_another_condition() -> None:
    some = [record("no"), record("no", name="store"), record("no", error=OSError()), record("no", error=KeyError())]
    assert passed(LineLimit(), [*some, *some]) == ["no"] * 4


def test_conditions_without_an_end_have_20_lines_a_minute() -> None:
    limit = LineLimit()
    lines = passed(limit, [record(f"task {number}") for number in range(10_000)])
    assert len(lines) == 20
    assert lines[-1] == "task 19 (further lines of this minute are left out)"
    assert sys.getsizeof(limit._seen) < 10_000
