"""Events of protocols other than OTLP, and their conversion to an equivalent OTLP request.

After the conversion they are treated like any other event: admitted, checked, stored once, or quarantined with the
reason. So this module does not repeat those checks, not even for names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_modeldata import semconv

from ..exceptions import UndecodableError
from ..layout.partition import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
"""W3C Trace Context section 3.2; for later versions only the start is read."""
_RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_LAST_SECOND: Final = 2**63 // NS_PER_SECOND - 1
"""In the year 2262: nanoseconds of later times do not fit into the integers of OTLP and its readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalEvent:
    """An event as its sender described it.

    Attributes:
        body: the collected data.
        attributes: of the record, by their names in `semconv`; empty ones are left out.
        resource: attributes of the resource, likewise.
        extensions: the sender's own line keys; keys that no line may contain are left out.
        time_ns: when it happened, ns since the epoch; 0: when it arrives.
        traceparent: W3C `traceparent` of its span; an invalid one is left out.
    """

    body: bytes
    attributes: Mapping[str, str]
    resource: Mapping[str, str]
    extensions: Mapping[str, str] = field(default_factory=dict)
    time_ns: int = 0
    traceparent: str = ""


def request_of(events: Iterable[ExternalEvent]) -> bytes:
    """The encoded `ExportLogsServiceRequest` of `events`."""
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=Resource(attributes=_key_values(event.resource)),
                scope_logs=[ScopeLogs(log_records=[_record(event)])],
            )
            for event in events
        ]
    ).SerializeToString()


def time_of(text: str) -> int:
    """The ns since the epoch of `text`: seconds since the epoch, or a time of RFC 3339.

    Raises:
        UndecodableError: it is neither, or before 1970 or after 2262.
    """
    time_ns = _numeric_time(text) or _written_time(text)
    if time_ns is None or not 0 < time_ns < _LAST_SECOND * NS_PER_SECOND:
        raise UndecodableError(
            "undecodable time: expected seconds since 1970 or a time like 2026-11-22T12:00:00Z, "
            f"got {text[:80]!r}; correct the sender"
        )
    return time_ns


def _record(event: ExternalEvent) -> LogRecord:
    extensions = {
        semconv.CLOUDEVENTS_EXTENSION_PREFIX + name: text
        for name, text in event.extensions.items()
        if semconv.is_extension_name(name)
    }
    record = LogRecord(
        time_unix_nano=event.time_ns,
        body=AnyValue(bytes_value=event.body),
        attributes=_key_values({**event.attributes, **extensions}),
    )
    if span := _TRACEPARENT.fullmatch(event.traceparent):
        record.trace_id, record.span_id = bytes.fromhex(span[1]), bytes.fromhex(span[2])
        record.flags = int(span[3], 16)
    return record


def _key_values(texts: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in texts.items() if text]


def _numeric_time(text: str) -> int | None:
    if not re.fullmatch(r"\d{1,10}(\.\d{1,18})?", text, re.ASCII):
        return None
    seconds, _, fraction = text.partition(".")
    return int(seconds) * NS_PER_SECOND + int(fraction[:9].ljust(9, "0"))


def _written_time(text: str) -> int | None:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone.upper().replace('Z', '+00:00')}")
    except ValueError:
        return None
    return int(moment.timestamp()) * NS_PER_SECOND + int((fraction or "").ljust(9, "0"))
