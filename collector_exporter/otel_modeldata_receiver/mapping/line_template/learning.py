"""Learns a line template from one record, by passing a copy with markers through `log_record.py`."""

from __future__ import annotations

import secrets
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv

from ...exceptions import BadRecordError
from ...layout.destination import Destination
from ...layout.partition import RollingRate
from ...otlp_messages import LogRecord
from .. import cloudevent, event, log_record
from ..bounds.event_time import ANY_TIME
from .record_shape import MAX_NUMBER, Kind
from .template import DERIVED, make

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..scope import ScopeContext
    from .record_shape import RecordShape, Slot
    from .template import LineTemplate

__all__ = ["learn"]

_SECRET: Final = secrets.token_hex(16)
"""In all markers of this process, so that no sender knows them."""
_TIME_NS: Final = 2_000_000_000_000_000_000 + secrets.randbelow(10**18)
_ROWS: Final = f'[{{"{_SECRET}":"{"x" * secrets.randbelow(500)}"}}]'
_SOURCE: Final = f"/{_SECRET}/source"
_PRODUCER: Final = f"{_SECRET}/producer"
_LEAST_NUMBER: Final = MAX_NUMBER // 2
_NOWHERE: Final = Destination(
    endpoint="", deployment="", collection="", root="", rolling_rate=RollingRate.HOUR, asset_name="", asset_version=""
)
_MIN_MARKER_BYTES: Final = 16
"""A shorter marker may be part of a line by chance."""


def learn(shape: RecordShape, record: LogRecord, scope: ScopeContext) -> LineTemplate | None:
    """The template of the records of a shape; None where there is none.

    Records without a time or an id have no template. Neither do the payload collections: their bodies may be anything.

    Args:
        shape: the shape of `record`.
        record: a record with valid values.
        scope: what the record shares with others.
    """
    if all(slot.field != "time_unix_nano" for slot in shape.slots.values()):
        return None
    probe, markers = _probe(shape, record)
    try:
        read = log_record.read(probe, _probe_scope(scope))
        outcome = event.outcome_of(read, b"", scope)
    except BadRecordError:
        return None
    if read.collection in semconv.PAYLOAD_COLLECTIONS or not isinstance(outcome, event.PlacedLine):
        return None
    event_id = markers.get(outcome.line.id.encode())
    if not isinstance(event_id, int):
        return None
    parts: list[bytes | str | int] = [outcome.line.data]
    for marker, meaning in markers.items():
        parts = [piece for part in parts for piece in _split(part, marker, meaning)]
    expected = [name for name in DERIVED if name != "producer" or scope.resource.producer]
    if any(parts.count(name) != 1 for name in expected):  # a text of the sender is equal to a marker
        return None
    return make(shape, read.collection, parts, event_id, is_own=log_record.is_own(record))


def _probe_scope(scope: ScopeContext) -> ScopeContext:
    """`scope` with markers for what lines have of the resource, so that the template serves other resources too.

    Its destinations are none: a marker for the name of a collection is no collection that someone uses.
    """
    producer = _PRODUCER if scope.resource.producer else None
    resource = msgspec.structs.replace(scope.resource, source=_SOURCE, producer=producer)
    destinations: Mapping[str, Destination] = defaultdict(lambda: _NOWHERE)
    return msgspec.structs.replace(scope, resource=resource, times=ANY_TIME, destinations=destinations)


def _probe(shape: RecordShape, record: LogRecord) -> tuple[LogRecord, Mapping[bytes, str | int]]:
    """A copy of `record` with a marker in each slot, and what each marker in a line represents."""
    probe = LogRecord()
    probe.CopyFrom(record)
    probe.body.string_value = _ROWS
    markers: dict[bytes, str | int] = {
        _ROWS.encode(): "rows",
        cloudevent.content_range(len(_ROWS)).encode(): "contentrange",
        cloudevent.time_text(_TIME_NS).encode(): "time",
        str(_TIME_NS).encode(): "timens",
        _SOURCE.encode(): "source",
        _PRODUCER.encode(): "producer",
    }
    for index, slot in shape.slots.items():
        marker = _mark(probe, slot, index)
        if len(marker) >= _MIN_MARKER_BYTES:
            markers[marker] = index
    return probe, markers


def _mark(probe: LogRecord, slot: Slot, index: int) -> bytes:
    """Put a marker into a slot of `probe`, and return how a line shows it."""
    if slot.kind in {Kind.TEXT, Kind.COLLECTION}:
        text = f"{_SECRET}-{index:03}"
        if slot.field:
            setattr(probe, slot.field, text)
        else:
            probe.attributes[slot.attribute].value.string_value = text
        return text.encode()
    if slot.kind is Kind.NUMBER:
        number = _LEAST_NUMBER + secrets.randbelow(_LEAST_NUMBER)
        probe.attributes[slot.attribute].value.int_value = number
        return str(number).encode()
    if slot.kind is Kind.ID:
        value = secrets.token_bytes(slot.end - slot.begin)
        setattr(probe, slot.field, value)
        return value.hex().encode()
    setattr(probe, slot.field, _TIME_NS if slot.field == "time_unix_nano" else secrets.randbelow(_TIME_NS))
    return b""


def _split(part: bytes | str | int, marker: bytes, meaning: str | int) -> Iterator[bytes | str | int]:
    """A part of a line, with `meaning` in place of each `marker`."""
    if not isinstance(part, bytes):
        yield part
        return
    before, *others = part.split(marker)
    if before:
        yield before
    for piece in others:
        yield meaning
        if piece:
            yield piece
