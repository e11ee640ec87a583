"""The line at the end of a process: how many events are lost, how many wait in the spool, and what to do."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from otel_modeldata._delivery.process import Process
from otel_modeldata.report import CollectionReport, DeliveryReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_modeldata._delivery.worker import Worker

_numbers = itertools.count()


class _EndedWorker:
    def __init__(self, report: DeliveryReport, outage: str) -> None:
        self._report = report
        self._outage = outage

    def shutdown(self, _: float) -> DeliveryReport:
        return self._report

    def outage(self) -> str:
        return self._outage


def _line(
    caplog: pytest.LogCaptureFixture, report: DeliveryReport, *, spool: bool, outage: str = "UNAVAILABLE: down"
) -> list[str]:
    process = Process(
        producer=f"producer {next(_numbers)}",
        deployment="e/d",
        delivery=cast("Worker", _EndedWorker(report, outage)),
        report_folder=None,
        destination="host:4317",
        spool_folder=Path("/spool") if spool else None,
    )
    for _ in range(2):  # a second `shutdown` says nothing else
        process.shutdown(1.0)
    return [record.getMessage() for record in caplog.records]


def _report(
    delivered: int = 0,
    lost: int = 0,
    pending: int = 0,
    earlier: Mapping[str, Mapping[str, CollectionReport]] | None = None,
) -> DeliveryReport:
    losses = {"shutdown": lost} if lost else {}
    counts = CollectionReport(accepted=delivered + lost + pending, delivered=delivered, lost=losses, pending=pending)
    return DeliveryReport.of("p", {"model_inputs": counts}, earlier or {})


EARLIER = {
    "dead": {"model_inputs": CollectionReport(accepted=7, delivered=1, lost={"shutdown": 2}, pending=4)},
    "dead too": {"model_inputs": CollectionReport(accepted=1, pending=1)},
}
DOCTOR = "check it with `otel-modeldata doctor`; "
SET_SPOOL = DOCTOR + "OTEL_MODELDATA_SPOOL=FOLDER keeps events for the next process"
SEND = "or run python -c 'import otel_modeldata; otel_modeldata.shutdown(60)'"
WAIT = "wait in /spool: the next process with this folder sends them"


@pytest.mark.parametrize(
    ("report", "spool", "expected"),
    [
        (_report(lost=3, delivered=5), False, f"3 of 8 accepted event(s) are lost (STATE); {SET_SPOOL}"),
        (_report(lost=1, pending=2), False, f"3 of 3 accepted event(s) are lost (STATE); {SET_SPOOL}"),
        (_report(pending=3), True, f"3 of 3 accepted event(s) {WAIT} (STATE); {SEND}"),
        (
            _report(lost=50, pending=5),
            True,
            (
                "50 of 55 accepted event(s) are lost, 5 of 55 accepted event(s) "
                f"{WAIT} (STATE); {DOCTOR}those that are lost were not in the spool"
            ),
        ),
        (
            _report(delivered=1, earlier=EARLIER),
            True,
            (
                "2 event(s) of earlier processes are lost, 5 event(s) of earlier processes "
                f"{WAIT} (STATE); {DOCTOR}those that are lost were not in the spool"
            ),
        ),
    ],
    ids=["lost", "lost, and not even counted", "kept", "lost and kept", "of earlier processes"],
)
def test_one_line_says_what_is_lost_and_what_is_kept(
    caplog: pytest.LogCaptureFixture, report: DeliveryReport, *, spool: bool, expected: str
) -> None:
    line = f"at the end of this process (pid {os.getpid()}) {expected}".replace("STATE", "host:4317: UNAVAILABLE: down")
    assert _line(caplog, report, spool=spool) == [line]


def test_an_endpoint_without_an_answer_is_named_so(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = _line(caplog, _report(lost=1), spool=False, outage="")
    assert "(host:4317: it did not answer in time)" in line


def test_a_process_that_delivered_everything_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert _line(caplog, _report(delivered=3), spool=True) == []
