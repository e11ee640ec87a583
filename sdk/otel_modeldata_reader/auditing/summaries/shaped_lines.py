"""Reads the values of many lines that have a known shape, all at once, from their places.

A line is taken only if a decoder would find the same in it. Its head and its tail are those of the shape, byte by byte,
apart from the values that differ. These have no quotation mark, no backslash and no control character, so each is one
JSON string of one key. What is between the head and the tail is one JSON list: a decoder reads and checks it. All other
lines are left to the caller, which decodes them. So no result depends on whether a line is read here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from .. import stored_line
from .id_hashes import hashes_of_rows
from .line_shape import learned_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from ..stored_line import StoredLine
    from .line_shape import Affix, LineShape, Value

__all__ = ["ShapedLines", "Shapes"]

_MOST_SHAPES: Final = 12
"""Shapes that are known at a time: of the lines of some processes, with some lengths of rows and numbers."""
_LEAST_LINES: Final = 64
"""Fewer lines are decoded in less time."""
_MOST_LINE_BYTES: Final = 16 << 10
"""Of the lines of a block, on average: the rows of longer ones take more time than the rest."""
_IDLE_BLOCKS: Final = 15
"""Blocks in which no shape is looked for, after one without any."""
_TRIES: Final = 6
"""Shapes that are learned from a block."""
_QUOTE, _BACKSLASH, _SPACE, _FEED, _OPEN, _CLOSE, _ZERO, _Z = b'"\\ \n[]0Z'

_decode_rows: Final = msgspec.json.Decoder(msgspec.Raw).decode_lines


class ShapedLines(NamedTuple):
    """Lines of one shape.

    Attributes:
        line: one that is counted as all of them are.
        places: which lines of the block they are, ascending.
        hashes: of their ids.
        numbers: of their events.
    """

    line: StoredLine
    places: NDArray[np.int64]
    hashes: NDArray[np.int64]
    numbers: NDArray[np.int64]


class Shapes:
    """The shapes of the lines that were read last."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, ...], LineShape] = OrderedDict()
        self._idle = 0

    def found(
        self, content: memoryview, ends: NDArray[np.int64], time_prefix: str, is_counted: Callable[[StoredLine], bool]
    ) -> list[ShapedLines]:
        """The lines of a block that have a shape; the others are left to the caller.

        Args:
            content: lines in UTF-8.
            ends: where each of them ends.
            time_prefix: how their times begin, in this folder.
            is_counted: whether lines with this source and type belong there.
        """
        if self._idle or len(ends) < _LEAST_LINES or len(content) > _MOST_LINE_BYTES * len(ends):
            self._idle = max(0, self._idle - 1)
            return []
        block = _Block(content, ends, time_prefix.encode())
        found = []
        for key, shape in reversed(list(self._known.items())):
            if is_counted(shape.line) and (lines := block.take(shape)) is not None:
                self._known.move_to_end(key)
                found.append(lines)
            if not len(block.rest):
                break
        for _ in range(_TRIES):
            if not len(block.rest) or (learned := self._learned(block)) is None or not is_counted(learned.line):
                break
            if (lines := block.take(learned)) is not None:
                found.append(lines)
        if not found:
            self._idle = _IDLE_BLOCKS
        return found

    def _learned(self, block: _Block) -> LineShape | None:
        """A new shape, of one of the lines that are left."""
        for raw in block.samples():
            try:
                shape = learned_shape(raw, stored_line.decode(raw))
            except (ValueError, RecursionError):
                continue
            if shape is not None and shape.key not in self._known:
                self._known[shape.key] = shape
                if len(self._known) > _MOST_SHAPES:
                    self._known.popitem(last=False)
                return shape
        return None


