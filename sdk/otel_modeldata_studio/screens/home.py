"""Home: one row for each collection, those that need eyes first. Nothing is read but listings and what counts hours."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from otel_modeldata_reader.blobs.listing import date_of, hours_of
from otel_modeldata_reader.collection_names import BESIDE_ROWS

from ..catalog.collection_state import CollectionState, StateLevel, state_of
from ..catalog.times import time_text
from .home_day import HomeDay, HomeDrift, HomeLabels, shown_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_modeldata_reader.blobs.listing import CollectionBlobs

    from ..catalog.collection_hours import CollectionHours
    from ..studio import Studio

__all__ = ["About", "Deployment", "Home", "HomeRow", "about", "home"]

_LEVELS: Final = {"bad": 0, "warn": 1, "ok": 2}


class HomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One collection.

    Attributes:
        name: its folder in the store.
        endpoint: empty, like the two others, where the folder is none of the standard layout.
        deployment: of the endpoint.
        collection: such as `model_inputs`.
        hours: of the last 24 hours, the oldest first.
        hours_unit: what they are; bytes where no manifest and no seal counts events.
        is_estimated: whether events and rows, or some hours, are estimated by the bytes of what is not counted yet.
        last_write: ISO 8601 in UTC; None where the store does not say it.
        events: in all folders; None if it is not known yet.
        rows: likewise.
        bytes: of lines.
        parquet_bytes: of Parquet files.
        gaps: event numbers that are missing in the last 24 hours, where its closed hours are sealed; at any time in a
            small store without seals; None if it is not known.
        duplicates: further lines with the id of an event, likewise.
        parked: lines that wait for their place.
        quarantined: records that could not become lines.
        null_alarm: columns with more nulls in the last day than in the baseline; None where nothing was looked at yet.
        drift: the column that is farthest from the baseline, unless it is by chance; None where there is none.
        day: what was compared; None where it was not looked at yet, and for a collection without rows of a model.
        labels: of a collection of labels: the share of rows that have one, if it is known.
        state: how much it needs eyes.
        reason: why, in one sentence; empty if all is well.
        command: what to run; empty if nothing helps.
    """

    name: str
    endpoint: str
    deployment: str
    collection: str
    hours: tuple[int, ...]
    hours_unit: Literal["events", "bytes"]
    is_estimated: bool
    last_write: str | None
    events: int | None
    rows: int | None
    bytes: int
    parquet_bytes: int
    gaps: int | None
    duplicates: int | None
    parked: int
    quarantined: int
    null_alarm: tuple[str, ...] | None = None
    drift: HomeDrift | None = None
    day: HomeDay | None = None
    labels: HomeLabels | None = None
    state: StateLevel = "ok"
    reason: str = ""
    command: str = ""


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The screen.

    Attributes:
        collections: those that need eyes first.
        updated: when the store was listed, ISO 8601 in UTC.
        is_whole: whether everything was listed; sums of a large store come a little later.
        unnamed: records in quarantine that do not say of which collection they are.
    """

    collections: tuple[HomeRow, ...]
    updated: str
    is_whole: bool
    unnamed: int


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment.

    Attributes:
        name: `endpoint/deployment`, or another folder that has collections.
        collections: the names of its collections, without that of the deployment.
        first: the beginning of its first folder, ISO 8601 in UTC; of a large store a little later.
        last: the end of its last one.
    """

    name: str
    collections: tuple[str, ...]
    first: str | None
    last: str | None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What every screen needs.

    Attributes:
        store: its URL, without secrets.
        version: of the package.
        now: ISO 8601 in UTC.
        trace_url: the URL of a trace in a tracing backend, with `{trace_id}`.
        baseline: what windows are compared with, if it was given.
        deployments: by their names.
        beside_rows: collections that Explore does not list: it has them beside the rows of their requests.
    """

    store: str
    version: str
    now: str
    trace_url: str | None
    baseline: str | None
    deployments: tuple[Deployment, ...]
    beside_rows: tuple[str, ...]


def about(studio: Studio) -> About:
    """What every screen needs.

    Raises:
        ReaderError: the store cannot be listed.
    """
    found: dict[str, list[CollectionBlobs]] = {}
    for root, one in studio.catalog.listing().collections.items():
        found.setdefault(root.rpartition("/")[0], []).append(one)
    return About(
        store=studio.store.objects.shown,
        version=version("otel-modeldata"),
        now=time_text(studio.catalog.now_ns / 1e9),
        trace_url=studio.trace_url,
        baseline=studio.baseline,
        deployments=tuple(_deployment(name, found[name]) for name in sorted(found)),
        beside_rows=tuple(sorted(BESIDE_ROWS)),
    )


def _deployment(name: str, collections: Sequence[CollectionBlobs]) -> Deployment:
    spans = [
        hours_of(date)
        for one in collections
        for date in ({date_of(blob.name) for blob in (*one.blobs[:1], *one.blobs[-1:])} | set(_ends(one.compacted)))
    ]
    known = [span for span in spans if span[1]]
    return Deployment(
        name=name,
        collections=tuple(sorted(one.root.rpartition("/")[2] for one in collections)),
        first=time_text(min(first for first, _ in known) / 1e9) if known else None,
        last=time_text(max(last for _, last in known) / 1e9) if known else None,
    )


def _ends(dates: Iterable[str]) -> tuple[str, ...]:
    found = sorted(dates)
    return (found[0], found[-1]) if found else ()


def home(studio: Studio) -> Home:
    """What the screen shows.

    Raises:
        ReaderError: the store cannot be listed.
    """
    catalog = studio.catalog
    studio.days.want()
    listing = catalog.listing()
    numbers = catalog.hours(listing)
    quarantined, parked = catalog.quarantined, catalog.parked
    ledger = catalog.ledgers.known()
    rows = []
    for root, found in listing.collections.items():
        hours, of_root = numbers[root], parked.get(root)
        count = quarantined.of(root) if root else 0
        audited = None if ledger is None else ledger.of(root)
        if hours.gaps is None and audited is not None:
            hours = replace(hours, gaps=audited[0], duplicates=audited[1])
        state = state_of(
            found,
            store=studio.store.objects.shown,
            now_ns=catalog.now_ns,
            missing=hours.gaps,
            parked=of_root,
            quarantined=count,
        )
        row = _row(found, hours, state, parked=0 if of_root is None else of_root.lines, quarantined=count)
        rows.append(_with_day(row, studio))
    rows.sort(key=lambda one: (_LEVELS[one.state], one.name))
    return Home(
        collections=tuple(rows),
        updated=time_text(listing.time),
        is_whole=listing.is_whole,
        unnamed=sum(count for name, count in quarantined.names.items() if "" in name.split("/")),
    )


def _with_day(row: HomeRow, studio: Studio) -> HomeRow:
    """The row with what is known of its columns; a warning, if nothing else is to be said."""
    found = studio.days.day(row.name.rpartition("/")[0])
    if found is None:
        return row
    shown = shown_day(row.name, found, studio.store.objects.shown)
    row = msgspec.structs.replace(
        row, null_alarm=shown.null_alarm, drift=shown.drift, day=shown.day, labels=shown.labels
    )
    if row.state != "ok" or not shown.reason:
        return row
    return msgspec.structs.replace(row, state="warn", reason=shown.reason, command=shown.command)


def _row(
    found: CollectionBlobs, hours: CollectionHours, state: CollectionState, *, parked: int, quarantined: int
) -> HomeRow:
    endpoint, deployment, collection = found.names or ("", "", "")
    return HomeRow(
        name=found.root,
        endpoint=endpoint,
        deployment=deployment,
        collection=collection,
        hours=hours.hours,
        hours_unit=hours.unit,
        is_estimated=hours.is_estimated,
        last_write=None if hours.last_write is None else time_text(hours.last_write),
        events=hours.events,
        rows=hours.rows,
        bytes=hours.size,
        parquet_bytes=hours.compacted,
        gaps=hours.gaps,
        duplicates=hours.duplicates,
        parked=parked,
        quarantined=quarantined,
        state=state.level,
        reason=state.reason,
        command=state.command,
    )
