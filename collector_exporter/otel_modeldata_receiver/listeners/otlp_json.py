"""Converts OTLP in its JSON encoding to OTLP in Protocol Buffers, record by record.

The encoding is that of Protocol Buffers (keys in lowerCamelCase, 64-bit integers as text or numbers, bytes in base64),
except for trace and span ids, which are hexadecimal (OTLP "JSON Protobuf Encoding"). A record that cannot be read does
not affect the others: it is replaced by a record that contains only its JSON, which cannot become a line and ends in
quarantine.

This is slow, 0.1 ms a record and more: senders that have the choice should use the binary encoding.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ..exceptions import UndecodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["JSON_LOGS", "JSON_SPANS", "JsonSignal", "request_of"]

_LARGE_BYTES: Final = 64 * 1024
"""A larger request is converted in a thread, so that other calls go on."""
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_UNREADABLE: Final = "undecodable OTLP/JSON record"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSignal:
    """The structure of the requests of one signal.

    Attributes:
        request: the message type of a request.
        keys: the keys of resources, scopes and records in JSON.
        fields: the names of the same fields in Protocol Buffers.
        record: the message type of a record.
        unreadable: the replacement for a record that cannot be read, from its JSON.
    """

    request: Callable[[], Any]
    keys: tuple[str, str, str]
    fields: tuple[str, str, str]
    record: Callable[[], Any]
    unreadable: Callable[[str], Any]


JSON_LOGS: Final = JsonSignal(
    request=ExportLogsServiceRequest,
    keys=("resourceLogs", "scopeLogs", "logRecords"),
    fields=("resource_logs", "scope_logs", "log_records"),
    record=LogRecord,
    unreadable=lambda text: LogRecord(body=AnyValue(string_value=text), event_name=_UNREADABLE),
)
JSON_SPANS: Final = JsonSignal(
    request=ExportTraceServiceRequest,
    keys=("resourceSpans", "scopeSpans", "spans"),
    fields=("resource_spans", "scope_spans", "spans"),
    record=Span,
    unreadable=lambda text: Span(
        name=_UNREADABLE, attributes=[KeyValue(key="otlp.json", value=AnyValue(string_value=text))]
    ),
)


async def request_of(text: bytes, signal: JsonSignal) -> bytes:
    """The encoded request of `text`, a request in JSON.

    Raises:
        UndecodableError: the structure of the request could not be read.
    """
    convert = partial(_request_of, text, signal)
    return await asyncio.to_thread(convert) if len(text) > _LARGE_BYTES else convert()


def _request_of(text: bytes, signal: JsonSignal) -> bytes:
    try:
        outline = msgspec.json.decode(text, type=dict[str, Any])
        records = list(_removed_records(outline, signal))
        request = ParseDict(outline, signal.request(), ignore_unknown_fields=True)
        for resource, scope, record in records:
            _scope_of(request, signal, resource, scope).append(_record(record, signal))
        encoded: bytes = request.SerializeToString()
    except (msgspec.DecodeError, ParseError, UnicodeError, RecursionError, AttributeError, TypeError) as error:
        # The messages of these errors may quote the data that was sent.
        raise UndecodableError(
            f"undecodable request: expected OTLP in JSON, got a body of {len(text)} bytes that is not "
            f"({type(error).__name__}); correct the sender"
        ) from None
    return encoded


def _removed_records(outline: dict[str, Any], signal: JsonSignal) -> Iterator[tuple[int, int, Any]]:
    """Remove the records from `outline`, and yield each with the indexes of its resource and scope."""
    resources, scopes, items = signal.keys
    for resource, by_resource in enumerate(_list_of(outline, resources)):
        for scope, by_scope in enumerate(_list_of(by_resource, scopes)):
            records = _list_of(by_scope, items)
            by_scope.pop(items, None)
            for record in records:
                yield resource, scope, record


def _list_of(message: dict[str, Any], key: str) -> list[Any]:
    value = message.get(key) or []
    if not isinstance(value, list):
        raise TypeError(key)
    return value


def _scope_of(request: Any, signal: JsonSignal, resource: int, scope: int) -> Any:
    """The records of one scope in `request`."""
    resources, scopes, items = signal.fields
    return getattr(getattr(getattr(request, resources)[resource], scopes)[scope], items)


def _record(record: Any, signal: JsonSignal) -> Any:
    for fix in (_unchanged, _with_large_numbers):
        with contextlib.suppress(ParseError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
            return ParseDict(fix(_with_base64_ids(record)), signal.record(), ignore_unknown_fields=True)
    return signal.unreadable(msgspec.json.encode(record).decode())


def _unchanged(value: Any) -> Any:
    return value


def _with_large_numbers(value: Any) -> Any:
    """`value` with doubles where integers do not fit: OpenTelemetry's JavaScript SDK sends 1e300 as an integer."""
    if isinstance(value, list):
        return [_with_large_numbers(item) for item in value]
    if not isinstance(value, dict):
        return value
    number = value.get("intValue")
    if isinstance(number, (int, float)) and not -(2**63) <= number < 2**63:
        return {"doubleValue": float(number)}
    return {key: _with_large_numbers(item) for key, item in value.items()}


def _with_base64_ids(record: dict[str, Any]) -> dict[str, Any]:
    """`record`, and the links of a span in it, with their ids in base64, as `ParseDict` reads bytes."""
    changed: dict[str, Any] = {
        key: b64encode(bytes.fromhex(value)).decode() if key in _IDS else value for key, value in record.items()
    }
    if links := changed.get("links"):
        changed["links"] = [_with_base64_ids(link) for link in links]
    return changed
