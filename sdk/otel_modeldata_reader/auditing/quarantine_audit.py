"""Adds the records in quarantine to a ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from otel_modeldata_receiver.layout.payload_path import payload_path
from otel_modeldata_receiver.retry import retry_for

from . import quarantine_line, quarantined_request
from .quarantine_line import QuarantinedEvent
from .summaries.blob_lines import RETRY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_modeldata_receiver.layout.blob_path import BlobPath
    from otel_modeldata_receiver.storage.store import Store

    from .ledger import Ledger
    from .quarantine_line import QuarantinedLine
    from .selection import Selection

__all__ = ["QuarantineAudit"]


class QuarantineAudit:
    """Reads the records of quarantine lines, and what is kept beside these lines.

    Args:
        store: has the objects that lines refer to.
        selection: the audited part.
        ledger: takes the events.
        parked_as: the names under which parked objects are now, by the names that they get.
    """

    def __init__(self, store: Store, selection: Selection, ledger: Ledger, parked_as: Mapping[str, str]) -> None:
        self._store = store
        self._selection = selection
        self._ledger = ledger
        self._parked_as = parked_as

    async def add(self, path: BlobPath, before: int, lines: Sequence[bytes], *, other_hours: bool) -> int:
        """Count the records in lines of the quarantine; return how many there are, also of parts not selected.

        Args:
            path: of the blob of the lines.
            before: its lines before these.
            lines: the lines.
            other_hours: whether they are outside the audited hours.
        """
        count = 0
        for number, raw in enumerate(lines, before + 1):
            try:
                line = quarantine_line.decode(raw)
            except (ValueError, RecursionError) as error:
                if not other_hours:
                    reason = f"expected a quarantine line in JSON, got {len(raw)} bytes: {error}"
                    self._ledger.unreadable.add(path.name, number, reason)
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
        if self._selection.names(*(event.tenant or ("", "")), event.collection):
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
