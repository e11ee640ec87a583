"""A line template: what the lines of one record shape have in common, and where their slots are."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .record_shape import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .record_shape import RecordShape

__all__ = ["DERIVED", "LineTemplate", "Pick", "make"]

DERIVED: Final = ("time", "timens", "rows", "contentrange", "source", "producer")
"""Parts of a line that are derived from the time and the body of a record, and from its resource, in their order in
`LineTemplate.pick`."""

Pick: TypeAlias = "Callable[[tuple[Any, ...]], tuple[Any, ...]]"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LineTemplate:
    """What the lines of one record shape have in common.

    Attributes:
        shape: the shape of the records.
        collection: their collection, or the index of its name in the slots.
        line: the line, with `%b` in place of each part that varies.
        parts: the same in parts; those at odd positions vary, and are empty here. To join them takes half of the time
            where one of them is large, and twice as long where all are small.
        pick: picks these parts, in their order, from what is in the slots of the record, then the parts of `DERIVED`,
            the hexadecimal digits of `ids`, and the decimal digits of `numbers`.
        event_id: the index of the id of the line in the slots.
        time: the index of the time.
        ids: picks the trace and span ids in the line.
        zero_ids: the values that they must not have.
        numbers: picks all numbers, which must end where their slot ends.
        texts: picks all texts, the name of the collection included, which must be `PLAIN`.
        is_own: whether this project's SDK wrote the rows.
    """

    shape: RecordShape
    collection: bytes | int
    line: bytes
    parts: tuple[bytes, ...]
    pick: Pick
    event_id: int
    time: int
    ids: Pick
    zero_ids: frozenset[bytes]
    numbers: tuple[int, ...]
    texts: Pick
    is_own: bool


def make(
    shape: RecordShape, collection: str, parts: Sequence[bytes | str | int], event_id: int, *, is_own: bool
) -> LineTemplate:
    """The template of a shape.

    Args:
        shape: the shape.
        collection: the collection of the records, where it has no slot.
        parts: the line: constant bytes, names of `DERIVED`, and indices of slots.
        event_id: the index of the id of the line.
        is_own: whether this project's SDK wrote the rows.
    """
    slots = shape.slots
    ids = [index for index, slot in slots.items() if slot.kind is Kind.ID and index in parts]
    numbers = [index for index, slot in slots.items() if slot.kind is Kind.NUMBER]
    names = [index for index, slot in slots.items() if slot.kind is Kind.COLLECTION]
    texts = [index for index, slot in slots.items() if slot.kind is Kind.TEXT] + names
    size = len(slots)
    derived = [*DERIVED, *ids, *numbers]
    varying = [part for part in parts if not isinstance(part, bytes)]
    line = [b""]
    for part in parts:
        if isinstance(part, bytes):
            line[-1] += part
        else:
            line += [b"", b""]
    return LineTemplate(
        shape=shape,
        collection=names[0] if names else collection.encode(),
        line=b"%b".join(part.replace(b"%", b"%%") for part in line[::2]),
        parts=tuple(line),
        pick=itemgetter(*(size + derived.index(part) if part in derived else int(part) for part in varying)),
        event_id=event_id,
        time=next(index for index, slot in slots.items() if slot.field == "time_unix_nano"),
        ids=_pick(ids),
        zero_ids=frozenset(bytes(slots[index].end - slots[index].begin) for index in ids),
        numbers=tuple(numbers),
        texts=_pick(texts),
        is_own=is_own,
    )


def _pick(indices: Sequence[int]) -> Pick:
    """`itemgetter`, which returns no tuple for one index, for any number of indices."""
    if len(indices) > 1:
        return itemgetter(*indices)
    if not indices:
        return lambda _: ()
    (index,) = indices
    return lambda slots: (slots[index],)
