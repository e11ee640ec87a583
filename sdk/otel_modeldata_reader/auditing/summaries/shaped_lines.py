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
_MOST_SPACES: Final = 512
"""Before the rows of a line: they are read by the decoder too."""
_WORD: Final = 8
_BRACKETS: Final = 2
_NINE: Final = 9
_QUOTE, _BACKSLASH, _SPACE, _FEED, _OPEN, _CLOSE, _ZERO = b'"\\ \n[]0'

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
        block, prefix = _Block(content, ends), time_prefix.encode()
        found = []
        for key, shape in reversed(list(self._known.items())):
            if is_counted(shape.line) and (lines := _taken(block, shape, prefix)) is not None:
                self._known.move_to_end(key)
                found.append(lines)
            if not len(block.rest):
                break
        for _ in range(_TRIES):
            if not len(block.rest) or (learned := self._learned(block)) is None or not is_counted(learned.line):
                break
            if (lines := _taken(block, learned, prefix)) is not None:
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


def _taken(block: _Block, shape: LineShape, time_prefix: bytes) -> ShapedLines | None:
    here = shape.within(time_prefix)
    return None if here is None else block.take(here)


class _Block:
    def __init__(self, content: memoryview, ends: NDArray[np.int64]) -> None:
        self._content = content
        self._bytes = np.frombuffer(content, np.uint8)
        self._ends = ends
        self._starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
        self._is_left = np.ones(len(ends), np.bool_)
        self.rest: NDArray[np.int64] = np.arange(len(ends))

    def samples(self) -> Iterator[bytes]:
        """Some lines of the rest."""
        for place in self.rest[[0, len(self.rest) // 2]].tolist():
            yield bytes(self._content[int(self._starts[place]) : int(self._ends[place])])

    def take(self, shape: LineShape) -> ShapedLines | None:
        """Take the lines of a shape from the rest; None if there are none."""
        head, tail = shape.head, shape.tail
        places = self._of_length(shape)
        if not len(places):
            return None
        firsts, lasts = self._starts[places] + head.size, self._ends[places] - tail.size
        values = _Values(self._parts(firsts - head.size, head.size), self._parts(lasts, tail.size))
        kept = _has(values.heads, head) & _has(values.tails, tail)
        kept &= (self._bytes[firsts] == _OPEN) & (self._bytes[lasts - 1] == _CLOSE)
        numbers, is_number = values.number(shape.number)
        kept &= is_number & values.states(shape, lasts - firsts)
        if not kept.all():
            places, firsts, lasts, numbers = places[kept], firsts[kept], lasts[kept], numbers[kept]
            values = _Values(values.heads[kept], values.tails[kept])
        if not (len(places) and self._are_lists(firsts, lasts)):
            return None
        self._is_left[places] = False
        self.rest = np.flatnonzero(self._is_left)
        return ShapedLines(shape.line, places, hashes_of_rows(values.of(shape.id)), numbers)

    def _of_length(self, shape: LineShape) -> NDArray[np.int64]:
        """Those of the rest that are long enough, and have the first bytes of the tail at its place."""
        places = self.rest
        long = self._ends[places] - self._starts[places] >= shape.head.size + shape.tail.size + _BRACKETS
        if not long.all():
            places = places[long]
        if not len(places):  # the block may be shorter than what is read of a line
            return places
        begins = self._parts(self._ends[places] - shape.tail.size, _WORD).view(np.uint64)[:, 0]
        alike = begins == shape.tail.content[:_WORD].view(np.uint64)[0]
        return places if alike.all() else places[alike]

    def _parts(self, starts: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """So many bytes from each start."""
        windows = np.ndarray((len(self._bytes) - size + 1,), f"V{size}", self._content, strides=(1,))
        return windows[starts].view(np.uint8).reshape(len(starts), size)

    def _are_lists(self, firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> bool:
        """Whether each of these parts is one JSON value; it begins and ends with brackets.

        No value spans two of them: in JSON no bracket opens right after another one closed.
        """
        try:
            return len(_decode_rows(self._joined(firsts, lasts))) == len(firsts)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def _joined(self, firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> bytes | memoryview:
        """Parts of the block as lines, with spaces before them."""
        sizes = lasts - firsts
        longest, shortest = int(sizes.max()), int(sizes.min())
        begins = lasts - longest
        if longest - shortest > min(longest // 4, _MOST_SPACES) or begins[0] < 0:
            parts = zip(firsts.tolist(), lasts.tolist(), strict=True)
            return b"\n".join([self._content[first:last] for first, last in parts])
        table = self._parts(begins, longest + 1)
        table[:, -1] = _FEED
        if longest > shortest:
            spread = longest - shortest
            is_before = np.arange(spread) < (longest - sizes)[:, None]
            table[:, :spread][is_before] = _SPACE
        return table.reshape(-1).data


class _Values(NamedTuple):
    """The heads and tails of lines of one shape."""

    heads: NDArray[np.uint8]
    tails: NDArray[np.uint8]

    def of(self, value: Value) -> NDArray[np.uint8]:
        """One value of each line."""
        return (self.heads if value.in_head else self.tails)[:, value.start : value.start + value.length]

    def number(self, value: Value) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The number in a value of each line, and whether it is one."""
        digits = self.of(value) - np.uint8(_ZERO)
        is_digit = digits <= _NINE
        numbers: NDArray[np.int64] = digits @ (10 ** np.arange(value.length - 1, -1, -1, dtype=np.int64))
        return numbers, _all_of_each(is_digit)

    def states(self, shape: LineShape, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the `contentrange` of each line is the text for its size."""
        last, is_last = self.number(shape.last)
        total, is_total = self.number(shape.total)
        least = max(10 ** (shape.total.length - 1), 10 ** (shape.last.length - 1) + 1)  # no zeros before a number
        found: NDArray[np.bool_] = is_last & is_total & (total == sizes) & (last == sizes - 1) & (sizes >= least)
        return found


def _has(parts: NDArray[np.uint8], affix: Affix) -> NDArray[np.bool_]:
    """Whether each part is such a head or tail, and its values are JSON strings as they are."""
    different = parts ^ affix.content
    different &= affix.mask
    quotes, backslashes = np.equal(parts, _QUOTE), np.equal(parts, _BACKSLASH)
    is_plain = parts.min() >= _SPACE and not backslashes.any()
    if is_plain and np.count_nonzero(quotes) == affix.quotes * len(parts) and not different.any():
        return np.ones(len(parts), np.bool_)  # as in most blocks
    is_right = np.equal(different, 0) & np.greater_equal(parts, _SPACE) & ~backslashes
    has_quotes = np.equal(np.count_nonzero(quotes, axis=1), affix.quotes)
    found: NDArray[np.bool_] = np.logical_and(_all_of_each(is_right), has_quotes)
    return found


def _all_of_each(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether all values of each row are true."""
    if found.all():
        return np.ones(len(found), np.bool_)
    each: NDArray[np.bool_] = np.logical_and.reduce(found, axis=1)
    return each
