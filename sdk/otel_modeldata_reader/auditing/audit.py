"""Runs an audit: lists the store, reads its blobs into a `Ledger`, and checks again where needed. Never writes.

The listing defines what is audited, so writers may continue meanwhile. Two findings may be wrong at first and are
checked again: a missing object may have been stored after the listing, and, if only some hours are audited, a missing
event may be in another hour.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from otel_modeldata_receiver.layout.blob_path import parse_blob_path
from otel_modeldata_receiver.layout.partition import SHADOW_SUFFIX
from otel_modeldata_receiver.layout.payload_path import payload_path
from otel_modeldata_receiver.retry import retry_for
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.parking import parked_names
from otel_modeldata_receiver.storage.store import BLOB_SUFFIX

from . import quarantine_line, quarantined_request
from .blob_lines import RETRY_SECONDS, read_lines
from .ledger import Ledger
from .producer_report import UNREADABLE, combine
from .quarantine_line import QuarantinedEvent
from .vanished_lines import is_note, read_note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_modeldata.report import DeliveryReport
    from otel_modeldata_receiver.layout.blob_path import BlobPath
    from otel_modeldata_receiver.storage.store import Store, StoredObject

    from .producer_report import Reported, ReportedCounts
    from .quarantine_line import QuarantinedLine
    from .reconciliation import Reconciliation
    from .vanished_lines import VanishedLines

__all__ = ["Audit", "Selection", "audit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The part of a store that is audited; None means everything.

    Attributes:
        endpoint: only this one.
        deployment: only this one.
        collection: only this one.
        first: the first hour, as `2026/11/22/10`.
        last: the last hour, included.
    """

    endpoint: str | None = None
    deployment: str | None = None
    collection: str | None = None
    first: str | None = None
    last: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether all names are audited."""
        return self.endpoint is None and self.deployment is None and self.collection is None

    @property
    def whole(self) -> bool:
        """Whether all hours are audited."""
        return self.first is None and self.last is None

    def names(self, *names: str) -> bool:
        """Whether endpoint, deployment and collection are selected; an unknown (empty) name always is."""
        wanted = (self.endpoint, self.deployment, self.collection)
        return all(want is None or not name or name == want for want, name in zip(wanted, names, strict=True))

    def hours(self, date: str) -> bool:
        """Whether a folder of this date, which may be longer or shorter than an hour, overlaps the hours."""
        after = self.first is None or date[: len(self.first)] >= self.first[: len(date)]
        return after and (self.last is None or date[: len(self.last)] <= self.last[: len(date)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The result of an audit.

    Attributes:
        ledger: the faults of lines.
        reconciliations: the result for each producer and collection.
        selection: the part that was audited.
        blobs: how many blobs were read.
        size: bytes in these blobs.
        shadows: blobs that were left out, because they are copies made by Azure ML's reader.
        parked: events that are parked and not in their folder, by whose place it is.
        vanished: notes of receivers about lines that were acknowledged and are gone.
        torn_notes: names of such notes that cannot be read.
        running: whether producers may still run, so that one without a final report is no finding.
    """

    ledger: Ledger
    reconciliations: Sequence[Reconciliation]
    selection: Selection
    blobs: int
    size: int
    shadows: int
    parked: Mapping[str, int]
    vanished: Sequence[VanishedLines] = ()
    torn_notes: Sequence[str] = ()
    running: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to audit: no line of the selected part, nor a trace of lines.

        Blobs of unknown names are read for any selection, so they do not show that the selected names exist.
        """
        found = self.reconciliations or self.ledger.unreadable.count or self.vanished or self.parked
        shared = self.ledger.unattributed or self.torn_notes
        return not (found or (self.selection.is_everything and shared))


async def audit(
    store: Store, selection: Selection, reports: Sequence[DeliveryReport], progress: Callable[[int, int], object]
) -> Audit:
    """Read a store, check its lines and reconcile its producers.

    Args:
        store: only read, never written.
        selection: the part to audit.
        reports: final reports of producers.
        progress: called with the bytes read so far and the bytes in total.

    Raises:
        StoreError: it cannot be read.
    """
    objects = await retry_for(lambda: store.walk(""), RETRY_SECONDS)
    return await _Auditor(store, selection, progress, Ledger(_payloads(objects), _is_at(store))).run(objects, reports)


class _Auditor:
    def __init__(
        self, store: Store, selection: Selection, progress: Callable[[int, int], object], ledger: Ledger
    ) -> None:
        self._store = store
        self._selection = selection
        self._progress = progress
        self._ledger = ledger
        self._read_bytes = 0
        self._total_bytes = 0
        self._parked: Counter[str] = Counter()
        self._parked_as: dict[str, str] = {}

    async def run(self, objects: Sequence[StoredObject], reports: Sequence[DeliveryReport]) -> Audit:
        parked = [one for one in objects if parked_names.parked_blob(one.name)]
        self._parked_as = {_final_name(one.name): one.name for one in objects if _final_name(one.name) != one.name}
        blobs, shadows = self._selected([one for one in objects if not parked_names.is_parked(one.name)])
        within = [blob for blob in blobs if self._selection.hours(parse_blob_path(blob.name).date)]
        await self._read(within, other_hours=False)
        await self._read_parked(parked)
        if self._ledger.payloads.has_open:
            now = await retry_for(lambda: self._store.walk(""), RETRY_SECONDS)
            self._ledger.check_references(_payloads(now))
        vanished, torn_notes = await self._vanished(objects)
        whole = self._selection.whole
        if not whole and any(one.missing for one in self._ledger.reconcile({}, whole=False)):
            await self._read([blob for blob in blobs if blob not in set(within)], other_hours=True)
        return Audit(
            ledger=self._ledger,
            reconciliations=self._ledger.reconcile(self._reported(reports), whole=whole),
            selection=self._selection,
            blobs=len(within),
            size=sum(blob.size for blob in within),
            shadows=shadows,
            parked=dict(self._parked),
            vanished=vanished,
            torn_notes=torn_notes,
        )

    async def _vanished(self, objects: Sequence[StoredObject]) -> tuple[list[VanishedLines], list[str]]:
        """The notes about lines of the audited part that are gone, and the names of notes that cannot be read."""
        notes = {one.name: await self._note(one) for one in objects if is_note(one.name)}
        found = [note for note in notes.values() if note is not None]
        parked = f"{parked_names.PARKED}/"
        selected = [note for note in found if self._is_selected(parse_blob_path(note.blob.removeprefix(parked)))]
        return selected, [name for name, note in notes.items() if note is None]

    async def _note(self, one: StoredObject) -> VanishedLines | None:
        return read_note(await retry_for(lambda: self._store.read(one.name, 0, one.size), RETRY_SECONDS))

    def _is_selected(self, path: BlobPath) -> bool:
        return self._names(path.endpoint, path.deployment, path.collection) and self._selection.hours(path.date)

    def _selected(self, objects: Sequence[StoredObject]) -> tuple[list[StoredObject], int]:
        """The blobs that are selected by name, and the number of copies left out."""
        blobs, shadows = [], 0
        for one in objects:
            path = parse_blob_path(one.name)
            if one.name.endswith(BLOB_SUFFIX) and self._names(path.endpoint, path.deployment, path.collection):
                if path.collection.endswith(SHADOW_SUFFIX):
                    shadows += 1
                else:
                    blobs.append(one)
        return blobs, shadows

    def _names(self, endpoint: str, deployment: str, collection: str) -> bool:
        return self._selection.names(endpoint, deployment, collection)

    def _reported(self, reports: Sequence[DeliveryReport]) -> dict[Reported, ReportedCounts]:
        """The reported counts for the audited part: reports of older versions name no deployment."""
        everywhere = self._selection.endpoint is None and self._selection.deployment is None
        present = self._ledger.producers()
        return {
            one: counts
            for one, counts in combine(reports).items()
            if (one.deployment or everywhere or one.producer in present)
            and self._names(*_names_of(one.deployment), "" if one.collection == UNREADABLE else one.collection)
        }

    async def _read(self, blobs: Sequence[StoredObject], *, other_hours: bool) -> None:
        self._total_bytes += sum(blob.size for blob in blobs)
        async with aclosing(read_lines(self._store, blobs)) as parts:
            async for part in parts:
                path = parse_blob_path(part.blob)
                if path.quarantine:
                    await self._add_quarantined(path, part.before, part.lines, other_hours=other_hours)
                elif other_hours:
                    await asyncio.to_thread(self._ledger.add_lines_of_other_hours, path, part.lines)
                else:
                    await asyncio.to_thread(self._ledger.add_lines, path, part.before, part.lines)
                self._read_bytes += part.size
                self._progress(self._read_bytes, self._total_bytes)

    async def _read_parked(self, blobs: Sequence[StoredObject]) -> None:
        """Count what is parked, after everything else: a line that is delivered too is one event."""
        async with aclosing(read_lines(self._store, blobs)) as parts:
            async for part in parts:
                path = parse_blob_path(part.blob.removeprefix(f"{parked_names.PARKED}/"))
                if path.quarantine:
                    count = await self._add_quarantined(path, part.before, part.lines, other_hours=False)
                else:
                    count = await asyncio.to_thread(
                        self._ledger.add_parked, path, part.before, part.lines, self._selection
                    )
                if count:
                    self._parked[parked_names.place_of(path.folder)] += count

    async def _add_quarantined(self, path: BlobPath, before: int, lines: Sequence[bytes], *, other_hours: bool) -> int:
        """Count the records in lines of the quarantine; return how many there are, also of parts not selected."""
        count = 0
        for number, raw in enumerate(lines, before + 1):
            try:
                line = quarantine_line.decode(raw)
            except (ValueError, RecursionError) as error:
                if not other_hours:
                    reason = f"expected a quarantine line in JSON, got {len(raw)} bytes: {error}"
                    self._ledger.unreadable.add(path, number, reason)
                continue
            count += line.records
            if line.request or line.requestref:
                await self._add_request(path, line, other_hours=other_hours)
                continue
            record = await self._content(path, line.record, line.recordref)
            resource = await self._content(path, line.resource, line.resourceref)
            self._add_event(line.id, quarantine_line.identify(record or b"", resource), other_hours=other_hours)
        return count

    async def _add_request(self, path: BlobPath, line: QuarantinedLine, *, other_hours: bool) -> None:
        request = await self._content(path, line.request, line.requestref)
        events = await asyncio.to_thread(quarantined_request.events, line, request or b"")
        for event_id, event in events:
            self._add_event(event_id, event, other_hours=other_hours)
        if unread := line.records - len(events):
            self._ledger.add_quarantined(line.id, QuarantinedEvent(), other_hour=other_hours, records=max(0, unread))

    def _add_event(self, line_id: str, event: QuarantinedEvent, *, other_hours: bool) -> None:
        if self._names(*(event.tenant or ("", "")), event.collection):
            self._ledger.add_quarantined(line_id, event, other_hour=other_hours)

    async def _content(self, path: BlobPath, inline: str, url: str) -> bytes | None:
        """The bytes of a record or resource, inline or in an object of its own; None when they are gone."""
        if not url:
            content = quarantine_line.decode_base64(inline)
            return content if content or not inline else None
        objects = self._ledger.payloads.objects
        name = payload_path(path.folder, url).found(objects)
        if name is None:
            return None
        stored, size = self._parked_as.get(name, name), objects[name]
        return await retry_for(lambda: self._store.read(stored, 0, size), RETRY_SECONDS)


def _names_of(deployment: str) -> tuple[str, str]:
    endpoint, _, name = deployment.partition("/")
    return (endpoint, name)


def _payloads(objects: Sequence[StoredObject]) -> dict[str, int]:
    """The sizes of objects by name; a parked one has the name that it gets when it is delivered."""
    return {_final_name(one.name): one.size for one in objects if not one.name.endswith(BLOB_SUFFIX)}


def _final_name(name: str) -> str:
    parked = parked_names.unparked_object(name)
    return name if parked is None else parked[0]


def _is_at(store: Store) -> Callable[[str, str], bool]:
    """Whether a reference, as it is, leads to the object of a name; for a URL this is not known."""
    if not isinstance(store, LocalStore):
        return lambda _name, _reference: True

    def is_at(name: str, reference: str) -> bool:
        path = store.url(name)
        if reference in {path, name}:  # a name alone is relative to the folder of the store
            return True
        try:
            return Path(reference.removeprefix("file://")).samefile(path)
        except (OSError, ValueError):
            return False

    return is_at
