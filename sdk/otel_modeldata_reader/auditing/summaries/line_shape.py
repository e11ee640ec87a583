"""The shape of a line: the bytes that lines of one writer have in common, and the places of the values that differ.

The receiver writes the keys of all lines in one order, and most values are as long in each line: ids, times, numbers.
So a line is a head of fixed length, the rows, and a tail of fixed length. What such a line says can be read from the
places of its values, without a decoder. A shape is learned from a line that was decoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec import UnsetType

from otel_modeldata_receiver.mapping.cloudevent import content_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from ..stored_line import StoredLine

__all__ = ["Affix", "LineShape", "Value", "learned_shape"]

_DATA: Final = b',"data":'
_PAIR: Final = rb'"[a-z0-9]+":"[^"\\\x00-\x1f]*"'
_HEAD: Final = re.compile(rb"\{" + _PAIR + rb"(?:," + _PAIR + rb")*")
_TAIL: Final = re.compile(rb"(?:," + _PAIR + rb")+\}")
_VALUE: Final = re.compile(rb'"([a-z0-9]+)":"([^"]*)"')
_FIXED: Final = frozenset({b"source", b"type", b"producer"})
"""Keys whose value is a part of the shape: they say under which account a line is counted."""
_NEEDED: Final = frozenset({b"id", b"source", b"type", b"time", b"contentrange", b"producer", b"producersequence"})
_ELSEWHERE: Final = frozenset({b"data", b"dataref", b"datainblob"})
"""Keys of lines whose payload is in an object."""
_SAME: Final = 0xFF
_MOST_BYTES: Final = 4096
"""Of a head or a tail: each line is compared with all of it."""
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value is.

    Attributes:
        in_head: whether it is in the head; else it is in the tail.
        start: its first byte there.
        length: its bytes.
    """

    in_head: bool
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Affix:
    """The head or the tail of lines.

    Attributes:
        content: of the line that the shape was learned from.
        mask: all bits where each line has the same byte, none where lines differ.
        quotes: how many quotation marks it has.
    """

    content: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    quotes: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.content)

    def fixed(self, start: int, text: bytes) -> Affix:
        """The same with a text that each line must have."""
        content, mask = self.content.copy(), self.mask.copy()
        content[start : start + len(text)] = np.frombuffer(text, np.uint8)
        mask[start : start + len(text)] = _SAME
        return Affix(content, mask, self.quotes)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineShape:
    """What lines have in common.

    Attributes:
        line: that it was learned from.
        head: the bytes before the rows.
        tail: the bytes behind them.
        id: the event's id.
        time: its time.
        last: the digits of the last byte in the `contentrange`.
        total: the digits of the number of bytes there.
        number: the digits of the `producersequence`.
    """

    line: StoredLine
    head: Affix
    tail: Affix
    id: Value
    time: Value
    last: Value
    total: Value
    number: Value

    @property
    def key(self) -> tuple[bytes, ...]:
        """The same for shapes that have the same lines."""
        affixes = (self.head, self.tail)
        return tuple(part.tobytes() for one in affixes for part in (one.mask, one.content & one.mask))

    def within(self, time_prefix: bytes) -> LineShape | None:
        """The shape of such lines with a time that begins so, in UTC; None if no such line has one."""
        time = self.time
        if time.length <= len(time_prefix):
            return None
        affix = self.head if time.in_head else self.tail
        affix = affix.fixed(time.start, time_prefix).fixed(time.start + time.length - 1, b"Z")
        return replace(self, head=affix) if time.in_head else replace(self, tail=affix)


def learned_shape(raw: bytes, line: StoredLine) -> LineShape | None:
    """The shape of a line; None if it is not in the form in which the receiver writes most lines.

    Args:
        raw: the line.
        line: the same, decoded.
    """
    if isinstance(line.data, UnsetType):
        return None
    data = bytes(line.data)
    start = raw.find(_DATA) + len(_DATA)
    end = start + len(data)
    head, tail = raw[:start], raw[end:]
    if (
        max(len(head), len(tail)) > _MOST_BYTES
        or raw[start:end] != data
        or not (data.startswith(b"[") and data.endswith(b"]"))
        or not (_HEAD.fullmatch(head[: -len(_DATA)]) and _TAIL.fullmatch(tail))
    ):
        return None
    pairs = [
        (key, Value(in_head, *place))
        for affix, in_head in ((head, True), (tail, False))
        for key, place in _values(affix)
    ]
    values = dict(pairs)
    if len(values) < len(pairs) or not _is_usual(line, len(data), values):
        return None
    last, total = _digits(values.pop(b"contentrange"), len(data))
    free = [*(one for key, one in values.items() if key not in _FIXED), last, total]
    return LineShape(
        line=line,
        head=_affix(head, [one for one in free if one.in_head]),
        tail=_affix(tail, [one for one in free if not one.in_head]),
        id=values[b"id"],
        time=values[b"time"],
        last=last,
        total=total,
        number=values[b"producersequence"],
    )


def _values(affix: bytes) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The keys of a head or tail, each with the place of its value."""
    for match in _VALUE.finditer(affix):
        yield match[1], (match.start(2), len(match[2]))


def _is_usual(line: StoredLine, size: int, values: Mapping[bytes, Value]) -> bool:
    """Whether a line has its rows in itself, a right `contentrange`, and a number of its producer."""
    sequence = line.producersequence
    return (
        values.keys() >= _NEEDED
        and _ELSEWHERE.isdisjoint(values)
        and not values[b"contentrange"].in_head
        and line.contentrange == content_range(size)
        and bool(line.producer and line.id)
        and sequence.isascii()
        and sequence.isdecimal()
        and len(sequence) <= _MOST_DIGITS
    )


def _digits(given: Value, size: int) -> tuple[Value, Value]:
    """The places of the two numbers in a `contentrange`."""
    last, total = len(str(size - 1)), len(str(size))
    end = given.start + given.length
    return Value(False, end - total - 1 - last, last), Value(False, end - total, total)


def _affix(content: bytes, free: Iterable[Value]) -> Affix:
    mask = np.full(len(content), _SAME, np.uint8)
    for one in free:
        mask[one.start : one.start + one.length] = 0
    return Affix(np.frombuffer(content, np.uint8), mask, content.count(b'"'))
