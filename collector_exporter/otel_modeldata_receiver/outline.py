"""The outline of a logs request: decoded down to its records, which stay bytes, as do their attributes and bodies.

Protocol Buffers write an embedded message, a string and bytes alike: a length and so many bytes. So the messages of
`logs.proto` can be read with other types, which decodes only what is needed, in half the time of the whole message;
what is wrong inside a record is found by who reads that record, and costs no other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LogsRequest", "RecordOutline", "int_of", "read_record", "string_of"]

_Field = descriptor_pb2.FieldDescriptorProto
_BYTES, _FIXED32, _FIXED64 = _Field.TYPE_BYTES, _Field.TYPE_FIXED32, _Field.TYPE_FIXED64
_MESSAGES: Final[dict[str, dict[str, tuple[int, _Field.Type.ValueType, str]]]] = {
    "LogsRequest": {"resource_logs": (1, _Field.TYPE_MESSAGE, "ResourceLogs")},
    "ResourceLogs": {"resource": (1, _BYTES, ""), "scope_logs": (2, _Field.TYPE_MESSAGE, "ScopeLogs")},
    "ScopeLogs": {"scope": (1, _BYTES, ""), "log_records": (2, _BYTES, "*")},
    "LogRecord": {
        "time_unix_nano": (1, _FIXED64, ""),
        "body": (5, _BYTES, ""),
        "attributes": (6, _BYTES, "*"),
        "flags": (8, _FIXED32, ""),
        "trace_id": (9, _BYTES, ""),
        "span_id": (10, _BYTES, ""),
        "observed_time_unix_nano": (11, _FIXED64, ""),
    },
}
"""opentelemetry/proto/logs/v1/logs.proto: number and type of each field, and, of repeated ones, of what."""


class RecordOutline(Protocol):
    """What a line needs of a `LogRecord`; embedded messages are bytes."""

    time_unix_nano: int
    observed_time_unix_nano: int
    body: bytes
    attributes: Sequence[bytes]
    flags: int
    trace_id: bytes
    span_id: bytes


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="outline.proto", package="outline", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind, of) in fields.items():
            label = _Field.LABEL_REPEATED if of else _Field.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, type=kind, label=label)
            if kind == _Field.TYPE_MESSAGE:
                field.type_name = f".outline.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"outline.{name}")) for name in _MESSAGES}


_classes: Final = _message_classes()
LogsRequest: Final[Any] = _classes["LogsRequest"]
"""`ExportLogsServiceRequest`."""
read_record: Final[Callable[[bytes], RecordOutline]] = _classes["LogRecord"].FromString
"""The outline of an encoded `LogRecord`; raises `DecodeError`."""

_STRING: Final = 0x0A
"""Number 1, length-delimited: `string_value` of an AnyValue."""
_INT: Final = 0x18
"""Number 3, a varint: `int_value` of an AnyValue."""
_MOST_INT_BYTES: Final = 9
"""A tag and 56 bits: beyond them, sign and overflow have rules of their own."""


def string_of(value: bytes) -> bytes | None:
    """The text of an encoded `AnyValue` that is a string in UTF-8 and nothing else, else None."""
    if len(value) < 2 or value[0] != _STRING:
        return None
    size, start = _varint(value)
    text = value[start:]
    return text if len(text) == size and (text.isascii() or _is_utf8(text)) else None


def int_of(value: bytes) -> int | None:
    """The number of an encoded `AnyValue` that is a small integer from 0 on and nothing else, else None."""
    if not 2 <= len(value) <= _MOST_INT_BYTES or value[0] != _INT:
        return None
    number, end = _varint(value)
    return number if end == len(value) else None


def _varint(value: bytes) -> tuple[int, int]:
    """The number behind the first byte, base 128 with the lowest digit first, and where it ends; -1 without an end."""
    byte = value[1]
    if byte < 0x80:
        return byte, 2
    number, shift, end = byte & 0x7F, 7, 2
    for byte in value[2:_MOST_INT_BYTES]:
        number |= (byte & 0x7F) << shift
        shift += 7
        end += 1
        if byte < 0x80:
            return number, end
    return -1, 0


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
