from __future__ import annotations

import time

import pytest

from otel_modeldata_studio.tables.deadline import Deadline

LITTLE, MUCH = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("now", "left", "expected"),
    [(1.0, LITTLE, True), (1.0, MUCH, True), (3.0, LITTLE, True), (3.0, MUCH, False), (5.0, LITTLE, False)],
)
def test_a_question_waits_longer_for_little_than_for_much(
    now: float, left: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert Deadline(soon=2.0, last=4.0).asking(lambda: left)() is expected


def test_what_is_left_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(time, "monotonic", lambda: 3.0)
    is_time = Deadline(soon=2.0, last=4.0).asking(lambda: asked.append(1) or LITTLE)  # type: ignore[func-returns-value]
    assert [is_time(), is_time()] == [True, True]
    assert asked == [1]


def test_one_moment_is_the_same_for_little_and_for_much(monkeypatch: pytest.MonkeyPatch) -> None:
    for now, expected in ((1.0, True), (2.0, False)):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        assert Deadline.at(2.0).asking(lambda: MUCH)() is expected
