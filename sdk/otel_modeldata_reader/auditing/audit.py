"""Runs an audit: lists the store, reads its lines into a `Ledger`, and checks again where needed. Never writes.

The listing defines what is audited, so writers may continue meanwhile. Two findings may be wrong at first and are
checked again: a missing object may have been stored after the listing, and, if only some hours are audited, a missing
event may be in another hour.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing, closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_modeldata_receiver.layout.blob_path import parse_blob_path
from otel_modeldata_receiver.layout.partition import SHADOW_SUFFIX
from otel_modeldata_receiver.retry import retry_for
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.parking import parked_names
from otel_modeldata_receiver.storage.store import BLOB_SUFFIX, is_checked_name

from .ledger import Ledger
from .line_audit import AuditedFolder, LineAudit
from .parked_lines import final_path, read_parked
from .producer_report import UNREADABLE, combine
from .quarantine_audit import QuarantineAudit
from .selection import Selection
from .summaries.blob_lines import RETRY_SECONDS, read_lines
from .summaries.segments import folder_of, whole
from .summaries.temporary_folder import temporary_folder
from .summaries.workers import InProcess
from .vanished_lines import is_note, read_note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_modeldata.report import DeliveryReport
    from otel_modeldata_receiver.layout.blob_path import BlobPath
    from otel_modeldata_receiver.storage.store import Store, StoredObject

    from ..erasing.tombstone import Tombstone
    from .producer_report import Reported, ReportedCounts
    from .reconciliation import Reconciliation
    from .records.sealed_memory import SealProblem
    from .records.store_records import StoreRecords
    from .summaries.workers import Workers
    from .vanished_lines import VanishedLines

__all__ = ["Audit", "Selection", "audit"]


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
        seals: bytes that are sealed and not in the store.
        erasures: what was erased on purpose.
        dropped: lines that a compaction dropped, whose manifests vouch for them.
        damaged: names of tombstones that cannot be read, and why manifests cannot be used.
        unreadable_parts: why Parquet files that have dropped lines cannot be read.
        remembered: how many hours an earlier audit has read, and how many bytes were not read for that.
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
    seals: Sequence[SealProblem] = ()
    erasures: Sequence[Tombstone] = ()
    dropped: int = 0
    damaged: Sequence[str] = ()
    unreadable_parts: Sequence[str] = ()
    remembered: tuple[int, int] = (0, 0)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to audit: no line of the selected part, nor a trace of lines.

        Blobs of unknown names are read for any selection, so they do not show that the selected names exist.
        """
        found = self.dropped or self.reconciliations or self.ledger.unreadable.count or self.vanished or self.parked
        shared = self.ledger.unattributed or self.torn_notes or self.seals or self.unreadable_parts
        return not (found or (self.selection.is_everything and shared))


async def audit(  # noqa: PLR0913 (the last two are options)
    store: Store,
    selection: Selection,
    reports: Sequence[DeliveryReport],
    progress: Callable[[int, int], object],
    *,
    workers: Workers | None = None,
    records: StoreRecords | None = None,
) -> Audit:
    """Read a store, check its lines and reconcile its producers.

    Args:
        store: only read, never written.
        selection: the part to audit.
        reports: final reports of producers.
        progress: called with the bytes read so far and the bytes in total.
        workers: who reads the lines; this process, if it is None.
        records: what the store says about its lines; None leaves it out, and reads every line.

    Raises:
        StoreError: it cannot be read.
        ReaderError: what the store says about its lines cannot be read.
    """
    objects = await retry_for(lambda: store.walk(""), RETRY_SECONDS)
    with (
        temporary_folder() as folder,
        closing(LineAudit(workers or InProcess(store), Path(folder), progress)) as lines,
    ):
        return await _Auditor(store, selection, objects, lines, records).run(reports)


