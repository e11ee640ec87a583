"""The delivery side of this process, if there is one.

This module imports neither gRPC nor pandas, so `lifecycle.py` and `metrics.py` can use it without loading them.
`process_start.py` loads both.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import _forking
from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from pathlib import Path

    from ..report import DeliveryReport
    from .worker import Worker

logger = logging.getLogger(__name__)
_once = LogThrottle(logger, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The delivery side of one process.

    Attributes:
        producer: the id of the process, 32 hex digits.
        deployment: `{endpoint}/{deployment}`, the first two folders.
        delivery: the queue and the thread that sends.
        report_folder: where the final report is written, if anywhere.
        destination: where events are sent, without secrets, for a message.
        spool_folder: where events wait that are not delivered; None loses them at the end.
    """

    producer: str
    deployment: str
    delivery: Worker
    report_folder: Path | None
    destination: str = "the endpoint"
    spool_folder: Path | None = None

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Deliver what is pending, and write the final report if the settings name a folder for it."""
        report = self.delivery.shutdown(timeout)
        self._report_missing(report)
        if self.report_folder is not None:
            try:
                _write(self.report_folder, report)
            except OSError as error:
                logger.warning("the report of producer %s cannot be written: %s", self.producer, error)
        return report

    def _report_missing(self, report: DeliveryReport) -> None:
        """Say in one line what is not delivered at the end; a later `shutdown` repeats it only with other counts."""
        lost, pending = report.lost.get("shutdown", 0), report.pending
        if not lost and not pending:
            return
        state = self.delivery.outage() or "it did not answer in time"
        if self.spool_folder is not None and not lost:
            outcome = f"wait in {self.spool_folder}: the next process with this folder sends them"
            cure = "or run python -c 'import otel_modeldata; otel_modeldata.shutdown(60)'"
        else:
            outcome = "are lost"
            cure = (
                "check it with `otel-modeldata doctor`; OTEL_MODELDATA_SPOOL=FOLDER keeps events for the next process"
            )
        message = "at the end of this process %d of %d accepted event(s) %s (%s: %s); %s"
        key = (self.producer, lost, pending)
        _once.log(
            logging.WARNING, key, message, lost + pending, report.accepted, outcome, self.destination, state, cure
        )


def _write(folder: Path, report: DeliveryReport) -> None:
    """Write the whole file or none: an audit may read the folder at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.producer}.json"
    part = path.with_suffix(".part")
    part.write_text(report.to_json(), "utf-8")
    part.replace(path)


_current: Process | None = None


def current_process() -> Process | None:
    """The delivery side of this process; a forked child has none until its own first `collect`."""
    return _current


def replace_process(other: Process | None) -> Process | None:
    """Replace the delivery side of this process; returns the previous one."""
    global _current
    with _forking.guard:
        before, _current = _current, other
        return before
