"""A record whose body is a large text: the text is cut out of its bytes, and the rest is decoded.

A decoder copies the text twice more, first into its message and then into a string. Text of 60 MB would take 240.
"""

from __future__ import annotations

import codecs
from typing import Final, NamedTuple

from ...exceptions import UndecodableError
from .. import protowire

__all__ = ["LargeText", "cut", "with_text"]

LEAST_BYTES: Final = 1024 * 1024
_MOST_FIELDS: Final = 1_000
_BODY: Final = 0x2A
"""The tag of `LogRecord.body`: number 5, length-delimited."""
_STRING_VALUE, _BYTES_VALUE = 0x0A, 0x3A
"""The tags of `AnyValue.string_value` and `.bytes_value`: numbers 1 and 7."""
_PIECE_BYTES: Final = 1024 * 1024


class LargeText(NamedTuple):
    """An encoded `LogRecord` in two parts.

    Attributes:
        rest: the record; its body is of the same kind and empty.
        text: the string or the bytes of its body.
    """

    rest: bytes
    text: bytes


def cut(raw: bytes) -> LargeText | None:
    """The parts of an encoded `LogRecord`; None where it is not large, or its body is not one string, or one of bytes.

    Anything that is not ordinary is left to the decoder, which reports it.
    """
    if len(raw) < LEAST_BYTES:
        return None
    try:
        found = _body(raw)
        return None if found is None else _parts(raw, *found)
    except UndecodableError:
        return None


def with_text(raw: bytes, text: bytes) -> bytes | None:
    """An encoded `LogRecord` with another text as its body; None where its body is not one string."""
    try:
        found = _body(raw)
    except UndecodableError:
        return None
    if found is None:
        return None
    before, start, end = found
    if start == end or raw[start] != _STRING_VALUE:
        return None
    body = protowire.field(_BODY >> 3, protowire.field(_STRING_VALUE >> 3, text))
    return raw[:before] + body + raw[end:]


def _body(raw: bytes) -> tuple[int, int, int] | None:
    """Where the field of the only body begins, and where its content begins and ends.

    Raises:
        UndecodableError: the bytes are not fields.
    """
    before, found = 0, None
    for count, (tag, start, end) in enumerate(protowire.fields(raw, 0, len(raw))):
        if count > _MOST_FIELDS or (tag == _BODY and found is not None):
            return None
        if tag == _BODY:
            found = before, start, end
        before = end
    return found


def _parts(raw: bytes, before: int, start: int, end: int) -> LargeText | None:
    """The parts of a record whose field for the body begins at `before`, and its content at `start`."""
    if start == end or raw[start] not in {_STRING_VALUE, _BYTES_VALUE}:
        return None
    size, begin = protowire.varint(raw, start + 1)
    if size < LEAST_BYTES // 2 or begin + size != end:
        return None
    if raw[start] == _STRING_VALUE and not _is_utf8(memoryview(raw)[begin:end]):
        return None
    empty = protowire.field(_BODY >> 3, bytes([raw[start], 0]))
    return LargeText(raw[:before] + empty + raw[end:], raw[begin:end])


def _is_utf8(text: memoryview) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(text), _PIECE_BYTES):
            decoder.decode(text[start : start + _PIECE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
