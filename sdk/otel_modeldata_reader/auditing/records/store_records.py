"""What a store has beside its lines, and what it says about them: seals, tombstones, manifests of compaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel_modeldata_receiver.storage.store import BLOB_SUFFIX

from .dropped_lines import CompactedFolders
from .erased_events import erasures_in
from .sealed_memory import SealedMemory
from .unfinished_copies import unfinished_copies

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ...blobs.store_access import StoreAccess
    from ...erasing.tombstone import Tombstone
    from .dropped_lines import DroppedLines
    from .sealed_memory import Remembered, SealProblem

__all__ = ["StoreRecords"]


@dataclass(slots=True)
class StoreRecords:
    """Reads what a store says about its lines.

    Attributes:
        store: has it.
        use_seals: whether hours are remembered; else all lines are read.
        verify: whether sealed bytes are read again and compared with their checksums.
        erasures: what was erased on purpose.
        dropped: lines that a compaction dropped, by folder.
        copies: names of copies that an erasure is making of blobs which are still there.
        damaged: names of tombstones that cannot be read, and why manifests cannot be used.
        unreadable: why Parquet files with dropped lines cannot be read.
    """

    store: StoreAccess
    use_seals: bool = True
    verify: bool = False
    erasures: Sequence[Tombstone] = ()
    dropped: Mapping[str, DroppedLines] = field(default_factory=dict)
    copies: Collection[str] = ()
    damaged: Sequence[str] = ()
    unreadable: Collection[str] = ()
    _memory: SealedMemory | None = None

    def look(self, objects: Iterable[StoredObject]) -> None:
        """Read the records in a listing.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        objects = list(objects)
        self.erasures, damaged = erasures_in(self.store, objects)
        self.copies = unfinished_copies(self.store, objects)
        compacted = CompactedFolders(self.store, objects)
        self.dropped = compacted.dropped({one.name: one.size for one in objects if one.name.endswith(BLOB_SUFFIX)})
        self.damaged = [*damaged, *compacted.damaged]
        self.unreadable = compacted.unreadable
        self._memory = SealedMemory(self.store, self.verify, erasures=self.erasures)
        self._memory.look(objects)

    @property
    def folders(self) -> set[str]:
        """The folders of which the store says something."""
        return {*self.dropped, *(() if self._memory is None else self._memory.folders)}

    @property
    def problems(self) -> Sequence[SealProblem]:
        """Bytes that are sealed and not in the store, of the folders that were asked for."""
        return () if self._memory is None else self._memory.problems

    @property
    def remembered(self) -> tuple[int, int]:
        """How many hours were remembered, and how many bytes were not read for that."""
        return (0, 0) if self._memory is None else (self._memory.hours, self._memory.size)

    def of_folder(self, name: str, blobs: Sequence[StoredObject]) -> Remembered | None:
        """What is remembered of a folder with these blobs; see `SealedMemory.of_folder`."""
        if self._memory is None:
            return None
        remembered = self._memory.of_folder(name, blobs, self.dropped.get(name))
        return remembered if self.use_seals else None
