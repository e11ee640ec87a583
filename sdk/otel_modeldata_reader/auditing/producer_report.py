"""The final reports of producers: how many events each accepted, delivered and lost.

A process that runs with `OTEL_MODELDATA_REPORT=DIR` writes `DIR/{producer}.json` when it ends. With these reports an
audit can account for events that leave no trace in the store: events after the last stored one, and lost events. A
process with a spool also sends events that dead processes left behind, and reports them as `replayed`.

A report counts for the deployment that it names only, and can be held to one: `--report credit/blue=DIR` takes no
report of another deployment from that folder. So a process that writes reports there cannot settle the account of
another one.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path  # noqa: TC003 (msgspec reads the annotations)
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec

from otel_modeldata.report import CollectionReport, DeliveryReport
from otel_modeldata.validation.problems import Problem
from otel_modeldata_receiver.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["REJECTED", "UNREADABLE", "ReportSource", "Reported", "ReportedCounts", "combine", "load"]

REJECTED: Final = "rejected"
"""The reason of events that the receiver answered with `partial_success`: it stores them in quarantine."""
UNREADABLE: Final = "(unreadable)"
"""The collection of damaged records in a spool, whose own collection cannot be read any more."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _CollectionJson(msgspec.Struct, frozen=True, kw_only=True):
    """See `CollectionReport.as_dict`."""

    accepted: _Count
    delivered: _Count = 0
    lost: dict[str, _Count] = {}
    pending: _Count = 0

    def report(self) -> CollectionReport:
        return CollectionReport(**msgspec.structs.asdict(self))


class _ReportJson(msgspec.Struct, frozen=True, kw_only=True):
    """See `DeliveryReport.to_json`; other keys are ignored."""

    producer: str
    deployment: str = ""
    collections: dict[str, _CollectionJson]
    replayed: dict[str, dict[str, _CollectionJson]] = {}

    def report(self) -> DeliveryReport:
        replayed = {producer: _reports(collections) for producer, collections in self.replayed.items()}
        return DeliveryReport.of(self.producer, _reports(self.collections), replayed, deployment=self.deployment)


def _reports(collections: Mapping[str, _CollectionJson]) -> dict[str, CollectionReport]:
    return {name: counts.report() for name, counts in collections.items()}


class ReportSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where reports are read.

    Attributes:
        path: a file, or a folder of them.
        deployment: `endpoint/deployment` in lower case, the only one whose reports are taken from there; None for all.
    """

    path: Path
    deployment: str | None = None


class Reported(NamedTuple):
    """What counts of reports are about.

    Attributes:
        producer: the process that accepted the events.
        collection: their collection.
        deployment: `endpoint/deployment`; empty in reports of older versions.
    """

    producer: str
    collection: str
    deployment: str


class ReportedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one producer and collection, summed over all reports.

    Attributes:
        accepted: taken by `collect`, with the numbers 0 to accepted - 1; None without the producer's own report.
        delivered: acknowledged by the endpoint.
        lost: by reason.
        pending: left in the spool.
    """

    accepted: int | None = None
    delivered: int = 0
    lost: Mapping[str, int] = {}
    pending: int = 0

    @property
    def lost_in_total(self) -> int:
        """The sum of `lost`."""
        return sum(self.lost.values())


_decode: Final = msgspec.json.Decoder(_ReportJson).decode


def load(sources: Iterable[ReportSource]) -> list[DeliveryReport]:
    """The reports in these files and in the `.json` files of these folders.

    Raises:
        ConfigError: a file is not a report, or two reports of one producer differ; lists all problems.
    """
    reports: dict[tuple[str, str], DeliveryReport] = {}
    problems: list[Problem] = []
    for source in sources:
        files = sorted(source.path.glob("*.json")) if source.path.is_dir() else [source.path]
        if not files:
            message = "expected final reports, got no .json file; name the folder of OTEL_MODELDATA_REPORT"
            problems.append(Problem(str(source.path), message))
        for file in files:
            try:
                report = _decode(file.read_bytes()).report()
            except OSError as error:
                message = (
                    f"expected a final report, got {error.strerror or error}: correct the path, or its permissions"
                )
                problems.append(Problem(str(file), message))
                continue
            except ValueError as error:
                reason = " ".join(str(error).split())
                message = f"expected a final report, got {reason}: name a file that OTEL_MODELDATA_REPORT wrote"
                problems.append(Problem(str(file), message))
                continue
            key = (report.producer, report.deployment.lower())
            if source.deployment not in {None, key[1]}:
                continue
            if _details(reports.setdefault(key, report)) != _details(report):
                message = f"expected one report of {report.producer!r}, got a second one; give only the last one"
                problems.append(Problem(str(file), message))
    if problems:
        raise ConfigError(*problems)
    return list(reports.values())


def _details(report: DeliveryReport) -> tuple[object, object]:
    return report.collections, report.replayed


def combine(reports: Iterable[DeliveryReport]) -> Mapping[Reported, ReportedCounts]:
    """The counts of all reports together.

    Events that a process replayed for another one are added to the counts of the other one, in the same deployment.
    """
    own: dict[Reported, CollectionReport] = {}
    replayed: dict[Reported, list[CollectionReport]] = {}
    for report in reports:
        for name, counts in report.collections.items():
            own[Reported(report.producer, name, report.deployment)] = counts
        for producer, collections in report.replayed.items():
            for name, counts in collections.items():
                replayed.setdefault(Reported(producer, name, report.deployment), []).append(counts)
    return {key: _sum(own.get(key), replayed.get(key, [])) for key in own | replayed}


def _sum(own: CollectionReport | None, replayed: Iterable[CollectionReport]) -> ReportedCounts:
    start = CollectionReport() if own is None else own
    delivered, pending, lost = start.delivered, start.pending, Counter(start.lost)
    for counts in replayed:
        delivered += counts.delivered
        lost.update(counts.lost)
        pending = max(0, pending - counts.delivered - sum(counts.lost.values()))
    return ReportedCounts(
        accepted=None if own is None else own.accepted, delivered=delivered, lost=dict(lost), pending=pending
    )
