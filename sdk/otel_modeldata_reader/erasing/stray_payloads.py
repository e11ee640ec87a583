"""Objects with rows that no line and no Parquet file names: a receiver or a command that was killed has left them.

A receiver writes such an object before its line. So one that nothing names may get its line in a moment. It goes if
nobody else loses a row: all of its rows are chosen, or a line of its event is there, which is what readers read.
A parked one would be in its folder when it is delivered, so it is looked at likewise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata_receiver.storage.store import BLOB_SUFFIX

from ..blobs.byte_ranges import ByteRange
from .leftovers import compacted_lines, folder_of
from .places import collections_in_scope, is_in_scope, parked_payloads_in, payloads_and_seals_in
from .rewriting.erased_counts import joined_hours
from .rewriting.line_blocks import line_blocks
from .rewriting.line_eraser import object_start
from .tombstone import ErasedHour

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .choosing.quarantine_condition import QuarantineCondition
    from .choosing.request import EraseRequest

__all__ = ["StrayPayloads", "names_in", "stray_payloads"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.~-]{1,64}-[0-9a-f]{16}\.json", re.ASCII)
"""As the receiver names them: no longer id is a part of a name."""
_END_OF_NAME: Final = re.compile(rb"-[0-9a-f]{16}\.json")
_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayPayloads:
    """What was found.

    Attributes:
        names: objects that go.
        hours: their bytes, by their folders.
        undecided: how many others may have chosen rows, and stay.
    """

    names: tuple[str, ...] = ()
    hours: tuple[ErasedHour, ...] = ()
    undecided: int = 0


def stray_payloads(
    store: StoreAccess, objects: Sequence[StoredObject], request: EraseRequest, condition: QuarantineCondition | None
) -> StrayPayloads:
    """The objects with rows in the collections of a request that nothing names.

    Raises:
        ReaderError: a manifest is damaged, or the store cannot be read.
    """
    roots = {request.scope} if request.only else set(collections_in_scope(objects, request.scope))
    parked = list(parked_payloads_in(objects))
    roots |= {root for _, root, _ in parked if is_in_scope(root, request.scope, only=request.only)}
    sizes = {one.name: one.size for one in objects}
    by_folder: dict[str, dict[str, list[tuple[str, str, str]]]] = {}
    for name, root, date in [*payloads_and_seals_in(objects), *parked]:
        file = name.rpartition("/")[2]
        if root in roots and "/files/" in name and _NAME.fullmatch(file):
            by_folder.setdefault(folder_of(name), {}).setdefault(file, []).append((name, root, date))
    asked = {object_start(one) for one in request.ids}
    names: list[str] = []
    hours: list[ErasedHour] = []
    undecided = 0
    for folder, found in by_folder.items():
        for content in _lines(store, objects, folder):
            for file in names_in(content, found):
                del found[file]
        there = _events_there(store, objects, folder, set(map(_event_of, found))) if found else set()
        for file, copies in found.items():
            name, root, _ = copies[0]
            event = _event_of(file)
            if event not in there and event not in asked:
                if request.where is None:
                    continue
                is_chosen = None
                if condition is not None and root == request.scope and sizes[name] <= _MOST_BYTES:
                    is_chosen = condition.is_all_chosen(store.read(name, sizes[name]))
                if not is_chosen:
                    undecided += is_chosen is None
                    continue
            names += [name for name, _, _ in copies]
            hours += [ErasedHour(root=root, date=date, size=sizes[name]) for name, root, date in copies]
    return StrayPayloads(names=tuple(names), hours=joined_hours(hours), undecided=undecided)


def names_in(content: bytes, names: Collection[str]) -> set[str]:
    """Those of some names of objects that are anywhere in lines.

    Lines may have megabytes of any characters. So the fixed end of a name is looked for, and what is before it is
    compared: a pattern of whole names would read a long text again from each of its characters.
    """
    wanted = {name.encode(): name for name in names}
    lengths = {len(name) for name in wanted}
    parts = (
        content[max(0, match.end() - size) : match.end()]
        for match in _END_OF_NAME.finditer(content)
        for size in lengths
    )
    return {wanted[part] for part in parts if part in wanted}


def _event_of(file: str) -> str:
    return file.rpartition("-")[0]


def _events_there(store: StoreAccess, objects: Sequence[StoredObject], folder: str, events: set[str]) -> set[str]:
    """Those of some events of which a line is in a folder."""
    there: set[str] = set()
    for content in _lines(store, objects, folder):
        there.update(one for one in events - there if b'"%b"' % one.encode() in content)
    return there


def _lines(store: StoreAccess, objects: Sequence[StoredObject], folder: str) -> Iterator[bytes]:
    """The lines of a folder and of those that are parked for it, and those that only Parquet files have."""
    for one in objects:
        if one.name.endswith(BLOB_SUFFIX) and folder_of(one.name) == folder:
            for block in line_blocks(store, ByteRange(one.name, 0, one.size)):
                yield block.content
                yield block.tail
    yield from compacted_lines(store, objects, folder)
