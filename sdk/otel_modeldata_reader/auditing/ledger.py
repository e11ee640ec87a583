"""The ledger of an audit: it adds the summaries of lines, and reconciles them with what producers report.

This module does not depend on stores or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.blob_path import parse_blob_path

from .fault import Fault, Location
from .number_ranges import IdSet
from .payloads import Payloads
from .producer_report import UNREADABLE
from .reconciliation import ProducerCounts, Reconciliation, reconcile
from .records.erased_events import ranges_of
from .summaries.hour_summary import FAULTS
from .summaries.id_hashes import hashes_of
from .summaries.segments import folder_of
from .summaries.summary_maker import account_key, account_of, tenant_of_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..erasing.tombstone import Tombstone
    from .producer_report import Reported, ReportedCounts
    from .quarantine_line import QuarantinedEvent
    from .selection import Selection
    from .summaries.hour_summary import HourSummary
    from .summaries.summary_maker import AccountKey

__all__ = ["Ledger"]


class Ledger:
    """Adds summaries of the lines of a store, and reconciles them with the reports of producers.

    Args:
        objects: sizes of the objects that lines may refer to, by name.
        is_at: see `Payloads`.

    Attributes:
        payloads: the objects that lines refer to.
        lines: number of lines, without blank ones.
        unreadable: lines that are torn or not CloudEvents in JSON.
        elsewhere: lines in a folder of another collection or time, or outside of the layout.
        forged: lines in a folder of another deployment than they name.
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
        self.elsewhere = Fault()
        self.forged = Fault()
        self._sizes = Fault()
        self._payload_sizes = Fault()
        self.duplicated = Fault()
        self.unattributed = 0
        self.ambiguous_reports: set[str] = set()
        self._before: dict[str, int] = {}
        self._counts: dict[AccountKey, ProducerCounts] = {}
        self._quarantined_ids = IdSet()

    # --- lines ---------------------------------------------------------------------------------------------------

    def add(self, summary: HourSummary) -> None:
        """Add lines, in the order of folders; those of a blob follow the lines of that blob that were added before."""
        before = {one.name: self._before.get(one.name, 0) for one in summary.blobs}
        if summary.blobs:
            folder = folder_of(summary.blobs[-1].name)
            now = self._before | {one.name: before[one.name] + one.lines for one in summary.blobs}
            self._before = {name: lines for name, lines in now.items() if folder_of(name) == folder}
        for kind, fault in self._faults().items():
            if (found := summary.faults.get(kind)) is not None:
                fault.add_all(found.count, (_moved(one, before) for one in found.locations))
        for one in summary.accounts:
            self._counts_of((one.producer, one.collection, one.account), one.tenant).add_account(one)
        self._add_payloads(summary, before)

    def add_parked(self, summary: HourSummary, *, is_elsewhere: bool = False) -> int:
        """Add lines that are parked; return how many events they are.

        Only torn lines and missing payloads are faults of them, and one that is stored already is no duplicate.

        Args:
            summary: of the lines.
            is_elsewhere: whether their place is in another store, a datastore. Then events of a collection that has no
                line in this store are not missing: those before the last parked one may be there.
        """
        if (torn := summary.faults.get("unreadable")) is not None:
            self.unreadable.add_all(torn.count, torn.locations)
        for one in summary.accounts:
            if one.stored:
                is_first = (one.producer, one.collection, one.account) not in self._counts
                counts = self._counts_of((one.producer, one.collection, one.account), one.tenant)
                counts.add_account(msgspec.structs.replace(one, duplicates=0))
                if is_elsewhere and is_first and one.ranges:
                    counts.other_stores.add_ranges([(0, max(end for _, end in one.ranges))])
        self._add_payloads(summary, {one.name: 0 for one in summary.blobs})
        return sum(one.stored for one in summary.accounts)

    def add_erased(self, erasures: Iterable[Tombstone], selection: Selection) -> None:
        """Note the numbers of events that were erased on purpose: these events are not missing."""
        for one in (numbers for erasure in erasures for numbers in erasure.numbers):
            path = parse_blob_path(f"{one.root}/{one.date}/x.jsonl" if one.root else f"{one.date}/x.jsonl")
            tenant = tenant_of_line(path, one.source)
            key = account_key(one.producer, one.type, tenant, one.source)
            if selection.names(*tenant, key[1]) and (selection.hours(path.date) or key in self._counts):
                self._counts_of(key, tenant).erased_numbers.add_ranges(ranges_of(one.numbers))

    def add_other_hours(self, summary: HourSummary) -> None:
        """Note the numbers of events outside the audited hours: these events are not missing."""
        for one in summary.accounts:
            counts = self._counts.get((one.producer, one.collection, one.account))
            if counts is not None:
                counts.other_hours.add_ranges(one.ranges)

    def _add_payloads(self, summary: HourSummary, before: Mapping[str, int]) -> None:
        self.lines += summary.lines
        for reference in summary.references:
            moved = msgspec.structs.replace(reference, line=reference.line + before[reference.blob])
            problem = self.payloads.check(moved)
            if problem is not None:
                self._payload_sizes.add(moved.blob, moved.line, problem)

    def _faults(self) -> dict[str, Fault]:
        found = (self.unreadable, self.elsewhere, self.forged, self._sizes, self.duplicated)
        return dict(zip(FAULTS, found, strict=True))

    def _counts_of(self, key: AccountKey, tenant: tuple[str, str]) -> ProducerCounts:
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = ProducerCounts(producer=key[0], collection=key[1], tenant=tenant)
        return counts

    @property
    def misplaced(self) -> Fault:
        """Lines in a folder of another tenant, collection or time."""
        return _both(self.elsewhere, self.forged)

    @property
    def content_range(self) -> Fault:
        """Lines whose `contentrange` does not match their rows; complete after `check_references`."""
        return _both(self._sizes, self._payload_sizes)

    @property
    def dataref(self) -> Fault:
        """Lines that refer to a missing object; complete after `check_references`."""
        return self.payloads.missing

    def check_references(self, objects: Mapping[str, int]) -> None:
        """Check the open references again, against the current objects; see `Payloads.check_again`."""
        for one, problem in self.payloads.check_again(objects):
            self._payload_sizes.add(one.blob, one.line, problem)

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
        if not self._quarantined_ids.add(hashes_of([line_id]))[0]:
            return
        if not event.collection or event.tenant is None:
            self.unattributed += 0 if other_hour else records
            return
        key = account_key(event.producer, semconv.event_type(event.collection), event.tenant, event.source)
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
            account = account_of(counts.tenant)
            _, report = reports.get((counts.producer, counts.collection, account), (None, None))
            one = reconcile(counts, report, whole=whole)
            if one.missing and (excused := min(one.missing, excuses.get((counts.producer, account), 0))):
                excuses[counts.producer, account] -= excused
                one = reconcile(counts, report, whole=whole, excused=excused)
            reconciliations.append(one)
        return reconciliations

    def _by_account(
        self, reported: Mapping[Reported, ReportedCounts]
    ) -> dict[AccountKey, tuple[Reported, ReportedCounts]]:
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
        found: dict[AccountKey, tuple[Reported, ReportedCounts]] = {}
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


def _both(*faults: Fault) -> Fault:
    both = Fault()
    for one in faults:
        both.add_all(one.count, one.locations)
    return both


def _moved(location: Location, before: Mapping[str, int]) -> Location:
    line = location.line + before.get(location.blob, 0)
    return Location(blob=location.blob, line=line, reason=location.reason)


def _names_of(deployment: str) -> tuple[str, str]:
    endpoint, _, name = deployment.partition("/")
    return (endpoint, name)


def _order(counts: ProducerCounts) -> tuple[str, ...]:
    return (*counts.tenant, counts.collection, counts.producer)