class _Block:
    def __init__(self, content: memoryview, ends: NDArray[np.int64], time_prefix: bytes) -> None:
        self._content = content
        self._bytes = np.frombuffer(content, np.uint8)
        self._ends = ends
        self._starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
        self._time = np.frombuffer(time_prefix, np.uint8)
        self._is_left = np.ones(len(ends), np.bool_)
        self.rest: NDArray[np.int64] = np.arange(len(ends))

    def samples(self) -> Iterator[bytes]:
        """Some lines of the rest."""
        for place in self.rest[[0, len(self.rest) // 2]].tolist():
            yield bytes(self._content[int(self._starts[place]) : int(self._ends[place])])

    def take(self, shape: LineShape) -> ShapedLines | None:
        """Take the lines of a shape from the rest; None if there are none."""
        head, tail = shape.head, shape.tail
        places = self.rest
        starts, ends = self._starts[places], self._ends[places]
        kept = ends - starts >= head.size + tail.size + 2
        if not kept.all():
            places, starts, ends = places[kept], starts[kept], ends[kept]
        kept = self._words(ends - tail.size, 1)[:, 0] == tail.words.view(np.uint8)[tail.own][:8].view(np.uint64)[0]
        if not kept.all():
            places, starts, ends = places[kept], starts[kept], ends[kept]
        if not len(places):
            return None
        heads = self._words(starts, len(head.words))
        tails = self._words(ends - 8 * len(tail.words), len(tail.words))
        values = _Values(heads.view(np.uint8), tails.view(np.uint8))
        firsts, lasts = starts + head.size, ends - tail.size
        kept = _has(heads, head) & _has(tails, tail)
        kept &= (self._bytes[firsts] == _OPEN) & (self._bytes[lasts - 1] == _CLOSE)
        kept &= self._is_in_time(values.of(shape.time))
        numbers, is_number = values.number(shape.number)
        kept &= is_number & values.states(shape, lasts - firsts)
        if not kept.all():
            if not kept.any():
                return None
            places, firsts, lasts, numbers = places[kept], firsts[kept], lasts[kept], numbers[kept]
            values = _Values(values.heads[kept], values.tails[kept])
        if not self._are_lists(firsts, lasts):
            return None
        self._is_left[places] = False
        self.rest = np.flatnonzero(self._is_left)
        return ShapedLines(shape.line, places, hashes_of_rows(values.of(shape.id)), numbers)

    def _words(self, starts: NDArray[np.int64], count: int) -> NDArray[np.uint64]:
        """So many words from each start."""
        size = 8 * count
        windows = np.ndarray((len(self._bytes) - size + 1,), f"V{size}", self._content, strides=(1,))
        return windows[starts].view(np.uint64).reshape(len(starts), count)

    def _is_in_time(self, times: NDArray[np.uint8]) -> NDArray[np.bool_]:
        if times.shape[1] <= len(self._time):
            return np.zeros(len(times), np.bool_)
        found: NDArray[np.bool_] = (times[:, : len(self._time)] == self._time).all(axis=1) & (times[:, -1] == _Z)
        return found

    def _are_lists(self, firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> bool:
        """Whether each of these parts is one JSON value; it begins and ends with brackets."""
        try:
            return len(_decode_rows(self._joined(firsts, lasts))) == len(firsts)  # none spans two lines, then
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def _joined(self, firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> bytes | memoryview:
        """Parts of the block as lines, with spaces before them."""
        sizes = lasts - firsts
        longest, shortest = int(sizes.max()), int(sizes.min())
        begin = lasts - longest
        if longest - shortest > min(longest // 4, 512) or begin[0] < 0:
            parts = zip(firsts.tolist(), lasts.tolist(), strict=True)
            return b"\n".join([self._content[first:last] for first, last in parts])
        windows = np.ndarray((len(self._bytes) - longest,), f"V{longest + 1}", self._content, strides=(1,))
        table = windows[begin].view(np.uint8).reshape(len(begin), longest + 1)
        table[:, -1] = _FEED
        if longest > shortest:
            spread = longest - shortest
            is_before = np.arange(spread) < (longest - sizes)[:, None]
            table[:, :spread][is_before] = _SPACE
        return table.reshape(-1).data


class _Values:
    """The heads and tails of lines of one shape, as bytes."""

    def __init__(self, heads: NDArray[np.uint8], tails: NDArray[np.uint8]) -> None:
        self.heads = heads
        self.tails = tails

    def of(self, value: Value) -> NDArray[np.uint8]:
        """One value of each line."""
        return (self.heads if value.in_head else self.tails)[:, value.start : value.start + value.length]

    def number(self, value: Value) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The number in a value of each line, and whether it is one."""
        digits = self.of(value) - np.uint8(_ZERO)
        is_number = (digits <= 9).all(axis=1)
        found = digits @ (10 ** np.arange(value.length - 1, -1, -1, dtype=np.int64))
        return found, is_number

    def states(self, shape: LineShape, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the `contentrange` of each line is the text for its size."""
        last, is_last = self.number(shape.last)
        total, is_total = self.number(shape.total)
        least = max(10 ** (shape.total.length - 1), 10 ** (shape.last.length - 1) + 1)  # no zeros before a number
        found: NDArray[np.bool_] = is_last & is_total & (total == sizes) & (last == sizes - 1) & (sizes >= least)
        return found


def _has(words: NDArray[np.uint64], affix: Affix) -> NDArray[np.bool_]:
    """Whether each row is such a head or tail, and its values are JSON strings as they are."""
    different = words ^ affix.words
    different &= affix.mask
    found = ~different.any(axis=1) if different.any() else np.ones(len(words), np.bool_)
    own = words.view(np.uint8)[:, affix.own]
    quotes, backslashes = own == _QUOTE, own == _BACKSLASH
    if own.min() < _SPACE or np.count_nonzero(quotes) != affix.quotes * len(own) or backslashes.any():
        found &= (own >= _SPACE).all(axis=1) & (quotes.sum(axis=1) == affix.quotes) & ~backslashes.any(axis=1)
    return found
