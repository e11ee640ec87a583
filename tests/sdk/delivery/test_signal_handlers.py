"""A signal handler may interrupt any line of the queue, and there collect, wait, report, shut down or raise."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, NamedTuple

import pytest
from interruption import interrupt
from scripted_endpoint import FAST, Endpoint, FakeRecord

from otel_modeldata._delivery.disk_queue import DiskQueue
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.config import CollectorConfig
from otel_modeldata.exceptions import QueueFullError, ShutDownError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 30.0
"""How long a wait may last before it counts as a hang."""


class Attempt:
    """A queue with its endpoint, and what was put into it."""

    def __init__(self, folder: Path | None, **limits: object) -> None:
        self.endpoint = Endpoint()
        self.put_whole: list[str] = []
        self.put_in_part: list[str] = []
        envelope = RequestEnvelope(CollectorConfig(), "p")
        spill = limits.pop("spill", False)
        self.worker = Worker(
            envelope,
            self.endpoint,
            DeliveryLimits(**{**FAST, "merge_seconds": 0.0, **limits}),  # type: ignore[arg-type]
            producer="p",
            disk_queue=None if folder is None else DiskQueue(folder, "p", envelope.request([]), 2**24),
            only_overflow=bool(spill),
        )

    def put(self, name: str, size: int = 10) -> None:
        self.put_in_part.append(name)
        try:
            self.worker.put(FakeRecord(name, size), None)
        except (ShutDownError, QueueFullError):
            self.put_in_part.remove(name)
            raise
        self.put_in_part.remove(name)
        self.put_whole.append(name)

    def check(self) -> None:
        """Every record that was accepted is delivered, once, with its own number."""
        report = self.worker.shutdown(SECONDS)
        assert (report.pending, report.lost) == (0, {})
        assert report.accepted == report.delivered == len(self.endpoint.stored)
        assert sorted(set(self.endpoint.stored)) == sorted(self.endpoint.stored)
        delivered = set(self.endpoint.stored)
        assert set(self.put_whole) <= delivered <= {*self.put_whole, *self.put_in_part}
        assert self.put_in_part or self.worker.gauges().queue_bytes == 0


class Case(NamedTuple):
    handler: Callable[[Attempt], object]
    is_over: bool = False
    """Whether the queue accepts nothing afterwards."""


def _flush(attempt: Attempt) -> None:
    assert attempt.worker.flush(SECONDS).pending <= 1  # what the interrupted or the nested `put` has not written yet


def _shutdown(attempt: Attempt) -> None:
    assert attempt.worker.shutdown(SECONDS).pending <= 1


def _report(attempt: Attempt) -> None:
    report = attempt.worker.report()
    assert report.accepted == report.delivered + report.pending


def _put(attempt: Attempt) -> None:
    attempt.put("nested")


def _put_and_flush(attempt: Attempt) -> None:
    attempt.put("nested")
    _report(attempt)
    _flush(attempt)


def _raise(_: Attempt) -> None:
    raise KeyboardInterrupt


def _put_and_exit(attempt: Attempt) -> None:
    attempt.put("nested")
    raise SystemExit


CASES = {
    "flush": Case(_flush),
    "shutdown": Case(_shutdown, is_over=True),
    "report": Case(_report),
    "put": Case(_put),
    "put and flush": Case(_put_and_flush),
    "raise": Case(_raise),
    "put and exit": Case(_put_and_exit),
}
QUEUES: dict[str, dict[str, object]] = {
    "memory": {},
    "memory, block": {"block_seconds": SECONDS},
    "spool": {"spool": True},
    "spool without room in memory": {"spool": True, "queue_records": 2, "linger_seconds": 0.01},
    "spill": {"spool": True, "spill": True, "queue_records": 2, "linger_seconds": 0.01},
}


def _attempt(queue: str, folder: Path) -> Attempt:
    options = dict(QUEUES[queue])
    return Attempt(folder if options.pop("spool", False) else None, **options)


def _interrupted_put(queue: str, case: Case, folder: Path, at: int) -> bool:
    attempt = _attempt(queue, folder)
    for n in range(3):
        attempt.put(f"before {n}")

    def call() -> None:
        with contextlib.suppress(KeyboardInterrupt, SystemExit, ShutDownError):
            attempt.put("interrupted")

    reached = interrupt(at, lambda: case.handler(attempt), call)
    with contextlib.suppress(ShutDownError):
        attempt.put("after")
        assert not (reached and case.is_over)
    attempt.check()
    return reached


def _every_opcode(step: int, start: int) -> itertools.count[int]:
    return itertools.count(start, step)


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=[pytest.mark.long, pytest.mark.timeout(1800)]), 97], ids=["each", "some"]
)
def test_a_put_that_a_signal_handler_interrupts_is_accounted_for(
    queue: str, name: str, step: int, tmp_path: Path
) -> None:
    """At every opcode; without the marker `long`, at some."""
    start = (list(CASES).index(name) * 6 + list(QUEUES).index(queue)) % step
    count = 0
    for at in _every_opcode(step, start):
        if not _interrupted_put(queue, CASES[name], tmp_path / str(at), at):
            break
        count += 1
    assert count >= 2
