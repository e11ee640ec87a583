"""Reads a store for an audit, and never writes: lists it once, streams its blobs through a `Ledger`, and looks again.

The listing fixes what is audited, so a store may be written meanwhile. What such a moment makes look wrong is looked at
a second time: an object that came after the listing and, where only some hours are audited, events that are missing
there and may be in another hour.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...layout.blob_path import place_of
from ...layout.partition import SHADOW_SUFFIX
from ...retry import retry_for
from ...storage.store import BLOB_SUFFIX
from . import quarantine_line
from .blob_lines import RETRY_SECONDS, read_lines
from .ledger import Ledger
from .producer_report import UNREADABLE, told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...layout.blob_path import Place
    from ...storage.store import Store, StoredObject
    from .producer_report import FinalAccount, FinalReport
    from .reconciliation import Statement

__all__ = ["Audit", "Selection", "audit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is audited; None is everything.

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
    def whole(self) -> bool:
        """Whether all hours are read."""
        return self.first is None and self.last is None

    def names(self, *names: str) -> bool:
        """Whether endpoint, deployment and collection are selected; a name that is not known is no obstacle."""
        wanted = (self.endpoint, self.deployment, self.collection)
        return all(want is None or not name or name == want for want, name in zip(wanted, names, strict=True))

    def hours(self, date: str) -> bool:
        """Whether a folder of this date, which may be longer or shorter than an hour, overlaps the hours."""
        after = self.first is None or date[: len(self.first)] >= self.first[: len(date)]
        return after and (self.last is None or date[: len(self.last)] <= self.last[: len(date)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        ledger: the faults of lines.
        statements: the accounts.
        selection: what was audited.
        blobs: how many blobs were read.
        size: their bytes.
        shadows: blobs that were left out because Azure ML's reader made them as copies of others.
    """

    ledger: Ledger
    statements: Sequence[Statement]
    selection: Selection
    blobs: int
    size: int
    shadows: int


async def audit(
    store: Store, selection: Selection, reports: Sequence[FinalReport], progress: Callable[[int, int], object]
) -> Audit:
    """Read a store and draw up its accounts.

    Args:
        store: only read, never written.
        selection: which part of it.
        reports: final reports of producers.
        progress: called with bytes read and bytes to read.

    Raises:
        StoreError: it cannot be read.
    """
    return await _Auditor(store, selection, progress).run(reports)


class _Auditor:
    def __init__(self, store: Store, selection: Selection, progress: Callable[[int, int], object]) -> None:
        self._store = store
        self._selection = selection
        self._progress = progress
        self._ledger = Ledger()
        self._read_bytes = 0
        self._total_bytes = 0

    async def run(self, reports: Sequence[FinalReport]) -> Audit:
        objects = await self._walk()
        self._ledger.objects = _payloads(objects)
        blobs, shadows = self._selected(objects)
        within = [blob for blob in blobs if self._selection.hours(place_of(blob.name).date)]
        await self._read(within, elsewhere=False)
        if self._ledger.has_open_references:
            self._ledger.close_references(_payloads(await self._walk()))
        whole = self._selection.whole
        if not whole and any(one.missing for one in self._ledger.statements({}, whole=False)):
            await self._read([blob for blob in blobs if blob not in set(within)], elsewhere=True)
        return Audit(
            ledger=self._ledger,
            statements=self._ledger.statements(self._told(reports), whole=whole),
            selection=self._selection,
            blobs=len(within),
            size=sum(blob.size for blob in within),
            shadows=shadows,
        )

    async def _walk(self) -> Sequence[StoredObject]:
        return await retry_for(lambda: self._store.walk(""), RETRY_SECONDS)

    def _selected(self, objects: Sequence[StoredObject]) -> tuple[list[StoredObject], int]:
        """The blobs that are selected by name, and how many more are copies."""
        blobs, shadows = [], 0
        for one in objects:
            place = place_of(one.name)
            if one.name.endswith(BLOB_SUFFIX) and self._names(place.endpoint, place.deployment, place.collection):
                if place.collection.endswith(SHADOW_SUFFIX):
                    shadows += 1
                else:
                    blobs.append(one)
        return blobs, shadows

    def _names(self, endpoint: str, deployment: str, collection: str) -> bool:
        return self._selection.names(endpoint, deployment, collection)

    def _told(self, reports: Sequence[FinalReport]) -> dict[tuple[str, str], FinalAccount]:
        """What the reports say about the part that is audited: they name collections, but no deployments."""
        everywhere = self._selection.endpoint is None and self._selection.deployment is None
        found = self._ledger.producers()
        return {
            (producer, collection): account
            for (producer, collection), account in told(reports).items()
            if (everywhere or producer in found) and (collection == UNREADABLE or self._names("", "", collection))
        }

    async def _read(self, blobs: Sequence[StoredObject], *, elsewhere: bool) -> None:
        self._total_bytes += sum(blob.size for blob in blobs)
        async with aclosing(read_lines(self._store, blobs)) as pieces:
            async for piece in pieces:
                place = place_of(piece.blob)
                if place.quarantine:
                    await self._take_quarantined(place, piece.before, piece.lines, elsewhere=elsewhere)
                elif elsewhere:
                    await asyncio.to_thread(self._ledger.take_elsewhere, piece.lines)
                else:
                    await asyncio.to_thread(self._ledger.take, place, piece.before, piece.lines)
                self._read_bytes += piece.size
                self._progress(self._read_bytes, self._total_bytes)

    async def _take_quarantined(self, place: Place, before: int, lines: Sequence[bytes], *, elsewhere: bool) -> None:
        for number, raw in enumerate(lines, before + 1):
            try:
                line = quarantine_line.decode(raw)
            except ValueError as error:
                if not elsewhere:
                    reason = f"expected a quarantine line in JSON, got {len(raw)} bytes: {error}"
                    self._ledger.unreadable.add(place, number, reason)
                continue
            record = await self._part(place, line.record, line.recordref)
            resource = await self._part(place, line.resource, line.resourceref)
            found = quarantine_line.identify(record, resource)
            if self._names(*(found.tenant or ("", "")), found.collection):
                self._ledger.take_quarantined(line.id, found, elsewhere=elsewhere)

    async def _part(self, place: Place, inline: str, url: str) -> bytes:
        """The bytes of a record or resource, which may be in an object of its own; none when it is gone."""
        if not url:
            return quarantine_line.unbased(inline)
        name = f"{place.folder}/files/{url.rpartition('/')[2]}"
        size = self._ledger.objects.get(name)
        if size is None:
            return b""
        return await retry_for(lambda: self._store.read(name, 0, size), RETRY_SECONDS)


def _payloads(objects: Sequence[StoredObject]) -> dict[str, int]:
    return {one.name: one.size for one in objects if not one.name.endswith(BLOB_SUFFIX)}
