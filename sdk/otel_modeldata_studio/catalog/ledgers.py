"""What became of the events of each producer: by an audit of a small store, else by the numbers that seals have.

An audit reads the envelopes of all lines that no seal remembers, so its result is kept until the store has changed.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.auditing.finding import faults_of, findings
from otel_modeldata_reader.auditing.number_ranges import NumberRanges
from otel_modeldata_reader.auditing.reconciliation import shown_ranges
from otel_modeldata_reader.report import counted

from ..interruption import holding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.auditing.audit import Audit
    from otel_modeldata_reader.auditing.reconciliation import Reconciliation
    from otel_modeldata_reader.blobs.listing import CollectionBlobs
    from otel_modeldata_reader.blobs.store_access import StoreAccess

    from .collection_hours import Folder
    from .hour_counts import HourCounts
    from .listing import Listing

__all__ = ["Ledger", "LedgerLine", "Ledgers", "sealed_ledger"]

_MOST_BYTES: Final = 96 << 20
_MOST_OBJECTS: Final = 20_000
_COMPRESSED: Final = 5
"""How much larger lines are than their Parquet files."""
_MOST_RANGES: Final = 100
_MOST_LINES: Final = 2_000
_MOST_FINDINGS: Final = 100
_WITHOUT_NUMBERS: Final = "not known: events without numbers"
"""Instead of the numbers that are missing."""
_SHARE: Final = 10
"""Audits take at most one part of the time in this number of parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """The events of one producer and collection.

    Attributes:
        root: folder of the collection, as the names of its events say it.
        producer: the process; empty for lines that name none.
        stored: events in the store.
        quarantined: events in quarantine.
        duplicates: further lines with the id of a stored event.
        missing: events that are nowhere, though others with later numbers are there; None if they have no numbers.
        gaps: the first and the last number of each range that is missing, at most 100.
        note: what else is wrong with the numbers, in words.
    """

    root: str
    producer: str
    stored: int
    quarantined: int = 0
    duplicates: int = 0
    missing: int | None = 0
    gaps: tuple[tuple[int, int], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A ledger.

    Attributes:
        lines: those with missing events first.
        is_audited: whether every line was looked at.
        findings: what is wrong, in the sentences of `otel-modeldata audit --running`; of lines with the place of the
            first one.
        line_bytes: how many bytes an event has on average, by collection, where all of its lines were looked at.
    """

    lines: tuple[LedgerLine, ...] = ()
    is_audited: bool = True
    findings: tuple[str, ...] = ()
    line_bytes: Mapping[str, float] = field(default_factory=dict)

    def of(self, root: str) -> tuple[int | None, int] | None:
        """The missing events of a collection, None if none has a number, and the duplicates; None without producers."""
        found = [one for one in self.lines if one.root == root and one.producer]
        missing = [one.missing for one in found if one.missing is not None]
        return (sum(missing) if missing else None, sum(one.duplicates for one in found)) if found else None


@dataclass(frozen=True, slots=True)
class _Made:
    """A ledger, what it was made of, and when it may be made again."""

    ledger: Ledger
    sizes: object
    next: float


class Ledgers:
    """Audits a store, as a whole or by deployment.

    Args:
        store: has the lines.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._made: dict[str, _Made] = {}

    def known(self, name: str = "") -> Ledger | None:
        """The latest ledger of a deployment or of the store; None if none was made."""
        made = self._made.get(name) or self._made.get("")
        return None if made is None else made.ledger

    def audited(self, listing: Listing, name: str = "") -> Ledger | None:
        """The ledger by an audit; None if that takes long.

        Args:
            listing: of the store.
            name: `endpoint/deployment`; empty for the whole store.

        Raises:
            ReaderError: the store cannot be read.
        """
        chosen = {root: one for root, one in listing.collections.items() if not name or root.startswith(f"{name}/")}
        sizes = {root: _size(one) for root, one in chosen.items()}
        objects = sum(len(one.blobs) + len(one.compacted) for one in listing.collections.values()) + len(listing.aside)
        if not listing.is_whole or objects > _MOST_OBJECTS or sum(sizes.values()) > _MOST_BYTES:
            return None
        signature = (sizes, {one.name: one.size for one in listing.aside.values()})
        with holding(self._lock):
            made = self._made.get(name)
            if made is None or (made.sizes != signature and time.monotonic() >= made.next):
                started = time.monotonic()
                ledger = _ledger(self._audit(name), chosen)
                ended = time.monotonic()
                made = self._made[name] = _Made(ledger, signature, ended + (ended - started) * _SHARE)
            return made.ledger

    def _audit(self, name: str) -> Audit:
        from otel_modeldata_reader.auditing.audit import Selection, audit  # noqa: PLC0415 (imports protobuf)
        from otel_modeldata_reader.auditing.records.store_records import StoreRecords  # noqa: PLC0415 (likewise)

        endpoint, _, deployment = name.partition("/")
        selection = Selection(endpoint=endpoint or None, deployment=deployment or None)
        records = StoreRecords(self._store)
        return self._store.run(lambda opened: audit(opened, selection, (), lambda *_: None, records=records))


def sealed_ledger(collections: Mapping[str, Sequence[Folder]], counts: HourCounts) -> Ledger:
    """The ledger of what is sealed, as far as the seals were read; events in hours without a seal are not in it.

    Args:
        collections: the folders of each.
        counts: what seals count.
    """
    lines = []
    for root, folders in collections.items():
        numbers: dict[str, NumberRanges] = {}
        for folder in folders:
            sealed = counts.sealed(folder.summaries)
            for producer, ranges in ((sealed and sealed.producers) or {}).items():
                numbers.setdefault(producer, NumberRanges()).add_ranges(ranges)
        lines += [_of_numbers(root, producer, found) for producer, found in numbers.items()]
    ordered = _ordered(lines)
    return Ledger(lines=ordered, is_audited=False, findings=_shown([_sentence(one) for one in ordered if one.missing]))


def _sentence(one: LedgerLine) -> str:
    """As an audit has it."""
    deployment, _, collection = one.root.rpartition("/")
    missing, gaps = counted(one.missing or 0, "event"), shown_ranges(one.gaps)
    return f"{deployment} {collection}, producer {one.producer}: {missing} missing, of the numbers {gaps}"


def _of_numbers(root: str, producer: str, numbers: NumberRanges) -> LedgerLine:
    ranges = numbers.ranges()
    gaps = numbers.holes(ranges[0][0], ranges[-1][1])
    return LedgerLine(
        root=root,
        producer=producer,
        stored=len(numbers),
        missing=sum(last - first + 1 for first, last in gaps),
        gaps=tuple(gaps[:_MOST_RANGES]),
    )


def _size(found: CollectionBlobs) -> int:
    """About how many bytes an audit reads: lines that were dropped are made again of Parquet files."""
    files = sum(size for of_date in found.compacted.values() for name, size in of_date.items() if _is_parquet(name))
    return sum(one.size for one in found.blobs) + _COMPRESSED * files


def _is_parquet(name: str) -> bool:
    return name.endswith(".parquet")


def _ledger(found: Audit, collections: Mapping[str, CollectionBlobs]) -> Ledger:
    # Producers run while somebody looks: that no final report is there yet is no finding.
    sentences = [f"{one.sentence}{_place(found, one.kind)}" for one in findings(replace(found, running=True))]
    lines = [_line(one) for one in found.reconciliations]
    return Ledger(lines=_ordered(lines), findings=_shown(sentences), line_bytes=_line_bytes(lines, collections))


def _line_bytes(lines: Iterable[LedgerLine], collections: Mapping[str, CollectionBlobs]) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for one in lines:
        counts[one.root] += one.stored
    return {
        root: sum(blob.size for blob in one.blobs) / counts[root]
        for root, one in collections.items()
        if counts[root] and not one.compacted
    }


def _place(found: Audit, kind: str) -> str:
    """Where the first line of a kind of fault is; empty for what is not about lines."""
    faults = {**faults_of(found), "forged": found.ledger.forged, "missing_payload": found.ledger.dataref}
    first = next(iter(faults[kind].locations), None) if kind in faults else None
    if first is None:
        return ""
    return f"; the first one is line {first.line} of {first.blob[:300]}: {first.reason[:200]}"


def _shown(sentences: Sequence[str]) -> tuple[str, ...]:
    more = len(sentences) - _MOST_FINDINGS
    return (*sentences[:_MOST_FINDINGS], *([f"{counted(more, 'further finding')}"] if more > 0 else []))


def _line(one: Reconciliation) -> LedgerLine:
    problems = [text for kind, text in one.problems_by_kind.items() if kind != "missing"]
    is_numbered = one.last is not None
    return LedgerLine(
        root=f"{one.endpoint}/{one.deployment}/{one.collection}",
        producer=one.producer,
        stored=one.stored,
        quarantined=one.quarantined,
        duplicates=one.duplicates,
        missing=one.missing if is_numbered or one.missing else None,
        gaps=tuple(one.gaps[:_MOST_RANGES]) if one.missing else (),
        note="; ".join(problems if is_numbered else [*problems, _WITHOUT_NUMBERS]),
    )


def _ordered(lines: Iterable[LedgerLine]) -> tuple[LedgerLine, ...]:
    ordered = sorted(lines, key=lambda one: (-(one.missing or 0), -one.duplicates, one.root, one.producer))
    return tuple(ordered[:_MOST_LINES])
