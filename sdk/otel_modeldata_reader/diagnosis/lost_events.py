"""Events that processes have lost, by the final reports that they wrote (`OTEL_MODELDATA_REPORT`)."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Final

from otel_modeldata_receiver.exceptions import ConfigError

from ..auditing.producer_report import REJECTED, ReportSource, combine, load
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata.report import DeliveryReport

    from .scope import Scope

__all__ = ["about_reports"]

_MOST_FILES: Final = 1_000
_MOST_BYTES: Final = 1 << 20
_CURES: Final = {
    "shutdown": "the process ended before the endpoint answered: use a spool",
    "refused": "the endpoint refused them permanently: see its log",
    "too_large": "raise the limit of the gateway or the receiver",
}


def about_reports(folder: Path, scope: Scope) -> Iterator[Finding]:
    """What the newest reports of a folder say; files that are none are left out."""
    lost: Counter[str] = Counter()
    pending = 0
    for about, counts in combine(_reports(folder)).items():
        if scope.names(about.deployment, about.collection) is not False:
            lost.update(counts.lost)
            pending += counts.pending
    lost.pop(REJECTED, None)  # they are in quarantine
    if lost:
        reasons = "; ".join(
            f"{count:,} x {reason[:80]}{f' ({_CURES[reason]})' if reason in _CURES else ''}"
            for reason, count in lost.most_common(len(_CURES) + 3)
        )
        sentence = f"final reports in {str(folder)!r} say that events of {scope.shown} were lost: {reasons}"
        run = (f"{scope.audit} --report {shlex.quote(str(folder))}",)
        yield Finding(cause="lost_by_sender", step="environment", outcome="suspect", sentence=sentence, run=run)
    if pending:
        sentence = (
            f"final reports in {str(folder)!r} say that {pending:,} event(s) of {scope.shown} were left in the spool: "
            "the next process on that host sends them"
        )
        yield Finding(cause="left_in_spool", step="environment", outcome="suspect", sentence=sentence)


def _reports(folder: Path) -> list[DeliveryReport]:
    try:
        found = sorted(((one.stat(), one) for one in folder.glob("*.json")), key=lambda one: one[0].st_mtime)
    except OSError:
        return []
    reports: list[DeliveryReport] = []
    for status, file in found[-_MOST_FILES:]:
        if status.st_size <= _MOST_BYTES:
            try:
                reports += load([ReportSource(path=file)])
            except ConfigError:
                continue
    return reports
