"""Converts OTLP in its JSON encoding to OTLP in Protocol Buffers, record by record.

The encoding is that of Protocol Buffers (keys in lowerCamelCase or as in the .proto file, null as if the key were
absent, 64-bit integers as text or numbers, bytes in base64), except for trace and span ids, which are hexadecimal (OTLP
"JSON Protobuf Encoding"). Both forms of a key may be mixed, at every level; a message that has both forms of one key,
with two values, cannot be read. A record that cannot be read does not affect the others: it is replaced by a record
that contains only its JSON, which cannot become a line and ends in quarantine. A resource or scope that cannot be read
costs its own records in the same way.

This is slow, 0.1 ms a record and more: senders that have the choice should use the binary encoding.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ..config.limits import LimitsConfig
from ..exceptions import UndecodableError
from ..mapping.bounds.json_bounds import check_json
from ..mapping.log_record import UNDECODABLE_JSON
from .json_faults import JsonFaultError, check_types, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor

__all__ = ["JSON_LOGS", "JSON_SPANS", "JsonSignal", "logs_of", "request_of", "spans_of"]

_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
_ARRAY: Final = "arrayValue"
_UNREADABLE_RESOURCE: Final = "otlp.json"
_MOST_DIGITS: Final = 400
_ERRORS: Final = (
    ParseError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    ArithmeticError,
    RecursionError,
    SystemError,
)
"""What reading JSON of another structure raises; errors of Unicode and of msgspec are ValueErrors. Protocol Buffers'
C implementation raises SystemError when it looks up a name with half a surrogate pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSignal:
    """The structure of the requests of one signal.

    Attributes:
        request: the message type of a request.
        keys: the keys of resources, scopes and records in JSON.
        fields: the names of the same fields in Protocol Buffers, which are keys in JSON too.
        record: the message type of a record.
        unreadable: the replacement for a record that cannot be read, from its JSON and what is wrong.
    """

    request: Callable[[], Any]
    keys: tuple[str, str, str]
    fields: tuple[str, str, str]
    record: Callable[[], Any]
    unreadable: Callable[[str, str], Any]


JSON_LOGS: Final = JsonSignal(
    request=ExportLogsServiceRequest,
    keys=("resourceLogs", "scopeLogs", "logRecords"),
    fields=("resource_logs", "scope_logs", "log_records"),
    record=LogRecord,
    unreadable=lambda text, fault: LogRecord(
        body=AnyValue(string_value=text), event_name=UNDECODABLE_JSON, severity_text=fault
    ),
)
JSON_SPANS: Final = JsonSignal(
    request=ExportTraceServiceRequest,
    keys=("resourceSpans", "scopeSpans", "spans"),
    fields=("resource_spans", "scope_spans", "spans"),
    record=Span,
    unreadable=lambda text, fault: Span(
        name=UNDECODABLE_JSON,
        attributes=[KeyValue(key="otlp.json", value=AnyValue(string_value=text))],
        status=Status(message=fault),
    ),
)


def request_of(text: bytes, signal: JsonSignal, limits: LimitsConfig | None = None) -> bytes:
    """The encoded request of `text`, a request in JSON.

    Raises:
        TooLargeError: the request is too large for this encoding.
        UndecodableError: the structure of the request could not be read, or it has too many values.
    """
    check_json(text, limits or LimitsConfig())
    return _request_of(text, signal)


def logs_of(text: bytes, limits: LimitsConfig) -> bytes:
    """The encoded request of log records of `text`; see `request_of`."""
    return request_of(text, JSON_LOGS, limits)


def spans_of(text: bytes, limits: LimitsConfig) -> bytes:
    """The encoded request of spans of `text`; see `request_of`."""
    return request_of(text, JSON_SPANS, limits)


def _request_of(text: bytes, signal: JsonSignal) -> bytes:
    try:
        request = signal.request()
        resources = getattr(request, signal.fields[0])
        plain = _plain if _SNAKE_OR_NULL.search(text) else _unchanged
        for outline in _removed(_decoded(text), signal, 0):
            if outline is not None:
                _add(outline, resources.add(), signal, plain)
        encoded: bytes = request.SerializeToString()
    except _ERRORS as error:
        # The messages of these errors may quote the data that was sent.
        is_known = isinstance(error, (RecursionError, JsonFaultError))
        found = fault_of(error) if is_known else f"{type(error).__name__}; correct the sender"
        fault, _, cure = found.partition("; ")
        raise UndecodableError(
            f"undecodable request: expected OTLP in JSON, got a body of {len(text)} bytes that is not ({fault}); {cure}"
        ) from None
    return encoded


def _decoded(text: bytes) -> dict[str, Any]:
    """The request as a mapping. What msgspec refuses may be in one record only: `1e400`, or half a surrogate pair."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        outline = json.loads(text.decode("utf-8", "surrogateescape"), parse_int=_integer)
        if not isinstance(outline, dict):
            raise
        return outline


def _integer(digits: str) -> int | str:
    """An integer; the text of one that has more digits than Python converts, which no field can hold."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _removed(message: dict[str, Any], signal: JsonSignal, level: int) -> list[Any]:
    """Remove the list of resources (level 0), scopes (1) or records (2) from `message` and return it."""
    given = [message.pop(key, None) for key in (signal.keys[level], signal.fields[level])]
    lists = [value for value in given if value is not None]
    if not all(isinstance(value, list) for value in lists):
        raise TypeError(signal.keys[level])
    if not lists and any(isinstance(value, list) for value in message.values()):
        raise KeyError(signal.keys[level])  # its list has another name: an empty answer would lose it silently
    return list(chain.from_iterable(lists))


