"""What an erasure writes before each step, so that it can be killed at any moment and continued.

In the folder `_erased/unfinished/{id}/` are what was asked for and chosen, the names of copies that are being made, and
a tombstone for each blob, written before the blob is removed. All of it goes when the tombstone of the whole is there.
Until then it holds what was asked for and the ids that were chosen.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from ..exceptions import StoreUnavailableError
from .choosing.selection import Selection
from .rewriting.copied_lines import is_copy_of
from .rewriting.erased_counts import joined_hours, joined_numbers
from .tombstone import STEP_SUFFIX, UNFINISHED, Tombstone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .tombstone import BlobChange

__all__ = ["Journal", "JournalInfo", "Step", "journals_in", "remove_now"]

_T = TypeVar("_T")
_BLOB_SUFFIX: Final = ".jsonl"
_INFO: Final = "info.json"
_KEY: Final = re.compile(r"(?:[0-9a-f]{2}){16,64}", re.ASCII)
_MOST_BYTES: Final = 256 << 20


class JournalInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        kind: `erase` or `expire`.
        id: of the erasure: the same request continues it.
        time: when it began, in UTC.
        request: what was asked for, as JSON.
        key: of the HMAC of the request, in hexadecimal.
        by: who did it.
        reason: why.
    """

    kind: str
    id: str
    time: str
    request: str
    key: str
    by: str = ""
    reason: str = ""

    @classmethod
    def of(cls, kind: str, request: str, *, time: str, key: str) -> JournalInfo:
        """The information about a request; the same request has the same id, so that it continues."""
        number = hashlib.sha256(f"{kind}\0{request}".encode()).hexdigest()[:16]
        return cls(kind=kind, id=number, time=time, request=request, key=key)


class Step(Tombstone, frozen=True, kw_only=True):
    """The tombstone of one blob.

    Attributes:
        removes: objects that are no longer needed when the blob is gone.
    """

    removes: tuple[str, ...] = ()


