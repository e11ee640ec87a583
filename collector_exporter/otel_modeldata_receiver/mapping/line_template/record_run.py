"""The lines of several records of one shape, made column by column.

What one record takes alone is mostly Python's own time for each step. So the steps are taken for all records at once:
each slot becomes a column, each part of the line is a column made of those, and the last step puts the columns
together. Nothing is decided here either: where any value is not ordinary, there is no run.
"""

from __future__ import annotations

from binascii import hexlify
from itertools import chain, repeat
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...layout.partition import NS_PER_SECOND
from ...line import Line
from .. import cloudevent
from ..bounds.rows_check import are_rows_in_lines
from .record_shape import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..protowire import EmbeddedMessages
    from .template import LineTemplate

__all__ = ["RecordRun", "Slots", "made", "slots_of"]

_LAST_BYTES: Final = bytes(range(0x80))
"""The last byte of a number is one of these; all others have the highest bit."""
_OTHER_BYTES: Final = bytes(range(0x80, 0x100))


class RecordRun(NamedTuple):
    """Lines of one folder that follow each other there.

    Attributes:
        folder: the folder.
        lines: the lines.
        size: their bytes.
    """

    folder: str
    lines: Sequence[Line]
    size: int


class Slots(NamedTuple):
    """What is in the slots of records of one shape, collection and second.

    Attributes:
        texts: the texts of their bodies.
        columns: what is in each slot.
        times: their times, ns since the epoch.
        name: the name of their collection.
    """

    texts: Sequence[bytes]
    columns: tuple[Sequence[bytes], ...]
    times: Sequence[int]
    name: bytes

    def first(self, count: int) -> Slots:
        """Those of the first records."""
        if count == len(self.times):
            return self
        columns = tuple(column[:count] for column in self.columns)
        return Slots(self.texts[:count], columns, self.times[:count], self.name)


def slots_of(template: LineTemplate, records: EmbeddedMessages) -> Slots | None:
    """The slots of the first of some small records, as far as they have the shape, collection and second of the first.

    None where the first record has another shape, or one of them has no time: its line has that of its observation or
    arrival.
    """
    texts, slots = template.shape.fit_all(records)
    if not slots:
        return None
    columns: tuple[Sequence[bytes], ...] = (*zip(*slots, strict=True),)
    times = Struct(f"<{len(slots)}Q").unpack(b"".join(columns[template.time]))
    if not all(times):
        return None
    names = [template.collection] if isinstance(template.collection, bytes) else columns[template.collection]
    second, name = times[0] // NS_PER_SECOND, names[0]
    if max(times) // NS_PER_SECOND != second or min(times) // NS_PER_SECOND != second or len({*names}) > 1:
        both = zip(times, names if len(names) > 1 else repeat(name), strict=False)
        count = next(index for index, (ns, of) in enumerate(both) if ns // NS_PER_SECOND != second or of != name)
        columns, times = tuple(column[:count] for column in columns), times[:count]
    return Slots(texts[: len(times)], columns, times, name)


def made(
    template: LineTemplate, slots: Slots, *, time: bytes, folder: str, of_resource: Iterable[bytes]
) -> RecordRun | None:
    """The lines of records; None where a value of any of them is not ordinary.

    Args:
        template: the template of their shape.
        slots: what is in their slots; its time and collection are checked already.
        time: the text of their second.
        folder: the folder of that second.
        of_resource: what lines have of the resource, see `template.DERIVED`.
    """
    texts, columns, times, _ = slots
    ids = template.ids(columns)
    if (
        b"".join(chain.from_iterable(template.texts(columns))).translate(None, PLAIN)
        or not all(map(template.zero_ids.isdisjoint, ids))
        or not are_rows_in_lines(texts, are_own=template.is_own)
    ):
        return None
    numbers = [_numbers(columns[index]) for index in template.numbers]
    if not all(numbers):
        return None
    sizes = [*map(len, texts)]
    ranges = {size: cloudevent.content_range(size).encode() for size in {*sizes}}
    derived: list[Iterable[Any]] = [
        repeat(time),
        [b"%d" % one for one in times],
        texts,
        [ranges[size] for size in sizes],
        *map(repeat, of_resource),
        *map(_hexadecimal, ids),
        *([b"%d" % number for number in column] for column in numbers),
    ]
    lines = [*map(template.line.__mod__, zip(*template.pick((*columns, *derived)), strict=False))]
    sizes = [*map(len, lines)]
    if max(sizes) > cloudevent.MAX_LINE_BYTES:
        return None
    return RecordRun(folder, [*map(Line, map(bytes.decode, columns[template.event_id]), lines)], sum(sizes))


def _hexadecimal(ids: Sequence[bytes]) -> Sequence[bytes]:
    """The digits of ids of one size."""
    digits, size = hexlify(b"".join(ids)), 2 * len(ids[0])
    return [digits[start : start + size] for start in range(0, len(digits), size)]


def _numbers(encoded: Sequence[bytes]) -> Sequence[int]:
    """The base-128 numbers in slots of one size; none where one does not end where its slot ends."""
    size = len(encoded[0])
    *others, last = (b"".join(encoded)[place::size] for place in range(size))
    if last.translate(None, _LAST_BYTES) or b"".join(others).translate(None, _OTHER_BYTES):
        return ()
    numbers: Sequence[int] = last
    for part in reversed(others):
        numbers = [number << 7 | byte & 0x7F for number, byte in zip(numbers, part, strict=True)]
    return numbers
