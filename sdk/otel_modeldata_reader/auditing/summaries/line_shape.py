"""The shape of a line: the bytes that lines of one writer have in common, and the places of the values that differ.

The receiver writes the keys of all lines in one order, and most values are as long in each line: ids, times, numbers.
So a line is a head of fixed length, the rows, and a tail of fixed length. What such a line says can be read from the
places of its values, without a decoder. A shape is learned from a line that was decoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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
_WORD: Final = 8
_MOST_BYTES: Final = 4096
"""Of a head or a tail: each line is compared with all of it."""
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value is.

    Attributes:
        in_head: whether it is in the head; else it is in the tail.
        start: its first byte in `Affix.words`, seen as bytes.
        length: its bytes.
    """

    in_head: bool
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Affix:
    """The head or the tail of lines, in words of 8 bytes; bytes of the rows fill them up.

    Attributes:
        size: bytes of it.
        words: of the line that the shape was learned from.
        mask: one bits where all lines have the same.
        own: where its own bytes are in the words.
        quotes: how many quotation marks it has.
    """

    size: int
    words: NDArray[np.uint64]
    mask: NDArray[np.uint64]
    own: slice
    quotes: int


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
        return tuple(part.tobytes() for one in affixes for part in (one.mask, one.words & one.mask))


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
    fill = -len(tail) % _WORD
    pairs = [(key, Value(True, *place)) for key, place in _values(head, 0)]
    pairs += [(key, Value(False, *place)) for key, place in _values(tail, fill)]
    values = dict(pairs)
    if len(values) < len(pairs) or not _is_usual(line, len(data), values):
        return None
    last, total = _digits(values.pop(b"contentrange"), len(data))
    free = [*(one for key, one in values.items() if key not in _FIXED), last, total]
    return LineShape(
        line=line,
        head=_affix(raw[: start + -len(head) % _WORD], slice(0, len(head)), [one for one in free if one.in_head]),
        tail=_affix(raw[end - fill :], slice(fill, fill + len(tail)), [one for one in free if not one.in_head]),
        id=values[b"id"],
        time=values[b"time"],
        last=last,
        total=total,
        number=values[b"producersequence"],
    )


def _values(affix: bytes, offset: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The keys of a head or tail, each with the place of its value."""
    for match in _VALUE.finditer(affix):
        yield match[1], (match.start(2) + offset, len(match[2]))


def _is_usual(line: StoredLine, size: int, values: Mapping[bytes, Value]) -> bool:
    """Whether a line has its rows in itself, a right `contentrange`, and a number of its producer."""
    sequence = line.producersequence
    return (
        _NEEDED <= values.keys()
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


def _affix(content: bytes, own: slice, free: Iterable[Value]) -> Affix:
    mask = np.zeros(len(content), np.uint8)
    mask[own] = 0xFF
    for one in free:
        mask[one.start : one.start + one.length] = 0
    words = np.frombuffer(content, np.uint64)
    return Affix(own.stop - own.start, words, mask.view(np.uint64), own, content[own].count(b'"'))
