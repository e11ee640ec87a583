"""Decodes OTLP requests to log records or spans, each under the scope and resource it was sent with.

Log records stay bytes (`protowire.py`), so that one with invalid UTF-8 or too deep nesting does not affect the others.
Spans are decoded with their request, which takes less than a microsecond for each. Only when that fails is the request
scanned field by field: a decoder of the whole message can only reject the whole message.

This module does not depend on model data: `resource.py` and `log_record.py` decide what an attribute means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from google.protobuf.message import DecodeError

from ..exceptions import BadRecordError, UndecodableError
from ..otlp_messages import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    InstrumentationScope,
    LogRecord,
    Resource,
    Span,
)
from . import protowire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

RecordT = TypeVar("RecordT", bytes, Span)
MAX_REASON_CHARS: Final = 1000
"""Every hop logs `partial_success`: this is enough for a few distinct reasons, and too little for a record."""

INDEX_OF_PROFILES: Final = "string_value_strindex"
"""A kind of value for the profiling signal only; OTLP: "process the data as if this value were absent"."""
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRecord:
    """One log record or span that cannot be decoded: its bytes and the reason."""

    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRecords(Generic[RecordT]):
    """The log records or spans of one scope of one resource.

    Attributes:
        resource: the encoded `Resource`.
        scope: name and version of the instrumentation; empty when it could not be decoded.
        records: log records as bytes, or the decoded spans.
        damaged: spans that cannot be decoded.
        schema_url: the schema of the resource's attributes; empty where a request is damaged.
    """

    resource: bytes
    scope: InstrumentationScope
    records: Sequence[RecordT]
    damaged: Sequence[DamagedRecord] = field(default=())
    schema_url: str = ""


def decode(request: bytes) -> list[ScopeRecords[bytes]]:
    """The encoded log records of an `ExportLogsServiceRequest`; `log_record` decodes one of them.

    Raises:
        UndecodableError: not even the outline of the message can be read.
    """
    try:
        message = protowire.LogsRequest.FromString(request)
    except DecodeError:
        raise protowire.undecodable("bytes that are not one") from None
    return [
        ScopeRecords(resource=resource_logs.resource, scope=_scope(scope_logs.scope), records=scope_logs.log_records)
        for resource_logs in message.resource_logs
        for scope_logs in resource_logs.scope_logs
    ]


def log_record(raw: bytes) -> LogRecord:
    """A log record.

    Raises:
        BadRecordError: it is damaged.
    """
    try:
        return LogRecord.FromString(raw)
    except DecodeError:
        raise BadRecordError(_damage("LogRecord", raw)) from None


def decode_spans(request: bytes) -> list[ScopeRecords[Span]]:
    """The spans of an `ExportTraceServiceRequest`; its outline has the same field numbers as that of logs.

    Raises:
        UndecodableError: not even the outline of the message can be read.
    """
    try:
        message = ExportTraceServiceRequest.FromString(request)
    except DecodeError:
        return list(_walk_request(request))
    return [
        ScopeRecords(
            resource=resource,
            scope=scope_spans.scope,
            records=scope_spans.spans,
            schema_url=resource_spans.schema_url,
        )
        for resource_spans in message.resource_spans
        for resource in (resource_spans.resource.SerializeToString(),)
        for scope_spans in resource_spans.scope_spans
    ]


def first_resource(request: bytes) -> bytes:
    """The encoded `Resource` of the first `ResourceLogs` or `ResourceSpans`; empty where none can be read."""
    try:
        start, end = _first(request, 0, len(request), _RESOURCE_LOGS)
        start, end = _first(request, start, end, _RESOURCE)
    except UndecodableError:
        return b""
    return request[start:end]


def _first(message: bytes, position: int, end: int, wanted: int) -> tuple[int, int]:
    """Where the first field with this tag between two positions of `message` begins and ends; (0, 0) without one."""
    return next(
        ((start, stop) for tag, start, stop in protowire.fields(message, position, end) if tag == wanted), (0, 0)
    )


def response(rejected: int, reasons: Sequence[str]) -> bytes:
    """The encoded `ExportLogsServiceResponse`; nothing rejected is an empty message (OTLP "Full Success")."""
    if not rejected:
        return b""
    partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=_reasons(reasons))
    return ExportLogsServiceResponse(partial_success=partial).SerializeToString()


def span_response(rejected: int, reasons: Sequence[str]) -> bytes:
    """The encoded `ExportTraceServiceResponse`; see `response`."""
    if not rejected:
        return b""
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=_reasons(reasons))
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def _reasons(reasons: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))[:MAX_REASON_CHARS]


def text_of(key: str, value: AnyValue) -> str | None:
    """An attribute value as text: scalars are printed, an unset value is None.

    Raises:
        BadRecordError: `value` is bytes, an array or a map, or has control characters, which CloudEvents 1.0
            "Type System" does not allow in strings.
    """
    kind = value.WhichOneof("value")
    if kind == "string_value":
        text = value.string_value
        if not text.isprintable() and _CONTROL_CHARACTER.search(text):
            raise BadRecordError(f"attribute text: expected {key} without control characters, got some; remove them")
        return text
    if kind == "int_value":
        return str(value.int_value)
    if kind == "double_value":
        return repr(value.double_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind is None or kind == INDEX_OF_PROFILES:
        return None
    raise BadRecordError(f"attribute type: expected a string as {key}, got {kind}; send it as text")


# --- Damaged requests of spans ------------------------------------------------------------------------------------

# Tags: number << 3 | 2, length-delimited.
_RESOURCE_LOGS: Final = 0x0A  # ExportLogsServiceRequest.resource_logs, ExportTraceServiceRequest.resource_spans
_RESOURCE, _SCOPE_LOGS = 0x0A, 0x12  # ResourceLogs.resource, .scope_logs; ResourceSpans.resource, .scope_spans
_SCOPE, _LOG_RECORDS = 0x0A, 0x12  # ScopeLogs.scope, .log_records; ScopeSpans.scope, .spans


def _walk_request(request: bytes) -> Iterator[ScopeRecords[Span]]:
    for resource_spans in _members(request, _RESOURCE_LOGS):
        # A message field that occurs twice is merged, and joined bytes decode to the merged message.
        resource = b"".join(_members(resource_spans, _RESOURCE))
        unreadable_resource = _error_in(Resource, resource)
        for scope_spans in _members(resource_spans, _SCOPE_LOGS):
            yield _walk_scope(scope_spans, resource, unreadable_resource)


def _walk_scope(scope_spans: bytes, resource: bytes, unreadable_resource: str | None) -> ScopeRecords[Span]:
    records: list[Span] = []
    damaged: list[DamagedRecord] = []
    for raw in _members(scope_spans, _LOG_RECORDS):
        reason = unreadable_resource or _error_in(Span, raw)
        if reason is None:
            records.append(Span.FromString(raw))
        else:
            damaged.append(DamagedRecord(raw=raw, reason=reason))
    scope = b"".join(_members(scope_spans, _SCOPE))
    return ScopeRecords(resource=resource, scope=_scope(scope), records=records, damaged=damaged)


def _scope(raw: bytes) -> InstrumentationScope:
    """A scope; one without a name where it is damaged, because no record is rejected for the name of a library."""
    try:
        return InstrumentationScope.FromString(raw)
    except DecodeError:
        return InstrumentationScope()


def _error_in(message: type[Resource | Span], raw: bytes) -> str | None:
    """Why `raw` does not decode as `message`, without quoting it."""
    try:
        message.FromString(raw)
    except DecodeError:
        return _damage(message.DESCRIPTOR.name, raw)
    return None


def _damage(name: str, raw: bytes) -> str:
    return (
        f"undecodable {name}: expected Protocol Buffers with UTF-8 strings nested at most 100 deep, "
        f"got {len(raw)} bytes that are not; correct the sender"
    )


def _members(message: bytes, wanted: int) -> list[bytes]:
    """The contents of the fields of `message` with this tag, in order; other fields are skipped."""
    return [message[start:end] for tag, start, end in protowire.fields(message, 0, len(message)) if tag == wanted]
