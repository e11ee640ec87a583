"""What a request became is made durable: its lines, the payloads that need objects of their own, and its bad records.

All of it at once, under one order: an object is stored before the line that points to it. So a line that needs nothing
waits for no object, neither of its own request nor of another; the request is answered when everything is durable.
Between two requests, and between lines with and without an object, there is no order: the ids in a blob rise by time
only as far as no large payload is among them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ..layout import partition
from ..line import Line
from ..mapping import quarantine

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from ..mapping.quarantine import Rejected
    from ..mapping.request import Apart, Intake
    from ..storage.sink import Sink

_LONG_DIGEST: Final = 256 * 1024
"""A digest of more bytes takes longer than handing it to a thread."""


async def commit(sink: Sink, taken: Intake, arrival_ns: int) -> int:
    """Make `taken` durable; how many of its lines were stored already.

    Args:
        sink: where to.
        taken: what a request became; records whose payload cannot be stored are added to the rejected ones.
        arrival_ns: when the request came, ns since the epoch.

    Raises:
        StoreError: the first failure, after everything else is resolved; the request may be sent again.
    """
    if not taken.apart and not taken.rejected:
        return await _append(sink, taken.lines)
    return await _all(
        _append(sink, taken.lines),
        _keep(sink, tuple(taken.rejected), arrival_ns),
        *(_store_apart(sink, taken, apart, arrival_ns) for apart in taken.apart),
    )


async def _store_apart(sink: Sink, taken: Intake, apart: Apart, arrival_ns: int) -> int:
    """Store a payload, then the line that points to it."""
    large = len(apart.content) > _LONG_DIGEST
    name = await asyncio.to_thread(apart.object_name) if large else apart.object_name()
    try:
        url = await sink.put(name, apart.content, apart.content_type)
    except ValueError as error:  # other content has this record's place: as a defect, it costs this record only
        before = len(taken.rejected)
        taken.reject_defect((apart.record,), error, resource=apart.resource, endpoint=apart.endpoint)
        return await _keep(sink, taken.rejected[before:], arrival_ns)
    line = Line(apart.event.line.id, apart.line_at(url))
    return (await sink.append(apart.event.folder, [line])).duplicates


async def _keep(sink: Sink, rejected: Sequence[Rejected], arrival_ns: int) -> int:
    """Store the bytes of bad records, those that are too large for a line first."""
    stored: dict[bytes, str] = {}  # records of one request share their resource
    lines: dict[str, list[Line]] = {}
    for one in rejected:
        folder = partition.quarantine_folder(one.time_ns or arrival_ns)
        urls = {}
        for key, part in one.large_parts.items():
            if part not in stored:
                name = f"{folder}/files/{quarantine.object_name(part)}"
                stored[part] = await sink.put(name, part, quarantine.OTLP_CONTENT_TYPE)
            urls[key] = stored[part]
        line = quarantine.encode(one, arrival_ns=arrival_ns, urls=urls)
        lines.setdefault(folder, []).append(Line(one.id, line))
    return await _append(sink, lines)


async def _append(sink: Sink, lines: Mapping[str, Sequence[Line]]) -> int:
    """Append to all folders at once."""
    if len(lines) == 1:
        ((folder, group),) = lines.items()
        return (await sink.append(folder, group)).duplicates
    return await _all(*(_append(sink, {folder: group}) for folder, group in lines.items()))


async def _all(*parts: Coroutine[object, object, int]) -> int:
    """Wait for all of them, whatever becomes of each, and raise the first error."""
    duplicates = 0
    for outcome in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        duplicates += outcome
    return duplicates
