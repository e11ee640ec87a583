"""OTLP messages: log records and spans, each decoded on its own, attribute values as text, and answers.

A record stays bytes until it is mapped (`outline.py`), so that one with invalid UTF-8 or too deep nesting does not
affect the others.

This module does not depend on model data: `resource.py` and `log_record.py` decide what an attribute means.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from google.protobuf.message import DecodeError

from ..exceptions import BadRecordError, UndecodableError
from ..otlp_messages import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
    InstrumentationScope,
    LogRecord,
    Span,
)
from . import protowire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

MAX_REASON_CHARS: Final = 1000
"""Every hop logs `partial_success`: this is enough for a few distinct reasons, and too little for a record."""

INDEX_OF_PROFILES: Final = "string_value_strindex"
"""A kind of value for the profiling signal only; OTLP: "process the data as if this value were absent"."""
_FIELD_1: Final = 0x0A
"""The tag of `resource_logs`, `resource_spans`, and of `resource` in them: number 1, length-delimited."""
_MOST_SCOPE_BYTES: Final = 64 * 1024
_FIRST_FIELDS: Final = 64
"""Fields that are searched for the first resource: a Collector may write it after the scopes."""
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


Record: TypeAlias = "bytes | protowire.Embedded"
"""An encoded log record or span; a large one is still in its request."""


class ScopeRecords(msgspec.Struct, frozen=True, kw_only=True):
    """The log records or spans of one scope of one resource.

    Attributes:
        resource: the encoded `Resource`.
        encoded_scope: the encoded `InstrumentationScope`.
        records: the encoded records.
        schema_url: the schema of the resource's attributes.
    """

    resource: bytes
    encoded_scope: bytes
    records: protowire.EmbeddedMessages
    schema_url: str = ""

    @property
    def scope(self) -> InstrumentationScope:
        """Name and version of the instrumentation; empty when it cannot be decoded."""
        return scope(self.encoded_scope)


def log_record(raw: bytes) -> LogRecord:
    """A log record.

    Raises:
        BadRecordError: it is damaged.
    """
    try:
        return LogRecord.FromString(raw)
    except DecodeError:
        raise BadRecordError(_damage("LogRecord", raw)) from None


def span(raw: bytes) -> Span:
    """A span.

    Raises:
        BadRecordError: it is damaged.
    """
    try:
        return Span.FromString(raw)
    except DecodeError:
        raise BadRecordError(_damage("Span", raw)) from None


def scope(raw: bytes) -> InstrumentationScope:
    """A scope; one without a name where it is damaged or huge: no record is rejected for the name of a library."""
    if len(raw) > _MOST_SCOPE_BYTES:
        return InstrumentationScope()
    try:
        return InstrumentationScope.FromString(raw)
    except DecodeError:
        return InstrumentationScope()


def first_resource(request: bytes) -> bytes:
    """The encoded `Resource` of the first `ResourceLogs` or `ResourceSpans`; empty where none can be read."""
    try:
        start, end = _first(request, 0, len(request))
        start, end = _first(request, start, end)
    except UndecodableError:
        return b""
    return request[start:end]


def _first(message: bytes, position: int, end: int) -> tuple[int, int]:
    """Where the first field 1 between two positions of `message` begins and ends; (0, 0) without one nearby."""
    if position < end and message[position] == _FIELD_1:  # the usual order
        size, start = protowire.varint(message, position + 1)
        if start + size <= end:
            return start, start + size
    begin = islice(protowire.fields(message, position, end), _FIRST_FIELDS)
    return next(((start, stop) for tag, start, stop in begin if tag == _FIELD_1), (0, 0))


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


def _damage(name: str, raw: bytes) -> str:
    return (
        f"undecodable {name}: expected Protocol Buffers with UTF-8 strings nested at most 100 deep, "
        f"got {len(raw)} bytes that are not; correct the sender"
    )