class _Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that is being made of a blob."""

    blob: str
    copy: str


class Journal:
    """The journal of one erasure.

    Args:
        store: has it.
        info: what was asked for.
        check: proves that this command may still change the store.
    """

    def __init__(self, store: StoreAccess, info: JournalInfo, check: Callable[[], None]) -> None:
        self._store = store
        self._check = check
        self._folder = f"{UNFINISHED}/{info.id}"
        self.info = info

    def begin(self) -> None:
        """Write what was asked for."""
        self._put(_INFO, self.info)

    def choose(self, selection: Selection) -> None:
        """Write what was chosen, before anything of it goes."""
        content = msgspec.json.encode(selection)
        self._put(f"selection-{_digest(content)}.json", selection)

    def copying(self, blob: str, copy: str) -> None:
        """Write that a copy of a blob will be made."""
        self._put(_copy_name(copy), _Copy(blob=blob, copy=copy))

    def copied(self, copy: str) -> None:
        """Forget that a copy was being made: it has taken the place of its blob, or is removed."""
        self._remove(_copy_name(copy))

    def step(self, step: Step) -> str:
        """Write the tombstone of a blob, before the blob is removed; returns its name for `undo`."""
        content = msgspec.json.encode(step)
        name = f"{_digest(content)}{STEP_SUFFIX}"
        self._put(name, step)
        return name

    def completed_by(self, by: str, reason: str) -> None:
        """Take who completes an erasure, and why, if that is said: another process began it."""
        self.info = msgspec.structs.replace(self.info, by=by or self.info.by, reason=reason or self.info.reason)

    def undo(self, name: str) -> None:
        """Take a step back: its blob has grown."""
        self._remove(name)

    def selection(self) -> Selection:
        """What was chosen, here or by an earlier process."""
        found = Selection()
        for one in self._read("selection-", Selection):
            found = found.merged(one)
        return found

    def steps(self) -> list[Step]:
        """The tombstones of blobs."""
        return [step for _, step in self._named(STEP_SUFFIX, Step)]

    def recover(self, objects: Iterable[StoredObject], tombstones: Sequence[Tombstone]) -> None:
        """Undo what an earlier process began and did not complete.

        Args:
            objects: the listing of the store.
            tombstones: those of the store: steps in them are complete.
        """
        from otel_modeldata_receiver.storage.folders.replaced_blobs import Replacement  # noqa: PLC0415 (see below)

        sizes = {one.name: one.size for one in objects}
        for one in self._read("copy-", _Copy):
            is_copy = _is_beside(one) and one.copy in sizes and sizes.get(one.blob)
            if is_copy and is_copy_of(self._store, one.blob, one.copy):  # the blob is there, so it takes no place
                self._check()
                remove_now(self._store, one.copy)
            self.copied(one.copy)
        counted = {change.old for found in tombstones if found.id == self.info.id for change in found.blobs}
        for name, step in self._named(STEP_SUFFIX, Step):
            olds = [change.old for change in step.blobs]
            undone = [change for change in step.blobs if _is_undone(change, sizes)]
            for change in undone:
                remove_now(self._store, Replacement(blob=change.old.name, size=change.old.size).note_name)
            if undone or (counted and all(old in counted for old in olds)):
                self._remove(name)

    def joined(self, tool: str, predicate: str) -> Tombstone:
        """The tombstone of the whole."""
        steps = self.steps()
        return Tombstone(
            kind=self.info.kind,
            id=self.info.id,
            time=self.info.time,
            tool=tool,
            by=self.info.by,
            reason=self.info.reason,
            predicate=predicate,
            hours=joined_hours(hour for step in steps for hour in step.hours),
            numbers=joined_numbers(numbers for step in steps for numbers in step.numbers),
            blobs=tuple(sorted((change for step in steps for change in step.blobs), key=lambda one: one.old.name)),
            objects=sum(step.objects for step in steps),
        )

    def end(self) -> None:
        """Remove the journal: what was asked for last, so that it can be continued until then."""
        names = [one.name for one in self._store.walk(self._folder)]
        for name in sorted(names, key=lambda name: (name.endswith(_INFO), "selection-" in name)):
            self._check()
            remove_now(self._store, name)

    def _put(self, name: str, value: msgspec.Struct) -> None:
        self._check()
        self._store.put(f"{self._folder}/{name}", msgspec.json.encode(value))

    def _remove(self, name: str) -> None:
        self._check()
        remove_now(self._store, f"{self._folder}/{name}")

    def _read(self, start: str, kind: type[_T]) -> list[_T]:
        return [value for name, value in self._named(".json", kind) if name.startswith(start)]

    def _named(self, end: str, kind: type[_T]) -> list[tuple[str, _T]]:
        found = []
        for one in self._store.walk(self._folder):
            name = one.name.rpartition("/")[2]
            if name.endswith(end) and (value := _decoded(self._store, one, kind)) is not None:
                found.append((name, value))
        return found


def _is_beside(one: _Copy) -> bool:
    """Whether a copy is in the folder of its blob, as an erasure makes it: anything may be in a store."""
    return one.copy != one.blob and one.copy.rpartition("/")[0] == one.blob.rpartition("/")[0]


def _is_undone(change: BlobChange, sizes: Mapping[str, int]) -> bool:
    """Whether the old blob is still what counts. A manifest counts until there is the next one."""
    is_there = bool(sizes.get(change.old.name))
    if change.old.name.endswith(_BLOB_SUFFIX):
        return is_there
    return is_there and (change.new is None or change.new.name not in sizes)


def journals_in(store: StoreAccess, check: Callable[[], None]) -> Mapping[str, Journal]:
    """The erasures that are not complete, by their ids.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    found = {}
    for one in store.walk(UNFINISHED):
        folder, _, name = one.name.rpartition("/")
        info = _decoded(store, one, JournalInfo) if name == _INFO else None
        if info is not None and folder == f"{UNFINISHED}/{info.id}":
            if _KEY.fullmatch(info.key) is None:  # anything may be in a store; a new key proves the request as well
                info = msgspec.structs.replace(info, key=secrets.token_hex(32))
            found[info.id] = Journal(store, info, check)
    return found


def remove_now(store: StoreAccess, name: str) -> None:
    """Remove an object of whatever size; one that is gone is no error.

    Raises:
        StoreUnavailableError: it cannot be removed.
    """
    folder = name.rpartition("/")[0]
    for _ in range(_TRIES):
        sizes = [one.size for one in store.walk(folder) if one.name == name]
        if not sizes or store.remove(name, sizes[0]):
            return
    raise StoreUnavailableError(f"expected to remove {name}, got a new size at each try: something writes to it")


_TRIES: Final = 20


def _decoded(store: StoreAccess, one: StoredObject, kind: type[_T]) -> _T | None:
    if one.size > _MOST_BYTES:
        return None
    try:
        return msgspec.json.decode(store.read(one.name, one.size), type=kind)
    except (ValueError, RecursionError):
        return None


def _copy_name(copy: str) -> str:
    return f"copy-{_digest(copy.encode())}.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
