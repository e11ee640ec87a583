"""Blobs that were replaced on purpose: rows were erased, or an hour was made compact. Lines in them have not vanished.

Commands change what a store has beside living receivers. Before one removes a blob, it writes a note that says which
blobs have the remaining lines. A receiver that misses a blob looks for the note: if there is one, no line is lost. It
learns the ids in the blobs that took its place, and goes on in its next blob.

A note is `_replaced/{digest of the name}/{size}.json`. It holds for the blob up to that size, and only while the blob
is gone or empty. So it says nothing about another blob of that name.

A copy without erased rows is beside its blob: `{stem}{ordinal}-e{number}.jsonl`. No receiver appends to it. Where lines
are parked, the copy has another ordinal, because it is delivered as its blob would have been.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .folder_names import MOUNTED, PARKED, REPLACED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..store import Store, StoredObject

__all__ = [
    "Replacement",
    "blob_name_of",
    "copy_name",
    "is_replacement_note",
    "note_folder",
    "noted_blob",
    "replacement_of",
]

_MOUNT: Final = re.compile(rf"{MOUNTED}/[^/]+/")
_NOTE: Final = re.compile(rf"{REPLACED}/[0-9a-f]{{32}}/(?P<size>\d{{1,18}})\.json", re.ASCII)
_COPY: Final = re.compile(r"(?P<stem>.*?\d+)(?:-e(?P<number>\d{1,6}))?\.jsonl", re.ASCII | re.DOTALL)
_PARKED: Final = re.compile(rf"(?P<stem>{PARKED}/.+/[0-9a-f]{{32}})\d+\.jsonl", re.ASCII | re.DOTALL)
_MOST_BYTES: Final = 1 << 20
_MOST_COPIES: Final = 1000
_MOST_STEPS: Final = 100
"""A blob may be replaced again and again; each time one note leads to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What took the place of a blob.

    Attributes:
        blob: its name.
        size: how many of its bytes.
        copies: names of the blobs that have its remaining lines; none if no line remains, or where a manifest has them.
    """

    blob: str
    size: int
    copies: tuple[str, ...] = ()

    @property
    def note(self) -> bytes:
        """The content of the note."""
        return json.dumps({"blob": _inside(self.blob), "size": self.size, "copies": self.copies}).encode() + b"\n"

    @property
    def note_name(self) -> str:
        """The name of the note, in the store of the blob."""
        return f"{note_folder(self.blob)}/{self.size}.json"


def note_folder(blob: str) -> str:
    """The folder of the notes about a blob."""
    digest = hashlib.sha256(_inside(blob).encode()).hexdigest()[:32]
    return f"{_mount(blob)}{REPLACED}/{digest}"


def is_replacement_note(name: str) -> bool:
    """Whether this is the name of a note about a replaced blob."""
    return _NOTE.fullmatch(name) is not None


def noted_blob(content: bytes) -> str | None:
    """The name of the blob that a note is about; None if it is no such note."""
    try:
        name = json.loads(content)["blob"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) else None


def copy_name(blob: str, is_taken: Callable[[str], bool]) -> str:
    """The next free name of a copy of a blob, which is sorted beside it.

    Args:
        blob: name of a blob or of a copy.
        is_taken: whether a name is in use.
    """
    parked = _PARKED.fullmatch(blob)
    if parked is not None:  # only names of this form are delivered
        number = 1
        while is_taken(name := f"{parked['stem']}{number:09d}.jsonl"):
            number += 1
        return name
    match = _COPY.fullmatch(blob)
    stem = blob.removesuffix(".jsonl") if match is None else match["stem"]
    number = 1 if match is None or match["number"] is None else int(match["number"]) + 1
    while is_taken(name := f"{stem}-e{number}.jsonl"):
        number += 1
    return name


def blob_name_of(name: str) -> str:
    """The name of the blob that a copy was made of first; other names stay as they are."""
    match = _COPY.fullmatch(name)
    return name if match is None else f"{match['stem']}.jsonl"


async def replacement_of(store: Store, blob: str, size: int) -> tuple[Replacement, ...]:
    """What took the place of a blob that is gone, up to this size; empty if it was not replaced on purpose.

    A copy that was replaced itself is followed: the last ones have all remaining lines.

    Raises:
        StoreError: the store does not answer.
    """
    found: list[Replacement] = []
    open_names, seen = [(blob, size)], {blob}
    while open_names and len(found) < _MOST_STEPS:
        name, least = open_names.pop()
        replacement = await _noted(store, name, least)
        if replacement is None:
            continue
        found.append(replacement)
        for copy in replacement.copies:
            if copy not in seen and await store.state(copy) is None:
                open_names.append((copy, 0))
            seen.add(copy)
    return tuple(found)


async def _noted(store: Store, blob: str, size: int) -> Replacement | None:
    notes = await store.walk(note_folder(blob))
    for one in _by_size(notes):
        if (noted := _size_of(one, _mount(blob))) is not None and noted >= size and one.size <= _MOST_BYTES:
            copies = _copies(await store.read(one.name, 0, one.size), blob)
            if copies is not None:
                return Replacement(blob=blob, size=noted, copies=copies)
    return None


def _by_size(notes: Iterable[StoredObject]) -> Sequence[StoredObject]:
    return sorted(notes, key=lambda one: (len(one.name), one.name), reverse=True)


def _size_of(note: StoredObject, mount: str) -> int | None:
    match = _NOTE.fullmatch(note.name.removeprefix(mount))
    return None if match is None else int(match["size"])


def _copies(content: bytes, blob: str) -> tuple[str, ...] | None:
    """The blobs in a note about a blob; None if it is no such note: anything may be in a store."""
    try:
        note = json.loads(content)
        names = note["copies"]
        is_note = note["blob"] == _inside(blob) and isinstance(names, list) and len(names) <= _MOST_COPIES
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    folder = _inside(blob).rpartition("/")[0]
    if not is_note or not all(isinstance(name, str) and name.rpartition("/")[0] == folder for name in names):
        return None
    return tuple(_mount(blob) + name for name in names)


def _mount(blob: str) -> str:
    match = _MOUNT.match(blob)
    return "" if match is None else match[0]


def _inside(blob: str) -> str:
    return blob[len(_mount(blob)) :]
