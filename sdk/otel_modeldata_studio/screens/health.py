"""Health: whether everything that was collected is there, and what was set aside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_reader.blobs.dated_folder import is_closed
from otel_modeldata_reader.collection_names import is_tabular
from otel_modeldata_reader.diagnosis.scope import Scope
from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_reader.nearest import nearest
from otel_modeldata_reader.window import Window
from otel_modeldata_receiver.layout.partition import QUARANTINE

from ..catalog.collection_state import state_of
from ..catalog.times import hour_text, time_text
from ..catalog.type_changes import type_changes
from .set_aside import ParkedRow, QuarantineGroup, parked_rows, quarantine_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs

    from ..catalog.collection_hours import Folder
    from ..catalog.ledgers import Ledger
    from ..catalog.listing import Listing
    from ..studio import Studio

__all__ = [
    "Health",
    "HealthFinding",
    "LateHour",
    "LedgerRow",
    "ReceiverRow",
    "SchemaChange",
    "SealCounts",
    "health",
]

_INSTANCE: Final = re.compile(r"(?P<instance>[0-9a-f]{32})\d+\.jsonl", re.ASCII)
_MOST_ROWS: Final = 500
_NANOSECONDS: Final = 1_000_000_000


class HealthFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs eyes: a sentence, and what to run; empty if nothing helps."""

    text: str
    command: str = ""


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one producer and collection; see `catalog.ledgers.LedgerLine`.

    `first` and `last` are the hours of its first and last event, ISO 8601 in UTC, where seals say them.
    """

    collection: str
    producer: str
    stored: int
    quarantined: int
    duplicates: int
    missing: int | None
    gaps: tuple[tuple[int, int], ...]
    first: str | None = None
    last: str | None = None
    note: str = ""


class SchemaChange(msgspec.Struct, frozen=True, kw_only=True):
    """A column that changed its type, came or went; `before` and `after` are None where there is no such column."""

    collection: str
    column: str
    before: str | None
    after: str | None
    since: str | None


class LateHour(msgspec.Struct, frozen=True, kw_only=True):
    """An hour to which lines came after it was sealed.

    Attributes:
        collection: its folder.
        hour: ISO 8601 in UTC.
        lines: how many; those after the latest seal are estimated by their bytes.
        latest: when the last one came.
    """

    collection: str
    hour: str | None
    lines: int
    latest: str | None


class ReceiverRow(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver, by the names of its blobs.

    Attributes:
        instance: 32 hexadecimal digits.
        last_write: ISO 8601 in UTC; None where the store does not say it.
        age_seconds: since then.
        collections: to how many it has written.
    """

    instance: str
    last_write: str | None
    age_seconds: int | None
    collections: int


class SealCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Closed folders with a seal, and without one."""

    sealed: int
    unsealed: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The screen.

    Attributes:
        deployment: None for all.
        updated: when the store was listed, ISO 8601 in UTC.
        findings: what needs eyes, the most important first.
        ledger: producers, those with missing events first.
        schema_changes: the newest first.
        late: the newest hour first.
        quarantine: by kind of reason, the most frequent first.
        parked: by collection.
        receivers: the last one that wrote first.
        seals: None where nothing is sealed.
        bounded: what was not looked at, in one sentence; empty if everything was.
    """

    deployment: str | None
    updated: str
    findings: tuple[HealthFinding, ...]
    ledger: tuple[LedgerRow, ...]
    schema_changes: tuple[SchemaChange, ...]
    late: tuple[LateHour, ...]
    quarantine: tuple[QuarantineGroup, ...]
    parked: tuple[ParkedRow, ...]
    receivers: tuple[ReceiverRow, ...]
    seals: SealCounts | None
    bounded: str = ""


def health(studio: Studio, *, deployment: str | None = None) -> Health:
    """What the screen shows.

    Args:
        studio: the store.
        deployment: `endpoint/deployment`; None for all.

    Raises:
        UnknownNameError: the store has no such deployment.
        ReaderError: the store cannot be read.
    """
    catalog = studio.catalog
    listing = catalog.listing()
    name = (deployment or "").strip("/")
    chosen = _chosen(studio, listing, name)
    folders = {root: catalog.folders(root, listing) for root in chosen}
    ledger = catalog.ledger(listing, name)
    now = catalog.now_ns
    scope = Scope(name=name, window=Window(), now=now, store=studio.store.objects.shown, url="")
    return Health(
        deployment=name or None,
        updated=time_text(listing.time),
        findings=(
            *_findings(studio, chosen, is_audited=ledger.is_audited),
            *(HealthFinding(text=one, command=scope.audit) for one in ledger.findings),
        ),
        ledger=tuple(_ledger_rows(studio, ledger, folders)),
        schema_changes=tuple(_schema_changes(studio, folders)),
        late=tuple(_late(studio, folders)),
        quarantine=tuple(quarantine_groups(catalog.quarantined, name)),
        parked=tuple(parked_rows(studio, listing, name)),
        receivers=tuple(_receivers(chosen, now)),
        seals=_seals(folders, now),
        bounded="" if ledger.is_audited else _BOUNDED.format(command=scope.audit),
    )


