"""What is remembered of closed hours: their summaries, which their seals vouch for.

A summary is about exactly the bytes of its seal. It is used if all of them are still there, as far as names, sizes
and the last bytes say it, or were dropped by a compaction whose manifest stands for them. Only what came later is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...blobs.byte_ranges import ByteRange
from ...blobs.checksum import checksum_of
from ...compacted.manifest import END_BYTES, end_digest
from ...exceptions import StoreUnavailableError
from ...sealing.seal_name import SEALED
from ...sealing.seals import audit_memory, seals_in
from ..summaries import hour_summary
from ..summaries.blob_blocks import BlobRange
from ..summaries.summary_maker import SummaryMaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ...blobs.dated_folder import DatedFolder
    from ...blobs.store_access import StoreAccess
    from ...erasing.tombstone import Tombstone
    from ...sealing.seal import Seal, SealedBlob
    from ..summaries.hour_summary import Summarized
    from .dropped_lines import DroppedLines

__all__ = ["HourSummaryMaker", "Remembered", "SealProblem", "SealedMemory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealProblem:
    """Bytes that a seal has, and the store has not.

    Attributes:
        kind: `vanished` if they are gone, `changed` if they are others.
        blob: name of their blob.
        expected: how many bytes are sealed.
        found: how many the blob has.
    """

    kind: str
    blob: str
    expected: int
    found: int

    @property
    def sentence(self) -> str:
        """The problem as part of a sentence."""
        if self.kind == "vanished":
            return (
                f"{self.blob[:300]!r}: expected the {self.expected:,} bytes that are sealed, found {self.found:,}, and "
                "neither a tombstone nor a manifest for them; was the store restored from a copy?"
            )
        return (
            f"{self.blob[:300]!r}: expected the {self.expected:,} bytes that are sealed, got others; "
            "were they edited, or is the disk damaged?"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is remembered of a folder.

    Attributes:
        read: reads the summary; None if it cannot be used.
        further: lines that came later.
    """

    read: Callable[[], Summarized | None]
    further: Sequence[BlobRange]


@dataclass(slots=True)
class SealedMemory:
    """The seals of a store.

    Attributes:
        store: has them.
        verify: whether sealed bytes are read again and compared with their checksums.
        problems: bytes that are sealed and not in the store.
        erasures: say which blobs are gone on purpose.
        hours: how many hours were remembered.
        size: how many bytes were not read.
    """

    store: StoreAccess
    verify: bool = False
    problems: list[SealProblem] = field(default_factory=list)
    erasures: Sequence[Tombstone] = ()
    hours: int = 0
    size: int = 0
    _seals: Mapping[str, Seal] = field(default_factory=dict)

    def look(self, objects: Iterable[StoredObject]) -> None:
        """Read the seals in a listing.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        self._seals = seals_in(self.store, (one for one in objects if one.name.startswith(f"{SEALED}/")))

    @property
    def folders(self) -> Iterable[str]:
        """The names of folders with a seal."""
        return self._seals.keys()

    def of_folder(self, name: str, blobs: Sequence[StoredObject], dropped: DroppedLines | None) -> Remembered | None:
        """What is remembered of a folder; None if nothing, or if some of the sealed bytes are gone.

        Args:
            name: of the folder.
            blobs: that it has now.
            dropped: its lines that a compaction dropped.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        seal = self._seals.get(name)
        if seal is None:
            return None
        sizes = {one.name: one.size for one in blobs}
        gone = {} if dropped is None else dropped.sizes
        left = [one for one in seal.blobs if one.size and not (sizes.get(one.name) is None and one.name in gone)]
        if not self._check(seal, sizes, gone):
            return None
        known = {one.name: one.size for one in seal.blobs}
        if seal.audit is None or any(size > known.get(blob, -1) for blob, size in gone.items()):
            return None  # lines that came after the seal are dropped, too
        sealed = {one.name: one.size for one in left}
        further = [
            BlobRange(one.name, sealed.get(one.name, 0), one.size, one.size)
            for one in blobs
            if one.size > sealed.get(one.name, 0)
        ]
        grown = {one.blob for one in further}

        def read() -> Summarized | None:
            content = audit_memory(self.store, seal)
            wanted = {one.name: one.size for one in seal.blobs}
            found = None if content is None else hour_summary.decoded(content, wanted)
            if found is None or any(one.name in grown and not one.is_whole for one in found.summary.blobs):
                return None
            self.hours += 1
            self.size += sum(sealed.values())
            return found

        return Remembered(read=read, further=further)

    def _check(self, seal: Seal, sizes: Mapping[str, int], gone: Mapping[str, int]) -> bool:
        """Whether the sealed bytes are there, or gone for a known reason; notes those that are not."""
        is_right = True
        for one in seal.blobs:
            found = sizes.get(one.name, 0)
            if found < one.size:
                is_dropped = gone.get(one.name, -1) >= one.size
                is_right = is_right and is_dropped
                if not is_dropped and not any(erasure.explains(one.name, one.size) for erasure in self.erasures):
                    self._note("vanished", one.name, one.size, found)
            elif not self._has(one):
                is_right = False
                self._note("changed", one.name, one.size, found)
        return is_right

    def _has(self, one: SealedBlob) -> bool:
        """Whether a blob has the sealed bytes; without `verify`, whether they end as these did."""
        if self.verify:
            return checksum_of(self.store, one.name, one.size).sha256 == one.sha256
        if not one.end:
            return True
        try:
            (content,) = self.store.read_ranges([ByteRange(one.name, max(0, one.size - END_BYTES), one.size)])
        except StoreUnavailableError:
            if any(blob.name == one.name for blob in self.store.walk(one.name.rpartition("/")[0])):
                raise
            return True  # an erasure or a compaction removed it after it was listed
        return end_digest(content) == one.end

    def _note(self, kind: str, blob: str, expected: int, found: int) -> None:
        self.problems.append(SealProblem(kind=kind, blob=blob, expected=expected, found=found))


class HourSummaryMaker:
    """Summarizes the lines of a folder while they are sealed.

    Args:
        folder: whose lines they are.
        objects: sizes of the payloads that they may refer to, which each audit looks up again.
    """

    def __init__(self, folder: DatedFolder, objects: Mapping[str, int]) -> None:  # noqa: ARG002 (as sealing calls it)
        self._maker = SummaryMaker()

    def add(self, blob: str, before: int, content: bytes) -> None:
        """See `sealing.folder_lines.LineObserver`."""
        self._maker.add(blob, before, content)

    def encoded(self) -> bytes:
        """See `sealing.folder_lines.LineObserver`."""
        return hour_summary.encoded(self._maker.made())
