"""The wire format of Protocol Buffers: the outline of an encoded OTLP message, and its fields, without decoding it.

Protocol Buffers encode an embedded message, a string and bytes in the same way: a length and that many bytes. So the
messages of `logs.proto` can be read with other types, in which records are bytes, in half the time of the whole
message. A damaged record is found when it is read, and does not affect the others.

A message is a sequence of fields; a field is a varint `number << 3 | wire type`, then a varint (0), 8 bytes (1), a
varint length and that many bytes (2), or 4 bytes (5). Groups (3, 4) do not occur in OTLP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ..exceptions import UndecodableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LogsRequest", "fields", "string_at", "undecodable", "varint"]

_Field = descriptor_pb2.FieldDescriptorProto
_BYTES: Final = _Field.TYPE_BYTES
_MESSAGES: Final[dict[str, dict[str, tuple[int, _Field.Type.ValueType, str]]]] = {
    "LogsRequest": {"resource_logs": (1, _Field.TYPE_MESSAGE, "ResourceLogs")},
    "ResourceLogs": {"resource": (1, _BYTES, ""), "scope_logs": (2, _Field.TYPE_MESSAGE, "ScopeLogs")},
    "ScopeLogs": {"scope": (1, _BYTES, ""), "log_records": (2, _BYTES, "*")},
}
"""opentelemetry/proto/logs/v1/logs.proto: number and type of each field, and the message type of repeated ones."""


def _request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="outline.proto", package="outline", syntax="proto3")
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, (number, kind, of) in members.items():
            label = _Field.LABEL_REPEATED if of else _Field.LABEL_OPTIONAL
            field = message.field.add(name=member, number=number, type=kind, label=label)
            if kind == _Field.TYPE_MESSAGE:
                field.type_name = f".outline.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("outline.LogsRequest"))


LogsRequest: Final = _request_class()
"""`ExportLogsServiceRequest`."""

_LENGTH_DELIMITED: Final = 2
_FIXED_SIZES: Final = {1: 8, 5: 4}
_STRING_VALUE: Final = 0x0A
"""The tag of `AnyValue.string_value`: number 1, length-delimited."""
_MOST_VARINT_BYTES: Final = 10


def fields(message: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields between two positions of `message`.

    Yields the tag, which combines number and wire type, and where the content begins and ends.

    Raises:
        UndecodableError: the bytes are not fields.
    """
    while position < end:
        tag, position = varint(message, position)
        wire_type = tag & 7
        stop = position
        if wire_type == _LENGTH_DELIMITED:
            size, position = varint(message, position)
            stop = position + size
        elif wire_type in _FIXED_SIZES:
            stop += _FIXED_SIZES[wire_type]
        elif wire_type == 0:
            _, stop = varint(message, position)
        else:
            raise undecodable(f"wire type {wire_type}")
        if stop > end:
            raise undecodable(f"a field of {stop - position} bytes where {end - position} are left")
        yield tag, position, stop
        position = stop


def string_at(message: bytes, position: int) -> tuple[int, int] | None:
    """Where the text of an `AnyValue` begins and ends; None where the value is not just a string.

    Args:
        message: the bytes.
        position: of the length of the `AnyValue`.

    Raises:
        UndecodableError: there is no length.
    """
    size, start = varint(message, position)
    end = start + size
    if not start < end <= len(message) or message[start] != _STRING_VALUE:
        return None
    size, start = varint(message, start + 1)
    return (start, end) if start + size == end else None


def varint(message: bytes, position: int) -> tuple[int, int]:
    """The base-128 number at `position`, lowest digit first, and the position after it.

    Raises:
        UndecodableError: it does not end within ten bytes, the limit of the encoding, or within the message.
    """
    number = shift = 0
    if position + 1 < len(message):  # numbers up to 16,383 in a third of the time
        low, high = message[position], message[position + 1]
        if low < 0x80:
            return low, position + 1
        if high < 0x80:
            return low & 0x7F | high << 7, position + 2
    for byte in message[position : position + _MOST_VARINT_BYTES]:
        position += 1
        if byte < 0x80:
            return number | byte << shift, position
        number |= (byte & 0x7F) << shift
        shift += 7
    raise undecodable("a number without end")


def undecodable(found: str) -> UndecodableError:
    """The error for bytes that are not a request."""
    return UndecodableError(f"undecodable request: expected an OTLP export request, got {found}; correct the sender")