_BOUNDED: Final = (
    "the store is too large to read all of its lines for a page: producers are compared by the seals of closed hours "
    "only; this reads everything: {command}"
)


def _chosen(studio: Studio, listing: Listing, name: str) -> dict[str, CollectionBlobs]:
    chosen = {root: one for root, one in listing.collections.items() if not name or root.rpartition("/")[0] == name}
    if name and not chosen:
        known = sorted({root.rpartition("/")[0] for root in listing.collections})
        shown = studio.store.objects.shown
        raise UnknownNameError(f"expected a deployment of {shown}, got {name!r:.200}: {nearest(name, known)}")
    return chosen


def _findings(studio: Studio, chosen: Mapping[str, CollectionBlobs], *, is_audited: bool) -> Iterator[HealthFinding]:
    """What the listing says; the ledger has its own findings, which are those of an audit."""
    catalog = studio.catalog
    for root, one in chosen.items():
        state = state_of(
            one,
            store=studio.store.objects.shown,
            now_ns=catalog.now_ns,
            missing=None,
            parked=None if is_audited else catalog.parked.get(root),
            quarantined=0,  # the screen has the records below
        )
        if state.level != "ok":
            yield HealthFinding(text=state.reason, command=state.command)


def _ledger_rows(studio: Studio, ledger: Ledger, folders: Mapping[str, Sequence[Folder]]) -> Iterator[LedgerRow]:
    spans: dict[tuple[str, str], tuple[str, str]] = {}
    for root, of_root in folders.items():
        for folder in of_root:  # the newest first
            sealed = studio.catalog.counts.sealed(folder.summaries)
            for producer in (sealed and sealed.producers) or ():
                _, last = spans.get((root, producer), ("", folder.date))
                spans[root, producer] = (folder.date, last)
    for one in ledger.lines[:_MOST_ROWS]:
        first, last = spans.get((one.root, one.producer), ("", ""))
        yield LedgerRow(
            collection=one.root,
            producer=one.producer,
            stored=one.stored,
            quarantined=one.quarantined,
            duplicates=one.duplicates,
            missing=one.missing,
            gaps=one.gaps,
            first=hour_text(first),
            last=hour_text(last),
            note=one.note,
        )


def _schema_changes(studio: Studio, folders: Mapping[str, Sequence[Folder]]) -> Iterator[SchemaChange]:
    found = [
        change
        for root, of_root in folders.items()
        if is_tabular(root)
        for change in type_changes(root, studio.catalog.types.of(of_root))
    ]
    found.sort(key=lambda one: one.date, reverse=True)
    for one in found[:_MOST_ROWS]:
        yield SchemaChange(
            collection=one.root, column=one.column, before=one.before, after=one.after, since=hour_text(one.date)
        )


def _late(studio: Studio, folders: Mapping[str, Sequence[Folder]]) -> Iterator[LateHour]:
    late = []
    for root, of_root in folders.items():
        for folder in of_root:
            sealed = studio.catalog.counts.sealed(folder.summaries)
            if sealed is None:
                continue
            size, uncounted = sum(sealed.sizes.values()), sealed.uncounted(folder.blobs)
            later = round(uncounted * sealed.events / size) if size else 0
            lines = sealed.late_lines + (max(1, later) if uncounted else 0)
            if lines:
                written = [one.modified for one in folder.blobs if one.modified is not None]
                latest = time_text(max(written)) if written else None
                late.append(
                    (
                        folder.date,
                        LateHour(collection=root, hour=hour_text(folder.date) or "", lines=lines, latest=latest),
                    )
                )
    late.sort(key=lambda one: one[0], reverse=True)
    yield from (one for _, one in late[:_MOST_ROWS])


def _receivers(chosen: Mapping[str, CollectionBlobs], now_ns: int) -> Iterable[ReceiverRow]:
    written: dict[str, float | None] = {}
    collections: dict[str, set[str]] = {}
    for root, one in chosen.items():
        for blob in one.blobs:
            match = _INSTANCE.fullmatch(blob.name.rpartition("/")[2])
            if match is None or root.startswith(QUARANTINE):
                continue
            instance = match["instance"]
            latest = written.get(instance)
            written[instance] = blob.modified if latest is None else max(latest, blob.modified or latest)
            collections.setdefault(instance, set()).add(root)
    rows = [
        ReceiverRow(
            instance=instance,
            last_write=None if latest is None else time_text(latest),
            age_seconds=None if latest is None else max(0, now_ns // _NANOSECONDS - int(latest)),
            collections=len(collections[instance]),
        )
        for instance, latest in written.items()
    ]
    return sorted(rows, key=lambda one: (one.age_seconds is None, one.age_seconds, one.instance))[:_MOST_ROWS]


def _seals(folders: Mapping[str, Sequence[Folder]], now_ns: int) -> SealCounts | None:
    closed = [one for of_root in folders.values() for one in of_root if is_closed(one.date, now_ns=now_ns)]
    sealed = sum(any(summary.is_seal for summary in one.summaries) for one in closed)
    return SealCounts(sealed=sealed, unsealed=len(closed) - sealed) if sealed else None
