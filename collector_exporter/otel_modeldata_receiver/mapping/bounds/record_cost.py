"""What it takes to decode one record: most need a few microseconds, some would take seconds.

A record is one message, however large. A decoder makes an object of each attribute, event, link and value in it, and
holds the interpreter's lock meanwhile. So the values of a large record are counted before it is decoded. Text and bytes
count as one value of any size: they are copied.
"""

from __future__ import annotations

from typing import Final

from ...exceptions import BadRecordError, UndecodableError
from .. import protowire

__all__ = [
    "LARGE_BYTES",
    "LEAST_BYTES_OF_MANY_ROWS",
    "LONG_BYTES",
    "MANY_ROWS",
    "MOST_TEMPLATE_BYTES",
    "check_values",
    "count_values",
    "is_light",
    "may_have_many_rows",
]

LARGE_BYTES: Final = 4 * 1024
"""A smaller record has too few values to matter."""
LONG_BYTES: Final = 256 * 1024
"""The text of a larger record may take milliseconds too."""
MOST_TEMPLATE_BYTES: Final = 1024 * 1024
"""Rows of this project's SDK, in a record that fits a line template, are checked in a millisecond up to this size,
unless they are very many."""
MANY_ROWS: Final = 32_768
"""Their check takes one to three milliseconds, even if they are empty."""
LEAST_BYTES_OF_MANY_ROWS: Final = MANY_ROWS * len(b"{},")
_FEW_ROWS: Final = 64
"""Large ones are found one by one: to find a byte takes a hundredth of the time of counting it."""
_BRACE: Final = ord("{")
LIGHT_VALUES: Final = 1_000
"""They are decoded and mapped in a few milliseconds."""

_FIELDS_OF_A_VALUE: Final = 6
"""An attribute is a field with a key and a value, which is a field with a field in it."""
_LENGTH_DELIMITED: Final = 2
_CONTAINERS: Final[dict[str, dict[int, str]]] = {
    "LogRecord": {5: "AnyValue", 6: "KeyValue"},
    "Resource": {1: "KeyValue"},
    "Span": {9: "KeyValue", 11: "Event", 13: "Link"},
    "Event": {3: "KeyValue"},
    "Link": {4: "KeyValue"},
    "KeyValue": {2: "AnyValue"},
    "AnyValue": {5: "ArrayValue", 6: "KeyValueList"},
    "ArrayValue": {1: "AnyValue"},
    "KeyValueList": {1: "KeyValue"},
}
"""opentelemetry/proto: the messages in each message, by field number."""


def is_light(raw: bytes, message: str, most: int = LIGHT_VALUES) -> bool:
    """Whether an encoded `LogRecord`, `Span` or `Resource` is read in a few milliseconds, alone."""
    return len(raw) <= LONG_BYTES and count_values(raw, message, most) <= most and not may_have_many_rows(raw)


def may_have_many_rows(raw: bytes, start: int = 0, end: int | None = None) -> bool:
    """Whether the text in a record may have so many rows that their check takes milliseconds.

    Args:
        raw: the record, or bytes in which its text is.
        start: where the text begins.
        end: where it ends; by default at the end of `raw`.
    """
    end = len(raw) if end is None else end
    if end - start <= LEAST_BYTES_OF_MANY_ROWS:
        return False
    for _ in range(_FEW_ROWS):
        start = raw.find(_BRACE, start, end) + 1
        if not start:
            return False
    return raw.count(_BRACE, start, end) > MANY_ROWS - _FEW_ROWS


def check_values(raw: bytes, message: str, most: int) -> None:
    """Raise BadRecordError if an encoded `LogRecord` or `Span` has more than `most` values."""
    if count_values(raw, message, most) > most:
        raise BadRecordError(
            f"too many values: expected at most {most} attributes, events, links and values in one record "
            "(limits.max_record_values), got more; send rows as JSON text in the body"
        )


def count_values(raw: bytes, message: str, most: int) -> int:
    """How many values are in an encoded record or resource; stops above `most`, and is 0 for small ones."""
    if len(raw) <= LARGE_BYTES:
        return 0
    count = fields = 0
    waiting = [(message, 0, len(raw))]
    try:
        while waiting:
            kind, start, end = waiting.pop()
            inner = _CONTAINERS[kind]
            counts = kind not in {"KeyValue", "AnyValue"}  # each is counted as a field of what contains it
            for tag, begin, stop in protowire.fields(raw, start, end):
                count += counts
                fields += 1
                if count > most or fields > _FIELDS_OF_A_VALUE * most:
                    return most + 1
                found = inner.get(tag >> 3) if tag & 7 == _LENGTH_DELIMITED else None
                if found is not None and begin < stop:
                    waiting.append((found, begin, stop))
    except UndecodableError:
        pass  # the decoder stops at the same place, and reports it
    return count
