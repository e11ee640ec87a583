"""Checks JSON rows: an array of objects, whose numbers every reader can read.

Numbers out of the range of a double are valid JSON, but Arrow and Polars refuse the whole file because of one, and
Python refuses integers of more than 4,300 digits. Rows are passed on as text, so their numbers are not parsed here
either: digits are looked for in a copy in which all of them are zeros. Only rows that may have such a number are looked
at more closely.

Large texts are checked piece by piece, as `otel_modeldata.validation.json_rows` says.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata.validation import json_rows

from ...exceptions import BadRecordError
from .record_cost import LEAST_BYTES_OF_MANY_ROWS, MANY_ROWS, may_have_many_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "DECIMAL_EXPONENT",
    "LINE_BREAKS",
    "OWN_AGENT",
    "are_rows_as_they_are",
    "are_rows_in_lines",
    "check_numbers",
    "check_rows",
]

OWN_AGENT: Final = "otel-modeldata/"
"""The agent of this project's SDK begins with it."""
_ZEROS: Final = bytes.maketrans(b"123456789E", b"000000000e")
_SIGNS: Final = b"+-"
_LONG_EXPONENT: Final = b"0e000"
_LEAST_DIGITS: Final = 300
_TRANSLATED_BYTES: Final = 1024 * 1024
_OVERLAP_BYTES: Final = 2 * _LEAST_DIGITS
"""A number that may be out of range and begins in one part of a text is recognized in it, or in the next one."""
_LONG_NUMBER: Final = b"0" * _LEAST_DIGITS
_COUNTED_BYTES: Final = 64 * 1024
"""A piece of a text whose rows are counted: it fits into the cache of a processor, and has at most 44,000 rows."""
DECIMAL_EXPONENT: Final = ord("E")
"""The floats that this project's SDK writes are finite; only its decimals may be out of range, and they have it."""
_MOST_OBJECTS: Final = 8 * 1024
"""In texts that are checked together: an empty object takes ten times as long as its bytes in a string."""
LINE_BREAKS: Final = tuple(b"\n\r")
"""As numbers: a search for a number takes a seventh of the time of a search for bytes."""
_OUT_OF_RANGE: Final = re.compile(rb"(?<![\d.])-?(?:\d[\d.]*[eE]\+?0*[1-9]\d\d+|\d{300,}[\d.]*(?:[eE][+-]?\d+)?)")
_END_OF_PIECE: Final = re.compile(rb"(?<!\\)[^-0-9.eE+\\]")
"""Neither in a number, nor between a backslash and what it escapes."""


def check_rows(text: bytes, _decode: Callable[[bytes], object] = json_rows.rows_decoder.decode) -> None:
    """Check that `text` is a JSON array of objects.

    Raises:
        msgspec.DecodeError: it is not.
        RecursionError: it nests too deep.
        BadRecordError: it has too many objects.
    """
    if len(text) <= json_rows.ONE_PIECE_BYTES:
        _decode(text)
    elif not json_rows.are_rows_in_pieces(text):  # one of the places that were taken for the end of a row is in a row
        if text.count(b"{") > json_rows.MOST_OBJECTS:
            raise BadRecordError(
                f"too many rows: expected at most {json_rows.MOST_OBJECTS} objects in the rows of one record, "
                "got more; send several records"
            )
        _decode(text)


def are_rows_as_they_are(text: memoryview, whole: bytes, start: int) -> bool:
    """Whether a text of this project's SDK, which begins at `start` of `whole`, is an array of objects in one line.

    The text is not kept. False where that is not known, there are very many rows, or its numbers must be looked at.

    A large text is checked in pieces, because their rows are counted on the way: to count its braces before takes two
    thirds of the time of the check itself.

    Raises:
        msgspec.DecodeError: it is no such array.
        RecursionError: it nests too deep.
    """
    end = start + len(text)
    if any(whole.find(code, start, end) >= 0 for code in (DECIMAL_EXPONENT, *LINE_BREAKS)):
        return False
    if len(text) > LEAST_BYTES_OF_MANY_ROWS:
        with contextlib.suppress(msgspec.DecodeError, RecursionError):  # the end of a piece may be in a row
            if json_rows.rows_in_pieces(whole, start, end, piece_bytes=_COUNTED_BYTES, most=MANY_ROWS) is not None:
                return True
        if may_have_many_rows(whole, start, end):
            return False
    json_rows.rows_decoder.decode(text)
    return True


def are_rows_in_lines(texts: Sequence[bytes], *, are_own: bool) -> bool:
    """Whether each of some small texts is an array of objects in one line of UTF-8; False where that is not known.

    They are checked together, as lines, which takes half of the time. A line break is not legal in a JSON string, so
    each one is between two tokens: the brackets that end a text and begin the next one, which do not follow each other
    inside of a value. So every text is whole values, and each is one if there are as many values as texts.

    Args:
        texts: the texts.
        are_own: whether this project's SDK wrote all of them.
    """
    if [text for text in texts if text[:2] != b"[{" or text[-2:] != b"}]"]:
        return False
    together = b"".join(texts)
    if any(code in together for code in LINE_BREAKS):
        return False
    # `count` takes seven times as long where there are few.
    if len(together) - len(together.replace(b"{", b"", _MOST_OBJECTS + 1)) > _MOST_OBJECTS:
        return False
    lines = b"\n".join(texts)
    if (not are_own or DECIMAL_EXPONENT in together) and _may_be_out_of_range(lines):
        return False
    try:
        if not together.isascii():
            lines.decode()
        return len(json_rows.rows_decoder.decode_lines(lines)) == len(texts)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False


def check_numbers(text: bytes) -> None:
    """Check that the numbers in the JSON `text` are in the range of a double.

    Raises:
        BadRecordError: one is not.
    """
    if len(text) <= _TRANSLATED_BYTES:
        if not _may_be_out_of_range(text):
            return
    elif not any(_may_be_out_of_range(part) for part in _overlapping(text)):
        return
    for outside in _outside_of_strings(text):
        for number in _OUT_OF_RANGE.finditer(outside):
            if math.isinf(float(number[0])):
                raise _out_of_range(number[0])


def _overlapping(text: bytes) -> Iterator[bytes]:
    """The parts of a long text: copies of all of it would take as much memory again."""
    for start in range(0, len(text) - _OVERLAP_BYTES, _TRANSLATED_BYTES):
        yield text[start : start + _TRANSLATED_BYTES + _OVERLAP_BYTES]


def _may_be_out_of_range(text: bytes) -> bool:
    zeros = text.translate(_ZEROS, _SIGNS)
    return _LONG_EXPONENT in zeros or (len(zeros) >= _LEAST_DIGITS and _LONG_NUMBER in zeros)


def _out_of_range(number: bytes) -> BadRecordError:
    return BadRecordError(
        "number out of range: expected numbers of at most 1.8e308 in rows, got "
        f"{number[:20].decode()!r} ({len(number)} characters); send it as text or null"
    )


def _outside_of_strings(text: bytes) -> Iterator[bytes]:
    """The parts of valid JSON that are not in strings."""
    start, is_inside = 0, 0
    while start < len(text):
        found = _END_OF_PIECE.search(text, min(start + json_rows.PIECE_BYTES, len(text)))
        stop = len(text) if found is None else found.start()
        parts = text[start:stop].replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b'"'.join(parts[is_inside::2])
        is_inside = (is_inside + len(parts) - 1) % 2
        start = stop
