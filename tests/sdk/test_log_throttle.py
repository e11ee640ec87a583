"""`LogThrottle`: one line per condition and interval."""

from __future__ import annotations

import logging
import math
import os
import threading

import pytest

from otel_modeldata import log_throttle
from otel_modeldata.log_throttle import LogThrottle

logger = logging.getLogger(__name__)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_key_is_logged_once_per_interval(caplog: pytest.LogCaptureFixture) -> None:
    throttle = LogThrottle(logger, seconds=60.0, clock=(clock := Clock()))
    for now in (100.0, 101.0, 159.9, 160.0, 161.0, 220.0):
        clock.now = now
        throttle.log(logging.WARNING, "down", "down at %s", now)
    assert _messages(caplog) == ["down at 100.0", "down at 160.0", "down at 220.0"]


def test_keys_do_not_affect_each_other_and_levels_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    throttle = LogThrottle(logger)
    for _ in range(2):
        throttle.log(logging.WARNING, "a", "first")
        throttle.log(logging.ERROR, ("b", 1), "second")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("WARNING", "first"), ("ERROR", "second")]


def test_an_infinite_interval_logs_once(caplog: pytest.LogCaptureFixture) -> None:
    throttle = LogThrottle(logger, math.inf, clock := Clock())
    for clock.now in (0.0, 1e12):
        throttle.log(logging.WARNING, "a", "once")
    assert _messages(caplog) == ["once"]


def test_a_line_names_its_caller_and_may_have_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    LogThrottle(logger).log(logging.ERROR, "a", "failed", exc_info=ValueError("broken"))
    (record,) = caplog.records
    assert record.funcName == "test_a_line_names_its_caller_and_may_have_a_traceback"
    assert record.exc_info is not None
    assert "ValueError: broken" in caplog.text


def test_the_number_of_keys_is_bounded_and_the_oldest_is_forgotten(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_throttle, "MAX_KEYS", 3)
    throttle = LogThrottle(logger, clock=(clock := Clock()))
    for key in ("a", "b", "c", "d", "d", "c", "b"):
        throttle.log(logging.WARNING, key, key)
    assert len(throttle._quiet_until) == 3
    throttle.log(logging.WARNING, "a", "a again")
    assert _messages(caplog) == ["a", "b", "c", "d", "a again"]
    clock.now += 60.0
    for key in ("c", "e", "f", "c"):  # "c" is still among the remembered keys
        throttle.log(logging.WARNING, key, key)
    assert _messages(caplog)[5:] == ["c", "e", "f"]


def test_many_threads_log_a_key_once(caplog: pytest.LogCaptureFixture) -> None:
    throttle = LogThrottle(logger)
    start = threading.Barrier(8)

    def log() -> None:
        start.wait(30)
        for _ in range(100):
            throttle.log(logging.WARNING, "a", "once")

    threads = [threading.Thread(target=log) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert _messages(caplog) == ["once"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning")  # eventlet, if a test has imported it
def test_a_forked_child_logs_although_a_thread_of_its_parent_was_logging() -> None:
    inside, release = threading.Event(), threading.Event()

    def clock() -> float:
        if threading.current_thread() is thread:
            inside.set()
            release.wait(60)
        return 0.0

    throttle = LogThrottle(logger, clock=clock)
    thread = threading.Thread(target=throttle.log, args=(logging.DEBUG, "a", "of the parent"))
    thread.start()
    assert inside.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if throttle._is_due("a") else 1)
    release.set()
    thread.join(30)
    assert os.waitpid(child, 0)[1] == 0