def _add(outline: dict[str, Any], resource: Any, signal: JsonSignal, plain: Callable[[Any], Any]) -> None:
    """Fill `resource` with what `outline` has; `plain` is applied to each part."""
    scopes = [scope for scope in _removed(outline, signal, 1) if scope is not None]
    records = [_removed(scope, signal, 2) for scope in scopes]
    outline[signal.keys[1]] = scopes
    try:
        fixed = plain(outline)
        check_types(fixed, resource.DESCRIPTOR)
        ParseDict(fixed, resource, ignore_unknown_fields=True)
    except _ERRORS as error:
        if not any(records):
            raise
        resource.Clear()
        resource.resource.attributes.add(key=_UNREADABLE_RESOURCE).value.string_value = _as_json(outline)
        fault = f"a resource or scope with {fault_of(error)}"
        unreadable = [signal.unreadable(_as_json(record), fault) for group in records for record in group]
        getattr(getattr(resource, signal.fields[1]).add(), signal.fields[2]).extend(unreadable)
        return
    for scope, group in zip(getattr(resource, signal.fields[1]), records, strict=True):
        getattr(scope, signal.fields[2]).extend([_record(record, signal, plain) for record in group])


def _record(record: Any, signal: JsonSignal, plain: Callable[[Any], Any]) -> Any:
    fault = ""
    for fix in (_unchanged, _with_large_numbers):
        made = signal.record()
        try:
            fixed = fix(_with_base64_ids(plain(record)))
            check_types(fixed, made.DESCRIPTOR)
            return ParseDict(fixed, made, ignore_unknown_fields=True)
        except _ERRORS as error:
            fault = fault_of(error)
    return signal.unreadable(_as_json(record), fault)


def _as_json(value: Any) -> str:
    """Not by msgspec, which refuses half a surrogate pair and writes an infinite number as null."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def _plain(value: Any) -> Any:
    """`value` with all keys in lowerCamelCase and without null; see `_plain_message`."""
    if isinstance(value, list):
        return [_plain(item) for item in value if item is not None]
    return _plain_message(value) if isinstance(value, dict) else value


def _plain_message(message: dict[str, Any]) -> dict[str, Any]:
    """`message` in the form of `_plain`.

    Raises:
        JsonFaultError: it has both forms of a key, with two values. `ParseDict` would take the last one.
    """
    plain: dict[str, Any] = {}
    for key, inner in message.items():
        if inner is None:
            continue
        name = _JSON_NAMES.get(key, key)
        read = _plain(_with_empty_values(inner) if name == _ARRAY else inner)
        if plain.setdefault(name, read) != read:
            raise JsonFaultError("two values of a key that is there in both forms; correct the sender")
    return plain


def _with_empty_values(array: Any) -> Any:
    """An `ArrayValue` with empty values in place of null: there, leaving null out would move the other values."""
    if not isinstance(array, dict) or not isinstance(array.get("values"), list):
        return array
    return array | {"values": [{} if item is None else item for item in array["values"]]}


def _json_names(*messages: Descriptor) -> dict[str, str]:
    """The names of all fields of `messages`, and of the messages in them, in JSON by their names in the .proto file."""
    names: dict[str, str] = {}
    seen: set[str] = set()
    left = list(messages)
    while left:
        message = left.pop()
        if message.full_name not in seen:
            seen.add(message.full_name)
            names |= {field.name: field.json_name for field in message.fields}
            left += [field.message_type for field in message.fields if field.message_type is not None]
    return names


_JSON_NAMES: Final = _json_names(ExportLogsServiceRequest.DESCRIPTOR, ExportTraceServiceRequest.DESCRIPTOR)
_SNAKE_OR_NULL: Final = re.compile(rb'null|\\u|"[a-z]+_[a-z_]+"\s*:')
"""What is in every request that `_plain` changes: keys with an underscore, perhaps escaped, and null."""


def _unchanged(value: Any) -> Any:
    return value


def _is_double(number: float) -> bool:
    """Whether a large number is a double, or one as JavaScript writes it, whose last digits are zeros.

    A double in place of any other integer would be another number.
    """
    try:
        return float(number) == number or int(Decimal(repr(float(number)))) == number
    except OverflowError:
        return False


def _with_large_numbers(value: Any) -> Any:
    """`value` with doubles where integers do not fit: OpenTelemetry's JavaScript SDK sends 1e300 as an integer."""
    if isinstance(value, list):
        return [_with_large_numbers(item) for item in value]
    if not isinstance(value, dict):
        return value
    number = value.get("intValue")
    if isinstance(number, (int, float)) and not -(2**63) <= number < 2**63 and _is_double(number):
        return {"doubleValue": float(number)}
    return {key: _with_large_numbers(item) for key, item in value.items()}


def _base64_id(key: str, value: Any) -> str:
    try:
        return b64encode(bytes.fromhex(value)).decode()
    except (TypeError, ValueError):
        raise JsonFaultError(f"a {key} that is not hexadecimal; write ids in hexadecimal digits") from None


def _with_base64_ids(record: Any) -> Any:
    """`record`, and the links of a span in it, with their ids in base64, as `ParseDict` reads bytes."""
    if not isinstance(record, dict):
        return record  # `check_types` says so
    changed: dict[str, Any] = {key: _base64_id(key, value) if key in _IDS else value for key, value in record.items()}
    if links := changed.get("links"):
        changed["links"] = [_with_base64_ids(link) for link in links]
    return changed
