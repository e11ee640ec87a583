"""Replaces a blob by a copy without the chosen rows, beside a living receiver.

Theory of operation. Blobs are only appended to, so a blob is never changed: a copy takes its place. The copy has a name
beside it. Between the copy and the removal both are there, with the same event ids, so readers see each event once.

1. The journal names the copy. Then the copy is written, line by line.
2. If the blob has grown meanwhile, the new lines are added to the copy.
3. The tombstone of the blob is in the journal, and a note tells receivers that the blob was replaced on purpose.
4. The blob is removed, only if its size is still that of step 2; else steps 3 and 2 are taken back and repeated.

A receiver that appends to the blob after that is fenced, and goes on in its next blob.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...blobs.byte_ranges import ByteRange
from ...blobs.checksum import BlobChecksum, checksum_of
from ...blobs.listing import date_of
from ...blobs.replacement_notes import put_note
from ...exceptions import StoreUnavailableError
from ..journal import Step, remove_now
from ..tombstone import BlobChange
from .erased_counts import ErasedCounts
from .line_blocks import line_blocks, lines_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...blobs.store_access import StoreAccess
    from ..journal import Journal
    from .line_blocks import LineBlock
    from .line_eraser import LineChange

__all__ = ["BlobRewriter", "Eraser", "changed_lines"]

_BLOCK_BYTES: Final = 4 << 20
"""What every account in Azure takes in one append."""
_TRIES: Final = 1000
"""Each one reads only what was written since the one before."""


@dataclass(slots=True)
class _Copy:
    """A copy that is being written; it has a name as soon as it has a line."""

    name: str = ""
    size: int = 0
    buffer: bytearray = field(default_factory=bytearray)
    digest: Any = field(default_factory=hashlib.sha256)


@dataclass(slots=True)
class _Progress:
    """How far a blob is copied."""

    position: int
    counts: ErasedCounts
    copy: _Copy
    digest: Any
    removes: list[str]
    objects: int = 0
    is_whole: bool = True


class BlobRewriter:
    """Replaces blobs.

    Args:
        store: has them.
        journal: of the erasure.
        check: proves that this command may still change the store.
        named: the name of a copy of a blob, given a function that tells which names are taken.
        tool: name and version of this program.
    """

    def __init__(
        self,
        store: StoreAccess,
        journal: Journal,
        check: Callable[[], None],
        named: Callable[[str, Callable[[str], bool]], str],
        tool: str,
    ) -> None:
        self._store = store
        self._journal = journal
        self._check = check
        self._named = named
        self._tool = tool

    def rewrite(self, blob: str, eraser: Eraser, root: str) -> Step | None:
        """Replace a blob; None if it is gone meanwhile.

        Raises:
            StoreUnavailableError: the store cannot be read or written, or the right to change it has ended.
        """
        from otel_modeldata_receiver.storage.folders.replaced_blobs import Replacement  # noqa: PLC0415 (a store is open)

        done = self._started(root, blob)
        for _ in range(_TRIES):
            size = self._size(blob)
            if size is None:
                self._drop(done.copy)
                return None
            if not done.is_whole and size > done.position:  # a torn line became a whole one
                self._drop(done.copy)
                done = self._started(root, blob)
            self._extend(blob, done, size, eraser)
            self._flush(done.copy)
            step = self._step(blob, done)
            name = self._journal.step(step)
            copies = (done.copy.name,) if done.copy.name else ()
            note = Replacement(blob=blob, size=done.position, copies=copies)
            put_note(self._store, note)
            self._check()
            if self._store.remove(blob, done.position):
                if done.copy.name:
                    self._journal.copied(done.copy.name)
                return step
            remove_now(self._store, note.note_name)
            self._journal.undo(name)
        raise StoreUnavailableError(f"expected {blob} to pause for a moment, got new lines without end: run it again")

    def _started(self, root: str, blob: str) -> _Progress:
        return _Progress(0, ErasedCounts(root, date_of(blob)), _Copy(), hashlib.sha256(), [])

    def _size(self, blob: str) -> int | None:
        folder = blob.rpartition("/")[0]
        return next((one.size for one in self._store.walk(folder) if one.name == blob), None)

    def _extend(self, blob: str, done: _Progress, size: int, eraser: Eraser) -> None:
        """Copy what the blob has beyond what is copied."""
        if size < done.position:
            raise StoreUnavailableError(f"expected {blob} to grow only, got {size:,} bytes: look for who changes it")
        for block in line_blocks(self._store, ByteRange(blob, done.position, size)):
            for line, change in changed_lines(block, eraser):
                if change is None:
                    self._write(blob, done.copy, line)
                    continue
                done.counts.add(change, len(line))
                if change.new_object is not None:
                    self._check()
                    self._store.put(change.new_object.name, change.new_object.content)
                if change.old_object:
                    done.removes.append(change.old_object)
                    done.objects += 1
                self._write(blob, done.copy, change.line)
            done.digest.update(block.content)
            done.digest.update(block.tail)
            done.is_whole = not block.tail and not (block.is_long and not block.content.endswith(b"\n"))
        done.position = size

    def _write(self, blob: str, copy: _Copy, content: bytes) -> None:
        copy.buffer += content
        while len(copy.buffer) >= _BLOCK_BYTES:
            self._append(blob, copy, bytes(copy.buffer[:_BLOCK_BYTES]))
            del copy.buffer[:_BLOCK_BYTES]
        if copy.buffer and not copy.name:
            self._create(blob, copy)

    def _flush(self, copy: _Copy) -> None:
        if copy.buffer:
            self._append("", copy, bytes(copy.buffer))
            copy.buffer.clear()

    def _append(self, blob: str, copy: _Copy, content: bytes) -> None:
        if not copy.name:
            self._create(blob, copy)
        self._check()
        copy.size = self._store.append(copy.name, copy.size, content)
        copy.digest.update(content)

    def _create(self, blob: str, copy: _Copy) -> None:
        folder = blob.rpartition("/")[0]
        names = {one.name for one in self._store.walk(folder)}
        copy.name = self._named(blob, names.__contains__)
        self._journal.copying(blob, copy.name)
        if not self._store.create(copy.name):
            raise StoreUnavailableError(f"expected that {copy.name} is new, got a blob of this name: run it again")

    def _step(self, blob: str, done: _Progress) -> Step:
        """The tombstone of the blob, after the copy was read back."""
        new = None
        if done.copy.name:
            new = checksum_of(self._store, done.copy.name, done.copy.size)
            if new.sha256 != done.copy.digest.hexdigest():
                raise StoreUnavailableError(
                    f"expected {done.copy.name} as it was written, got other bytes: nothing was removed; run it again"
                )
        old = BlobChecksum(name=blob, size=done.position, sha256=done.digest.hexdigest())
        info = self._journal.info
        return Step(
            kind=info.kind,
            id=info.id,
            time=info.time,
            tool=self._tool,
            hours=done.counts.hours,
            numbers=done.counts.numbers,
            blobs=(BlobChange(old=old, new=new),),
            objects=done.objects,
            removes=tuple(dict.fromkeys(done.removes)),
        )

    def _drop(self, copy: _Copy) -> None:
        if copy.name:
            remove_now(self._store, copy.name)
            self._journal.copied(copy.name)


class Eraser(Protocol):
    """What becomes of lines: `LineEraser`, or `QuarantineEraser`."""

    def touched(self, content: bytes, count: int) -> list[int] | None:
        """The numbers of the lines in a block that may change; None if they must be looked at one by one."""

    def change(self, line: bytes) -> LineChange | None:
        """What becomes of a line; None if it stays as it is."""


def changed_lines(block: LineBlock, eraser: Eraser) -> Iterator[tuple[bytes, LineChange | None]]:
    """The lines of a block, each with what becomes of it; lines that stay may come together."""
    if block.is_long:
        yield block.content, None
    elif block.content:
        yield from _of_whole(block.content, eraser)
    if block.tail:
        yield block.tail, eraser.change(block.tail)


def _of_whole(content: bytes, eraser: Eraser) -> Iterator[tuple[bytes, LineChange | None]]:
    count = content.count(b"\n")
    numbers: Sequence[int] | None = eraser.touched(content, count)
    if numbers is not None and not numbers:
        yield content, None
        return
    lines = lines_in(content)
    looked_at = range(count) if numbers is None else set(numbers)
    for number, line in enumerate(lines):
        yield line, eraser.change(line) if number in looked_at else None
