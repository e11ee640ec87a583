"""Reads a quarantine line that keeps a request: records of one deployment that were beyond a bound, kept together.

Such a line names its endpoint only if the sender may write for it. Of other kept requests, which could not be read or
were not read to their end, it is not known for which deployment they may count.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.mapping import protowire
from otel_modeldata_receiver.mapping.quarantine import Rejected

from .quarantine_line import decode_base64, event_of, identify, origin_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .quarantine_line import QuarantinedEvent, QuarantinedLine

__all__ = ["events", "events_in_line"]

_FIRST: Final = 0x0A
"""The tag of the resources of a request, and of the resource of their records."""
_SECOND: Final = 0x12
"""The tag of the scopes of a resource, and of the records of a scope."""
_MOST_RECORDS: Final = 100_000
"""Further ones are counted as records of nobody: empty ones take two bytes each."""


def events(line: QuarantinedLine, request: bytes) -> list[tuple[str, QuarantinedEvent]]:
    """The events in a request, each with an id: that of the line that a record alone would have, if it has an event id.

    Args:
        line: the quarantine line.
        request: the request that it keeps.
    """
    if not line.endpoint:
        return []
    found: list[tuple[str, QuarantinedEvent]] = []
    try:
        for resource, records in _resources(request):
            origin = origin_of(resource)
            if origin.tenant is None or origin.tenant[0] != line.endpoint:
                continue
            for record in islice(records, _MOST_RECORDS - len(found)):
                texts = texts_of(record)
                whole = Rejected(reason="", record=record, resource=resource).id
                has_id = bool(texts.get(semconv.CLOUDEVENTS_EVENT_ID))
                found.append((whole if has_id else f"{line.id}/{len(found)}", event_of(record, texts, origin)))
    except UndecodableError:
        pass  # the bytes were changed in the store: the other records are counted as those of nobody
    return found


def events_in_line(line: QuarantinedLine) -> list[QuarantinedEvent]:
    """The events that a quarantine line itself has; of those in objects of their own nothing is known."""
    if line.request:
        return [event for _, event in events(line, decode_base64(line.request))]
    if not line.record and not line.resource:
        return []
    resource = decode_base64(line.resource)
    is_lost = bool(line.resourceref or (line.resource and not resource))
    return [identify(decode_base64(line.record), None if is_lost else resource)]


def _resources(request: bytes) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """The resources of a request, and the records of each."""
    for tag, start, end in protowire.fields(request, 0, len(request)):
        if tag == _FIRST:
            resource = b"".join(_contents(request, start, end, _FIRST))
            yield resource, _records(request, start, end)


def _records(request: bytes, start: int, end: int) -> Iterator[bytes]:
    for tag, begin, stop in protowire.fields(request, start, end):
        if tag == _SECOND:
            yield from _contents(request, begin, stop, _SECOND)


def _contents(message: bytes, start: int, end: int, wanted: int) -> Iterator[bytes]:
    return (message[begin:stop] for tag, begin, stop in protowire.fields(message, start, end) if tag == wanted)
