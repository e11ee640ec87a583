"""Lines that a compaction dropped: its manifest vouches for them, and its Parquet files have their events.

Of each event the files have the line without its rows, so it is counted as it was counted before. Lines that were no
events, or had the id of another line, are in no file: the manifest says only how many they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ...blobs.compacted_name import compacted_name
from ...compacted.folder_sources import newest_manifest
from ...compacted.manifest import ManifestError
from ..summaries.summary_maker import SummaryMaker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from otel_modeldata_receiver.storage.store import StoredObject

    from ...blobs.store_access import StoreAccess
    from ...compacted.manifest import Manifest, Part
    from ..summaries.hour_summary import Summarized

__all__ = ["CompactedFolders", "DroppedLines"]

_COLUMNS: Final = ("_blob", "_line", "_event")
_MOST_BLANK: Final = 100
"""Lines of no event that a block may have in a row."""


class DroppedLines(NamedTuple):
    """The dropped lines of a folder.

    Attributes:
        store: has the files.
        manifest: vouches for them.
        sizes: how many bytes of which blobs are dropped.
        unreadable: takes the reasons why files cannot be read.
    """

    store: StoreAccess
    manifest: Manifest
    sizes: Mapping[str, int]
    unreadable: set[str]

    def summarized(self, stored: NDArray[np.int64] | None) -> Summarized:
        """The summary of the events in files that can be read; see `SummaryMaker`.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        from ...compacted.part_file import DamagedPartError, PartFile  # noqa: PLC0415 (imports pyarrow)

        maker = SummaryMaker(stored=stored)
        for part, number in self.manifest.groups():
            try:
                self._look_for(part)
                table = PartFile.opened(self.store, self.manifest, part).read(number, _COLUMNS)
            except DamagedPartError as error:
                self.unreadable.add(str(error))
                continue
            columns = (table[name].to_pylist() for name in _COLUMNS)
            events = [one for one in zip(*columns, strict=True) if one[2] is not None and one[0] in self.sizes]
            for blob, before, content in _blocks(events):
                maker.add(blob, before, content)
        return maker.made()

    def _look_for(self, part: Part) -> None:
        """Raise an error for a file that is missing: an error of the store does not say what it is about.

        Raises:
            DamagedPartError: it is missing, or has another size.
            StoreUnavailableError: the store cannot be read.
        """
        from ...compacted.part_file import DamagedPartError  # noqa: PLC0415 (imports pyarrow)

        name = self.manifest.part_name(part)
        size = next((one.size for one in self.store.walk(self.manifest.folder) if one.name == name), 0)
        if size != part.size:
            raise DamagedPartError(f"expected {part.size:,} bytes in {name}, got {size:,}")


def _blocks(events: Sequence[tuple[str, int, str]]) -> Iterator[tuple[str, int, bytes]]:
    """Events as blocks of the lines of a blob: its name, its lines before, and the lines; some of them are blank."""
    lines: list[str] = []
    blob, first = "", 0
    for name, number, event in events:
        gap = number - first - len(lines)
        if lines and (name != blob or not 0 <= gap <= _MOST_BLANK):
            yield blob, first - 1, "\n".join([*lines, ""]).encode()
            lines = []
        if not lines:
            blob, first, gap = name, number, 0
        lines += [""] * gap
        lines.append(event)
    if lines:
        yield blob, first - 1, "\n".join([*lines, ""]).encode()


class CompactedFolders:
    """The folders of a store that have Parquet files.

    Args:
        store: has them.
        objects: its listing.

    Attributes:
        damaged: why manifests cannot be used.
        unreadable: why Parquet files cannot be read.
    """

    def __init__(self, store: StoreAccess, objects: Iterable[StoredObject]) -> None:
        self._store = store
        self._objects: dict[tuple[str, str], dict[str, int]] = {}
        self.damaged: list[str] = []
        self.unreadable: set[str] = set()
        for one in objects:
            if (name := compacted_name(one.name)) is not None:
                self._objects.setdefault((name.root, name.date), {})[name.file] = one.size

    def dropped(self, sizes: Mapping[str, int]) -> dict[str, DroppedLines]:
        """The dropped lines by folder.

        Args:
            sizes: of all blobs of the store.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        found = {}
        for (root, date), files in sorted(self._objects.items()):
            try:
                manifest = newest_manifest(self._store, root, date, files)
            except ManifestError as error:
                self.damaged.append(str(error))
                continue
            if manifest is None:
                continue
            gone = {one.name: one.size for one in manifest.blobs if one.dropped and not sizes.get(one.name)}
            if gone:
                found[manifest.lines_folder] = DroppedLines(self._store, manifest, gone, self.unreadable)
        return found
