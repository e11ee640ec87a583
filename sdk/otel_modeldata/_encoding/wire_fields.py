"""Fields of OTLP messages as bytes, for what differs from record to record.

The protobuf library takes three times as long to make a small message: most of that is Python objects for its parts.
Messages that are made once for many records are made by the library (`otlp_messages.py`), and a test compares both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from .otlp_messages import AnyValue, KeyValue, LogRecord

if TYPE_CHECKING:
    from google.protobuf.message import Message

_BYTES: Final = tuple(bytes([number]) for number in range(0x80))
_MOST_KEYS: Final = 256
"""The usual records have three; the names of context headers are keys, too."""
_END_OF_INT64: Final = 1 << 63
"""The library refuses larger integers."""
_VARINT: Final = 0
_FIXED32: Final = 5
_FIXED64: Final = 1
_LENGTH_DELIMITED: Final = 2
"""Wire types ("Protocol Buffers: Encoding, Message Structure")."""


def tag(message: type[Message], field: str, wire_type: int = _LENGTH_DELIMITED) -> bytes:
    """What a field begins with; its number fits one byte."""
    return bytes([message.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type])


def varint(number: int) -> bytes:
    """A length as protobuf writes it: seven bits a byte, the lowest first, the high bit set on all but the last."""
    if number < 0x80:
        return _BYTES[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def any_value(value: str | float) -> AnyValue:
    """The value of an attribute."""
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):  # of a resource
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def attribute(key: str, value: str | float) -> bytes:
    """A field `attributes` of a `LogRecord`."""
    if isinstance(value, str):
        text = str.encode(value)
        kind, content = _STRING_VALUE + varint(len(text)), text
    elif type(value) is int and 0 <= value < _END_OF_INT64:
        kind, content = _INT_VALUE, varint(value)
    else:
        kind, content = b"", any_value(value).SerializeToString()
    start, size = _start(key), len(kind) + len(content)
    length = varint(size)
    return b"".join((_ATTRIBUTES, varint(len(start) + len(length) + size), start, length, kind, content))


def times(event_ns: int) -> tuple[bytes, bytes]:
    """The fields `time_unix_nano` and `observed_time_unix_nano` of a `LogRecord`.

    Raises:
        OverflowError: the time is before 1970 or has more than 64 bits.
    """
    moment = event_ns.to_bytes(8, "little")
    return (_TIME + moment, _OBSERVED_TIME + moment) if event_ns else (b"", b"")


def span(trace_id: int, span_id: int, flags: int) -> bytes:
    """The fields `flags`, `trace_id` and `span_id` of a `LogRecord`."""
    parts = (_TRACE_ID, trace_id.to_bytes(16, "big"), _SPAN_ID, span_id.to_bytes(8, "big"))
    return b"".join((_FLAGS, flags.to_bytes(4, "little"), *parts) if flags else parts)


@lru_cache(_MOST_KEYS)
def _start(key: str) -> bytes:
    """The field `key` of a `KeyValue`, and what the field `value` begins with."""
    name = key.encode()
    return b"".join((_KEY, varint(len(name)), name, _VALUE))


_TIME: Final = tag(LogRecord, "time_unix_nano", _FIXED64)
_OBSERVED_TIME: Final = tag(LogRecord, "observed_time_unix_nano", _FIXED64)
_ATTRIBUTES: Final = tag(LogRecord, "attributes")
_FLAGS: Final = tag(LogRecord, "flags", _FIXED32)
_TRACE_ID: Final = tag(LogRecord, "trace_id") + varint(16)
_SPAN_ID: Final = tag(LogRecord, "span_id") + varint(8)
_KEY: Final = tag(KeyValue, "key")
_VALUE: Final = tag(KeyValue, "value")
_STRING_VALUE: Final = tag(AnyValue, "string_value")
_INT_VALUE: Final = tag(AnyValue, "int_value", _VARINT)
