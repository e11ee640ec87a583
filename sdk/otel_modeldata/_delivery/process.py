"""The delivery side of this process, if there is one.

This module imports neither gRPC nor pandas, so `lifecycle.py` and `metrics.py` can use it without loading them.
`process_start.py` loads both.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .. import _forking
from ..log_throttle import LogThrottle
from .loss_reporter import NO_ANSWER

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
        place: where its events are, see `open_transport.place_of`; None where that does not matter. It may hold a
            secret.
    """

    producer: str
    deployment: str
    delivery: Worker
    report_folder: Path | None
    destination: str = "the endpoint"
    spool_folder: Path | None = None
    place: tuple[str, str, str] | None = field(default=None, repr=False)

    def shutdown(self, timeout: float) -> DeliveryReport:
        """Deliver what is pending, and write the final report if the settings name a folder for it."""
        report = self.delivery.shutdown(timeout)
        self._report_missing(report)
        if self.report_folder is not None:
            try:
                _write(self.report_folder, report)
            except OSError as error:
                message = "the report of producer %s cannot be written: %s"
                _once.log(logging.WARNING, f"report {self.producer}", message, self.producer, error)
        return report

    def _report_missing(self, report: DeliveryReport) -> None:
        """Say in one line what is not delivered at the end; a later `shutdown` repeats it only with other counts."""
        earlier = [counts for collections in report.replayed.values() for counts in collections.values()]
        missing = _Missing(
            report.accepted, report.lost.get("shutdown", 0), report.pending,
            sum(counts.lost.get("shutdown", 0) for counts in earlier), sum(counts.pending for counts in earlier),
        )  # fmt: skip
        if self.spool_folder is None:  # what the delivery thread could not even count as lost
            missing = missing._replace(lost=missing.lost + missing.kept, kept=0)
        if outcome := missing.outcome(self.spool_folder):
            state = f"{self.destination}: {self.delivery.outage() or NO_ANSWER}"
            message = "at the end of this process (pid %d) %s (%s); %s"
            cure = _cure(missing, self.spool_folder)
            _once.log(logging.WARNING, (self.producer, missing), message, os.getpid(), outcome, state, cure)


class _Missing(NamedTuple):
    """Events that are not delivered at the end of a process: its own, and those of earlier ones from the spool."""

    accepted: int
    lost: int
    kept: int
    lost_of_earlier: int
    kept_of_earlier: int

    def outcome(self, folder: Path | None) -> str:
        """What happens to them; "" if there are none."""
        counts = {
            f"{self.lost} of {self.accepted} accepted event(s) are lost": self.lost,
            f"{self.lost_of_earlier} event(s) of earlier processes are lost": self.lost_of_earlier,
            f"{self.kept} of {self.accepted} accepted event(s) wait in {folder}": self.kept,
            f"{self.kept_of_earlier} event(s) of earlier processes wait in {folder}": self.kept_of_earlier,
        }
        waits = ": the next process with this folder sends them" if self.kept or self.kept_of_earlier else ""
        return ", ".join(text for text, count in counts.items() if count) + waits


def _cure(missing: _Missing, folder: Path | None) -> str:
    if folder is None:
        return "check it with `otel-modeldata doctor`; OTEL_MODELDATA_SPOOL=FOLDER keeps events for the next process"
    if missing.lost or missing.lost_of_earlier:
        return "check it with `otel-modeldata doctor`; those that are lost were not in the spool"
    return "or run python -c 'import otel_modeldata; otel_modeldata.shutdown(60)'"


def _write(folder: Path, report: DeliveryReport) -> None:
    """Write the whole file or none: an audit may read the folder at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.producer}.json"
    part = path.with_suffix(".part")
    try:
        part.write_text(report.to_json(), "utf-8")
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):  # what a full disk had room for
            part.unlink()
        raise


current: Process | None = None
"""The same as `current_process()`, for `collect`: a call costs more than what it does in a process that just woke."""


def current_process() -> Process | None:
    """The delivery side of this process; a forked child has none until its own first `collect`."""
    return current


def replace_process(other: Process | None) -> Process | None:
    """Replace the delivery side of this process; returns the previous one."""
    global current
    with _forking.guard:
        before, current = current, other
        return before
