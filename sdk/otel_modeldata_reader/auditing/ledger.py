"""The ledger of an audit: it counts every line of a store under its producer and collection, and checks it.

A line is counted under the deployment of its folder, because its sender may write there; what a line names itself
proves nothing. There it is counted under the producer and collection that it names. So a sender changes no account of
another deployment, whatever ids it sends. This module does not depend on stores or files: its input is lines and the
path of their blob.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.blob_path import tenant_of

from . import stored_line
from .fault import Fault
from .number_ranges import IdSet
from .payloads import Payloads
from .producer_report import UNREADABLE
from .reconciliation import ProducerCounts, Reconciliation, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_modeldata_receiver.layout.blob_path import BlobPath

    from .audit import Selection
    from .producer_report import Reported, ReportedCounts
    from .quarantine_line import QuarantinedEvent
    from .stored_line import StoredLine

__all__ = ["Ledger"]

_Key = tuple[str, str, str]
"""Producer, collection and account: the key of the counts; an account is `endpoint/deployment`, as the folders are."""


@dataclass(slots=True)
class _Part:
    """The lines of one producer and collection in a part of a blob: their line numbers, ids and event numbers.

    `owned` has the ids of the deployment that the lines name, if that is another one than the folder's: its lines make
    these ones duplicates, and are never made duplicates by them.
    """

    counts: ProducerCounts
    ids: IdSet
    owned: IdSet | None
    misplaced: str | None
    lines: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


class Ledger:
    """Counts and checks the lines of a store, and reconciles them with the reports of producers.

    Args:
        objects: sizes of the objects that lines may refer to, by name.
        is_at: see `Payloads`.

    Attributes:
        payloads: the objects that lines refer to.
        lines: number of lines, without blank ones.
        unreadable: lines that are torn or not CloudEvents in JSON.
        misplaced: lines in a folder of another tenant, collection or time.
        content_range: lines whose `contentrange` does not match their rows.
        duplicated: lines with the id of another line of the same account, source and type.
        unattributed: records in quarantine whose deployment or collection is unknown; they settle no account.
        ambiguous_reports: producers with lines in several deployments, whose report names none.
    """

    def __init__(
        self, objects: Mapping[str, int], is_at: Callable[[str, str], bool] = lambda _name, _reference: True
    ) -> None:
        self.payloads = Payloads(objects, is_at)
        self.lines = 0
        self.unreadable = Fault()
        self.misplaced = Fault()
        self.content_range = Fault()
        self.duplicated = Fault()
        self.unattributed = 0
        self.ambiguous_reports: set[str] = set()
        self._counts: dict[_Key, ProducerCounts] = {}
        self._ids: dict[tuple[str, str, str], IdSet] = {}
        self._quarantined_ids = IdSet()

    # --- lines ---------------------------------------------------------------------------------------------------

    def add_lines(self, path: BlobPath, before: int, lines: Sequence[bytes]) -> None:
        """Count and check the lines of a blob that follow its first `before` ones."""
        parts: dict[tuple[str, str, str], _Part] = {}
        time_prefix = path.time_prefix
        for number, raw in enumerate(lines, before + 1):
            line = self._decode(path, number, raw)
            if line is None:
                continue
            names = (line.producer, line.type, line.source)
            part = parts.get(names)
            if part is None:
                part = parts[names] = self._part(path, line)
            part.lines.append(number)
            part.events.append(line.id)
            part.numbers.append(stored_line.sequence_of(line))
            if part.misplaced is not None:
                self.misplaced.add(path, number, part.misplaced)
            elif not (line.time.startswith(time_prefix) and line.time.endswith("Z")):
                self._check_time(path, number, line)
            self._check_payload(path, number, line, raw)
        for part in parts.values():
            self._count(path, part)

    def add_parked(self, path: BlobPath, before: int, lines: Sequence[bytes], selection: Selection) -> int:
        """Count the selected lines that are parked and not in their folder too; return how many there are.

        Args:
            path: where they are delivered.
            before: lines before them in their blob.
            lines: parked lines.
            selection: the audited part.
        """
        count = 0
        for number, raw in enumerate(lines, before + 1):
            line = self._decode(path, number, raw)
            if line is None:
                continue
            tenant = _tenant(path, line.source)
            if not selection.names(*tenant, line.type.removeprefix(semconv.EVENT_TYPE_PREFIX)):
                continue
            if not selection.hours(line.time[:13].replace("-", "/").replace("T", "/")):
                self.add_lines_of_other_hours(path, [raw])
                continue
            if self._ids_of(_account(tenant), line).add(np.array([hash(line.id)], np.int64))[0]:
                counts = self._counts_of(_key(line.producer, line.type, tenant, line.source), tenant)
                counts.add_lines([stored_line.sequence_of(line)], np.array([True]))
                self._check_reference(path, number, line)
                count += 1
        return count

    def add_lines_of_other_hours(self, path: BlobPath, lines: Sequence[bytes]) -> None:
        """Note the numbers of events outside the audited hours: these events are not missing."""
        numbers: dict[_Key, list[int]] = {}
        for raw in lines:
            try:
                line = stored_line.decode(raw)
            except (ValueError, RecursionError):
                continue
            if (number := stored_line.sequence_of(line)) >= 0:
                key = _key(line.producer, line.type, _tenant(path, line.source), line.source)
                numbers.setdefault(key, []).append(number)
        for key, present in numbers.items():
            if key in self._counts:
                self._counts[key].other_hours.add(present)

    def _decode(self, path: BlobPath, number: int, raw: bytes) -> StoredLine | None:
        if not raw or raw.isspace():
            return None  # readers skip blank lines
        self.lines += 1
        try:
            return stored_line.decode(raw)
        except (ValueError, RecursionError) as error:
            self.unreadable.add(path, number, f"expected a CloudEvent in JSON, got {len(raw)} bytes: {error}")
            return None

    def _part(self, path: BlobPath, line: StoredLine) -> _Part:
        tenant = _tenant(path, line.source)
        counts = self._counts_of(_key(line.producer, line.type, tenant, line.source), tenant)
        account = _account(tenant)
        ids = self._ids_of(account, line)
        named = tenant_of(line.source)
        owner = None if named is None or _account(named).lower() == account.lower() else _account(named)
        owned = None if owner is None else self._ids_of(owner, line)
        return _Part(counts, ids, owned, path.misplaced(line.source, line.type))

    def _ids_of(self, account: str, line: StoredLine) -> IdSet:
        """The ids of a source, which several accounts have if it names none of them: a machine, for example."""
        return self._ids.setdefault((account, line.source, line.type), IdSet())

    def _counts_of(self, key: _Key, tenant: tuple[str, str]) -> ProducerCounts:
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = ProducerCounts(producer=key[0], collection=key[1], tenant=tenant)
        return counts

    def _count(self, path: BlobPath, part: _Part) -> None:
        hashes = np.array([hash(event) for event in part.events], np.int64)
        is_new = part.ids.add(hashes)
        if part.owned is not None:
            is_new &= ~part.owned.has(hashes)
        part.counts.add_lines(part.numbers, is_new)
        for index in np.flatnonzero(~is_new).tolist():
            self.duplicated.add(path, part.lines[index], f"expected a new id, got {part.events[index]!r} again")

    # --- a line against its folder and its content ---------------------------------------------------------------

    def _check_time(self, path: BlobPath, number: int, line: StoredLine) -> None:
        problem = path.mistimed(line.time)
        if problem is not None:
            self.misplaced.add(path, number, problem)

    def _check_payload(self, path: BlobPath, number: int, line: StoredLine, raw: bytes) -> None:
        problem = stored_line.size_problem(line, raw)
        if problem is not None:
            self.content_range.add(path, number, problem)
        self._check_reference(path, number, line)

    def _check_reference(self, path: BlobPath, number: int, line: StoredLine) -> None:
        problem = self.payloads.check(path, number, line)
        if problem is not None:
            self.content_range.add(path, number, problem)

    @property
    def dataref(self) -> Fault:
        """Lines that refer to a missing object; complete after `check_references`."""
        return self.payloads.missing

    def check_references(self, objects: Mapping[str, int]) -> None:
        """Check the open references again, against the current objects; see `Payloads.check_again`."""
        for path, number, problem in self.payloads.check_again(objects):
            self.content_range.add(path, number, problem)

    # --- quarantine ----------------------------------------------------------------------------------------------

    def add_quarantined(
        self, line_id: str, event: QuarantinedEvent, *, other_hour: bool = False, records: int = 1
    ) -> None:
        """Count an event in quarantine once, even if a retry in another hour stored it again.

        Args:
            line_id: the id of the quarantine line, the same for the same bytes.
            event: its producer, collection and number.
            other_hour: whether it is outside the audited hours.
            records: how many events there are, if nothing else is known of them.
        """
        if not self._quarantined_ids.add(np.array([hash(line_id)], np.int64))[0]:
            return
        if not event.collection or event.tenant is None:
            self.unattributed += 0 if other_hour else records
            return
        key = _key(event.producer, semconv.event_type(event.collection), event.tenant, event.source)
        if not other_hour:
            self._counts_of(key, event.tenant).add_quarantined(event.number)
        elif key in self._counts and event.number >= 0:
            self._counts[key].other_hours.add([event.number])

    # --- reconciliation ------------------------------------------------------------------------------------------

    def producers(self) -> set[str]:
        """Every producer in the store."""
        return {counts.producer for counts in self._counts.values()}

    def reconcile(self, reported: Mapping[Reported, ReportedCounts], *, whole: bool) -> list[Reconciliation]:
        """Reconcile every producer and collection, including any that only a report names.

        Args:
            reported: counts of final reports; see `producer_report.combine`.
            whole: whether all hours were read; else numbers below the first one belong to other hours.
        """
        reports = self._by_account(reported)
        only_reported = [
            ProducerCounts(producer=key[0], collection=key[1], tenant=_names_of(one.deployment))
            for one, key in ((one, key) for key, (one, _) in reports.items())
            if key[1] != UNREADABLE and key not in self._counts
        ]
        excuses = {
            (key[0], key[2]): counts.lost_in_total for key, (_, counts) in reports.items() if key[1] == UNREADABLE
        }
        reconciliations = []
        for counts in sorted([*self._counts.values(), *only_reported], key=_order):
            account = _account(counts.tenant)
            _, report = reports.get((counts.producer, counts.collection, account), (None, None))
            one = reconcile(counts, report, whole=whole)
            if one.missing and (excused := min(one.missing, excuses.get((counts.producer, account), 0))):
                excuses[counts.producer, account] -= excused
                one = reconcile(counts, report, whole=whole, excused=excused)
            reconciliations.append(one)
        return reconciliations

    def _by_account(self, reported: Mapping[Reported, ReportedCounts]) -> dict[_Key, tuple[Reported, ReportedCounts]]:
        """The counts of reports by account; a report that names its account letter by letter wins.

        Azure's names are the same in any case, so a report may name the only account that differs in case. A report
        without a deployment, of an older version, belongs to the only account of its producer. If a second deployment
        has lines of that producer, it belongs to none: whose it is cannot be known.
        """
        known = {account for producer, _, account in self._counts if producer}
        in_any_case: dict[str, set[str]] = {}
        of_producer: dict[str, set[str]] = {}
        for producer, _, account in self._counts:
            in_any_case.setdefault(account.lower(), set()).add(account)
            of_producer.setdefault(producer, set()).add(account)
        self.ambiguous_reports = set()
        found: dict[_Key, tuple[Reported, ReportedCounts]] = {}
        for one, counts in sorted(
            reported.items(), key=lambda item: (item[0].deployment not in known, item[0].deployment == "")
        ):
            candidates = {one.deployment}
            if not one.deployment:
                candidates = of_producer.get(one.producer, candidates)
            elif one.deployment not in known:
                candidates = in_any_case.get(one.deployment.lower(), candidates)
            if len(candidates) > 1:
                self.ambiguous_reports.add(one.producer)
                continue
            (account,) = candidates
            found.setdefault((one.producer, one.collection, account), (one, counts))
        return found


def _tenant(path: BlobPath, source: str) -> tuple[str, str]:
    """The deployment of a folder; outside of the layout, in a folder that the operator chose, that of the source."""
    return (path.endpoint, path.deployment) if path.endpoint else tenant_of(source) or ("", "")


def _key(producer: str, event_type: str, tenant: tuple[str, str], source: str) -> _Key:
    """The key of the counts. A producer numbers its events per collection; without one the source is a part of it."""
    account = _account(tenant)
    return (
        producer,
        event_type.removeprefix(semconv.EVENT_TYPE_PREFIX),
        account if producer else f"{account} {source}",
    )


def _account(tenant: tuple[str, str]) -> str:
    return "/".join(tenant) if any(tenant) else ""


def _names_of(deployment: str) -> tuple[str, str]:
    endpoint, _, name = deployment.partition("/")
    return (endpoint, name)


def _order(counts: ProducerCounts) -> tuple[str, ...]:
    return (*counts.tenant, counts.collection, counts.producer)
