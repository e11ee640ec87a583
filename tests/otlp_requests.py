"""Builders of OTLP requests as they are on the wire, well-formed and otherwise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_modeldata import semconv
from otel_modeldata_receiver.outline import fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROWS = '[{"age":42,"income":1234.5}]'
DEPLOYMENT = {semconv.AZUREML_ENDPOINT_NAME: "credit", semconv.AZUREML_DEPLOYMENT_NAME: "blue"}
SCOPE = InstrumentationScope(name="test-sdk", version="1.0")
BAD_NAMES = ["", "..", "a/../b", "a/b", "x" * 1100, "%2e%2e", "a\\b", "_quarantine", ".hidden", "trailing.", "a..b"]
BAD_NAMES += ["\uff0e\uff0e", "\u2024\u2024", "na\u0131ve", "a b", "a:b", "a?b", "a#b", "-a"]
"""Endpoint, deployment and collection names that must never reach a path."""
_ATTRIBUTE = 0x32
"""The tag of `LogRecord.attributes`."""
NOON = 1_795_348_800_000_000_000
"""2026-11-22T12:00:00Z in ns since the epoch."""


def any_value(value: object) -> AnyValue:  # noqa: PLR0911 (one per kind)
    """`value` as OTel SDKs encode it: None is a value that is not set."""
    match value:
        case None:
            return AnyValue()
        case AnyValue():
            return value
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    raise TypeError(type(value))


def key_values(values: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def record(
    body: object = ROWS,
    attributes: Mapping[str, object] | None = None,
    *,
    collection: str | None = "model_inputs",
    event_id: str | None = None,
    time_ns: int | None = None,
    **fields: Any,
) -> LogRecord:
    """A log record; without `time_ns` of this moment, with `fields` of the message as they are named there."""
    values: dict[str, object] = {}
    if collection is not None:
        values[semconv.AZUREML_COLLECTION_NAME] = collection
    if event_id is not None:
        values[semconv.CLOUDEVENTS_EVENT_ID] = event_id
    return LogRecord(
        body=any_value(body),
        attributes=key_values(values | dict(attributes or {})),
        time_unix_nano=time.time_ns() if time_ns is None else time_ns,
        **fields,
    )


def resource(values: Mapping[str, object] | None = None) -> Resource:
    return Resource(attributes=key_values(DEPLOYMENT if values is None else values))


def request(*records: LogRecord, resource_values: Mapping[str, object] | None = None) -> bytes:
    """An encoded request with one resource and one scope."""
    return raw_request([one.SerializeToString() for one in records], resource(resource_values).SerializeToString())


def span(name: str = "POST /score", attributes: Mapping[str, object] | None = None, **fields: Any) -> Span:
    """A span from 12:00:00 to 12:00:01 at the entry of a service, with `fields` of the message as they are named."""
    known: dict[str, Any] = {
        "trace_id": b"t" * 16,
        "span_id": b"s" * 8,
        "kind": Span.SPAN_KIND_SERVER,
        "start_time_unix_nano": NOON,
        "end_time_unix_nano": NOON + 1_000_000_000,
    }
    return Span(name=name, attributes=key_values(attributes or {}), **(known | fields))


def span_request(*spans: Span, resource_values: Mapping[str, object] | None = None) -> bytes:
    """An encoded `ExportTraceServiceRequest`, whose outline has the numbers of that of logs."""
    return raw_request([one.SerializeToString() for one in spans], resource(resource_values).SerializeToString())


def raw_request(records: Iterable[bytes], raw_resource: bytes | None = None) -> bytes:
    """The same from records that may not be well-formed: framing needs lengths only."""
    scope_logs = field(1, SCOPE.SerializeToString()) + b"".join(field(2, raw) for raw in records)
    if raw_resource is None:
        raw_resource = resource().SerializeToString()
    return field(1, field(1, raw_resource) + field(2, scope_logs))


def backwards(raw: bytes) -> bytes:
    """An encoded `LogRecord` as Collectors write it: the last field first, the value of an attribute before its key."""
    parts = _with_whole(raw)
    attributes = [
        field(6, b"".join(whole for *_, whole in reversed(_with_whole(content))))
        for tag, content, _ in parts
        if tag == _ATTRIBUTE
    ]
    others = [(tag, whole) for tag, _, whole in parts if tag != _ATTRIBUTE]
    before = [whole for tag, whole in others if tag < _ATTRIBUTE]
    behind = [whole for tag, whole in others if tag > _ATTRIBUTE]
    return b"".join([*reversed(behind), *attributes, *reversed(before)])


def _with_whole(raw: bytes) -> list[tuple[int, bytes, bytes]]:
    """The fields of a message: tag, content, and all bytes."""
    found = list(fields(raw, 0, len(raw)))
    begins = [0, *(end for *_, end in found)]
    return [(tag, raw[start:end], raw[begin:end]) for (tag, start, end), begin in zip(found, begins, strict=False)]


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a Protocol Buffers message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def invalid_utf8(one: LogRecord, placeholder: str) -> bytes:
    """The encoded record with the ASCII text `placeholder` replaced by as many bytes that are not UTF-8."""
    raw = one.SerializeToString()
    if placeholder.encode() not in raw:
        raise ValueError(placeholder)
    return raw.replace(placeholder.encode(), b"\xff" * len(placeholder))


def nested_record(depth: int, event_id: str) -> bytes:
    """An encoded record whose body is an array in an array, `depth` times; protobuf would refuse to print it."""
    value = AnyValue(string_value="x").SerializeToString()
    for _ in range(depth):
        value = field(AnyValue.ARRAY_VALUE_FIELD_NUMBER, field(ArrayValue.VALUES_FIELD_NUMBER, value))
    rest = record(None, collection="request", event_id=event_id)
    rest.ClearField("body")
    return rest.SerializeToString() + field(LogRecord.BODY_FIELD_NUMBER, value)


def decoded(raw: bytes) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest.FromString(raw)
