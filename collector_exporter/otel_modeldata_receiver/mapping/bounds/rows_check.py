"""Checks JSON rows: an array of objects, whose numbers every reader can read.

Numbers out of the range of a double are valid JSON, but Arrow and Polars refuse the whole file because of one, and
Python refuses integers of more than 4,300 digits. Rows are passed on as text, so their numbers are not parsed here
either: digits are looked for in a copy in which all of them are zeros. Only rows that may have such a number are looked
at more closely.

A decoder holds the interpreter's lock until it has read a text. So large texts are checked piece by piece: if `[a]` and
`[b]` are arrays of objects, then `[a,b]` is one.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

import msgspec

from ...exceptions import BadRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "DECIMAL_EXPONENT",
    "LINE_BREAKS",
    "MOST_ROWS",
    "OWN_AGENT",
    "are_rows_as_they_are",
    "check_numbers",
    "check_rows",
]

MOST_ROWS: Final = 1_000_000
"""Objects in a text that cannot be checked piece by piece."""
OWN_AGENT: Final = "otel-modeldata/"
"""The agent of this project's SDK begins with it."""
_PIECE_BYTES: Final = 256 * 1024
_ONE_PIECE_BYTES: Final = 2 * _PIECE_BYTES
_SEARCHED_BYTES: Final = 64 * 1024
_BETWEEN_ROWS: Final = re.compile(rb"\}[ \t\r\n]{0,64},[ \t\r\n]{0,64}(?=\{)")
_ZEROS: Final = bytes.maketrans(b"123456789E", b"000000000e")
_SIGNS: Final = b"+-"
_LONG_EXPONENT: Final = b"0e000"
_LEAST_DIGITS: Final = 300
_TRANSLATED_BYTES: Final = 1024 * 1024
_OVERLAP_BYTES: Final = 2 * _LEAST_DIGITS
"""A number that may be out of range and begins in one part of a text is recognized in it, or in the next one."""
_LONG_NUMBER: Final = b"0" * _LEAST_DIGITS
DECIMAL_EXPONENT: Final = ord("E")
"""The floats that this project's SDK writes are finite; only its decimals may be out of range, and they have it."""
LINE_BREAKS: Final = tuple(b"\n\r")
"""As numbers: a search for a number takes a seventh of the time of a search for bytes."""
_OUT_OF_RANGE: Final = re.compile(rb"(?<![\d.])-?(?:\d[\d.]*[eE]\+?0*[1-9]\d\d+|\d{300,}[\d.]*(?:[eE][+-]?\d+)?)")
_END_OF_NUMBER: Final = re.compile(rb"[^-0-9.eE+\\]")


class _Row(msgspec.Struct, gc=False):
    """Any JSON object: unknown fields are checked for syntax and skipped, in a third of the time of parsing.

    A text may have an object in every third byte; without the garbage collector, that takes half as long.
    """


_rows_decoder: Final = msgspec.json.Decoder(list[_Row])


def check_rows(text: bytes, _decode: Callable[[bytes], object] = _rows_decoder.decode) -> None:
    """Check that `text` is a JSON array of objects.

    Raises:
        msgspec.DecodeError: it is not.
        RecursionError: it nests too deep.
        BadRecordError: it has too many objects.
    """
    if len(text) <= _ONE_PIECE_BYTES:
        _decode(text)
    elif not _are_rows(text):  # one of the places that were taken for the end of a row is in a row
        if text.count(b"{") > MOST_ROWS:
            raise BadRecordError(
                f"too many rows: expected at most {MOST_ROWS} objects in the rows of one record, got more; "
                "send several records"
            )
        _decode(text)


def are_rows_as_they_are(text: memoryview, whole: bytes, start: int) -> bool:
    """Whether a text of this project's SDK, which begins at `start` of `whole`, is an array of objects in one line.

    The text is not copied. False where that is not known, or its numbers must be looked at.

    Raises:
        msgspec.DecodeError: it is no such array.
        RecursionError: it nests too deep.
    """
    end = start + len(text)
    if any(whole.find(code, start, end) >= 0 for code in (DECIMAL_EXPONENT, *LINE_BREAKS)):
        return False
    _rows_decoder.decode(text)
    return True


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


def _are_rows(text: bytes) -> bool:
    """Whether the pieces of `text` are arrays of objects; False where that is not known."""
    start, end = text.find(b"[") + 1, len(text)
    if not start or text[: start - 1].strip():
        return False
    try:
        while end - start > _ONE_PIECE_BYTES:
            search_from = start + _PIECE_BYTES
            cut = _BETWEEN_ROWS.search(text, search_from, search_from + _SEARCHED_BYTES)
            if cut is None:
                return False
            _rows_decoder.decode(b"[%b]" % text[start : cut.start() + 1])
            start = cut.end()
        _rows_decoder.decode(b"[%b" % text[start:])
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _outside_of_strings(text: bytes) -> Iterator[bytes]:
    """The parts of valid JSON that are not in strings."""
    start, is_inside = 0, 0
    while start < len(text):
        found = _END_OF_NUMBER.search(text, min(start + _PIECE_BYTES, len(text)))
        stop = len(text) if found is None else found.start()
        if stop - start > _PIECE_BYTES + _SEARCHED_BYTES:
            raise _out_of_range(text[start + _PIECE_BYTES : stop])
        parts = text[start:stop].replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b'"'.join(parts[is_inside::2])
        is_inside = (is_inside + len(parts) - 1) % 2
        start = stop