class _Auditor:
    def __init__(
        self,
        store: Store,
        selection: Selection,
        objects: Sequence[StoredObject],
        lines: LineAudit,
        records: StoreRecords | None,
    ) -> None:
        self._store = store
        self._selection = selection
        self._objects = [one for one in objects if is_checked_name(one.name)]
        self._foreign_names = [one.name for one in objects if not is_checked_name(one.name)]
        self._lines = lines
        self._records = records
        self._ledger = Ledger(_payloads(self._objects), _is_at(store))
        self._parked: Counter[str] = Counter()
        self._audited: set[str] = set()
        parked_as = {_final_name(one.name): one.name for one in self._objects if _final_name(one.name) != one.name}
        self._quarantine = QuarantineAudit(store, selection, self._ledger, parked_as)

    async def run(self, reports: Sequence[DeliveryReport]) -> Audit:
        if self._records is not None:
            await asyncio.to_thread(self._records.look, self._objects)
            self._objects = [one for one in self._objects if one.name not in self._records.copies]
        self._note_foreign_names()
        blobs, shadows = self._selected([one for one in self._objects if not parked_names.is_parked(one.name)])
        within = [blob for blob in blobs if self._selection.hours(parse_blob_path(blob.name).date)]
        await self._read_lines([blob for blob in within if not _is_quarantine(blob)])
        await self._read_quarantine([blob for blob in within if _is_quarantine(blob)], other_hours=False)
        if self._ledger.payloads.has_open:
            now = await retry_for(lambda: self._store.walk(""), RETRY_SECONDS)
            self._ledger.check_references(_payloads(now))
        vanished, torn_notes = await self._vanished(self._objects)
        whole = self._selection.whole
        if not whole and any(one.missing for one in self._ledger.reconcile({}, whole=False)):
            await self._read_other_hours([blob for blob in blobs if blob not in set(within)])
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
            **self._recorded(),
        )

    def _note_foreign_names(self) -> None:
        """Count blobs whose lines cannot be read because no store reads their names."""
        for name in self._foreign_names:
            if name.endswith(BLOB_SUFFIX) and self._is_selected(parse_blob_path(name)):
                reason = "expected a name without a backslash or control characters, got one that no store reads"
                self._ledger.unreadable.add(repr(name)[1:-1], 1, reason)

    def _recorded(self) -> dict[str, Any]:
        """What the store says about its lines."""
        if (records := self._records) is None:
            return {}
        dropped = [lines.manifest for name, lines in records.dropped.items() if name in self._audited]
        return {
            "seals": list(records.problems),
            "erasures": list(records.erasures),
            "dropped": sum(blob.lines for one in dropped for blob in one.blobs if blob.dropped),
            "damaged": list(records.damaged),
            "unreadable_parts": sorted(records.unreadable),
            "remembered": records.remembered,
        }

    # --- lines ---------------------------------------------------------------------------------------------------

    async def _read_lines(self, blobs: Sequence[StoredObject]) -> None:
        """Add all lines of blobs, and those that are parked and not in their folder, too."""
        folders = await asyncio.to_thread(self._folders, blobs)
        parked_blobs = [one for one in self._objects if parked_names.parked_blob(one.name)]
        parked = await read_parked(self._store, parked_blobs, self._selection, {})
        places = list(parked)
        repeated = await self._lines.read(folders, [parked[place].selected.made() for place in places])
        for summary in self._lines.summaries():
            self._ledger.add(summary)
        if self._records is not None:
            self._ledger.add_erased(self._records.erasures, self._selection)
        if repeated:
            stored = {places[number]: hashes for number, hashes in repeated.items()}
            parked = await read_parked(self._store, parked_blobs, self._selection, stored)
        for place, lines in parked.items():
            summary = lines.selected.made().summary
            self._count_parked(place, self._ledger.add_parked(summary, is_elsewhere=lines.is_elsewhere))
            self._ledger.add_other_hours(lines.other_hours.made().summary)
        await self._read_parked_quarantine(parked_blobs)

    def _folders(self, blobs: Sequence[StoredObject]) -> list[AuditedFolder]:
        """The folders of blobs, and those whose lines are all gone, in the order of their names."""
        records = self._records
        found = {name: list(group) for name, group in groupby(blobs, key=lambda one: folder_of(one.name))}
        for name in () if records is None else records.folders:
            if self._is_selected(parse_blob_path(f"{name}/x{BLOB_SUFFIX}")):
                found.setdefault(name, [])
        self._audited = set(found)
        folders = []
        for name in sorted(found):
            ranges = [whole(one.name, one.size) for one in found[name]]
            remembered = None if records is None else records.of_folder(name, found[name])
            dropped = None if records is None else records.dropped.get(name)
            folders.append(
                AuditedFolder(
                    name,
                    ranges,
                    None if remembered is None else remembered.read,
                    () if remembered is None else remembered.further,
                    None if dropped is None else dropped.summarized,
                )
            )
        return folders

    async def _read_other_hours(self, blobs: Sequence[StoredObject]) -> None:
        lines = [whole(one.name, one.size) for one in blobs if not _is_quarantine(one)]
        async with aclosing(self._lines.each(lines)) as summaries:
            async for summary in summaries:
                self._ledger.add_other_hours(summary)
        await self._read_quarantine([one for one in blobs if _is_quarantine(one)], other_hours=True)

    def _count_parked(self, place: str, count: int) -> None:
        if count:
            self._parked[place] += count

    # --- quarantine ----------------------------------------------------------------------------------------------

    async def _read_quarantine(self, blobs: Sequence[StoredObject], *, other_hours: bool) -> None:
        async with aclosing(read_lines(self._store, blobs)) as parts:
            async for part in parts:
                path = parse_blob_path(part.blob)
                await self._quarantine.add(path, part.before, part.lines, other_hours=other_hours)

    async def _read_parked_quarantine(self, blobs: Sequence[StoredObject]) -> None:
        kept = [one for one in blobs if final_path(one.name).quarantine]
        async with aclosing(read_lines(self._store, kept)) as parts:
            async for part in parts:
                path = final_path(part.blob)
                count = await self._quarantine.add(path, part.before, part.lines, other_hours=False)
                self._count_parked(parked_names.place_of(path.folder), count)

    # --- what is audited -----------------------------------------------------------------------------------------

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


def _names_of(deployment: str) -> tuple[str, str]:
    endpoint, _, name = deployment.partition("/")
    return (endpoint, name)


def _is_quarantine(blob: StoredObject) -> bool:
    return parse_blob_path(blob.name).quarantine


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
