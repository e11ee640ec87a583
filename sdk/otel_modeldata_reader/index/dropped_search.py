"""Searches lines that are in Parquet files only, for a lookup: by their places in the index, or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..blobs.byte_ranges import ByteRange
from ..compacted.part_file import DamagedPartError
from ..report import Place
from .dropped_lines import dropped_folders
from .line_ids import ids_of, names_ids_in_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Window
    from .dropped_lines import DroppedFolder
    from .id_search import IdSearch
    from .index_writer import IndexWriter

__all__ = ["DroppedSearch"]


class DroppedSearch:
    """The lines of a store that are in Parquet files only.

    Args:
        store: has the files.
        collections: as they were listed, by their roots.
        window: only folders that overlap it.
        near: only row groups with events of this window are searched; an index finds others, too.

    Attributes:
        notes: why some of them cannot be read.

    Raises:
        StoreUnavailableError: a manifest cannot be read.
    """

    def __init__(
        self, store: StoreAccess, collections: Mapping[str, CollectionBlobs], window: Window, near: Window
    ) -> None:
        self.notes: list[str] = []
        self._near = near
        self._folders: dict[str, DroppedFolder] = {}
        for collection in collections.values():
            for folder, problem in dropped_folders(store, collection, window):
                if folder is None:
                    self._note(problem)
                else:
                    self._folders |= dict.fromkeys(folder.blobs, folder)

    def __contains__(self, blob: str) -> bool:
        return blob in self._folders

    def ranges(self, root: str) -> list[ByteRange]:
        """The bytes that the blobs of a collection had."""
        return [
            ByteRange(name, 0, folder.blobs[name].size) for name, folder in self._folders.items() if folder.root == root
        ]

    def lines_at(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """Some lines by the name of the blob and the number of the line; those that cannot be read are left out.

        Raises:
            StoreUnavailableError: a file cannot be read.
        """
        wanted: dict[str, set[tuple[str, int]]] = {}
        for blob, line in places:
            wanted.setdefault(blob.rpartition("/")[0], set()).add((blob, line))
        found: dict[tuple[str, int], bytes] = {}
        for together in wanted.values():
            folder = self._folders[next(iter(together))[0]]
            try:
                found |= folder.lines_at(together)
            except DamagedPartError as error:
                self._note(str(error))
        return found

    def found(
        self, search: IdSearch, blobs: Iterable[str], writer: IndexWriter | None
    ) -> Iterator[tuple[Place | None, bytes, Iterable[tuple[str, bytes]]]]:
        """The lines of some blobs that may be about an id.

        Args:
            search: the id.
            blobs: the names of the blobs.
            writer: gathers the ids of all lines.

        Returns:
            Each line with its place; or no place, no line, and files of the index that are complete.

        Raises:
            StoreUnavailableError: a file cannot be read.
        """
        wanted: dict[str, list[str]] = {}
        for blob in blobs:
            wanted.setdefault(blob.rpartition("/")[0], []).append(blob)
        for names in wanted.values():
            folder = self._folders[names[0]]
            ids: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
            try:
                for place, line in self._of_folder(search, folder, ids if writer is not None else {}):
                    if place[0] in ids:
                        yield Place(blob=place[0], line=place[1]), line, ()
            except DamagedPartError as error:
                self._note(str(error))
                continue
            for name, found in ids.items() if writer is not None else ():
                size = folder.blobs[name].size
                yield None, b"", writer.add_blob(name, size, found) if writer is not None else ()

    def _of_folder(
        self, search: IdSearch, folder: DroppedFolder, ids: Mapping[str, list[tuple[int, str]]]
    ) -> Iterator[tuple[tuple[str, int], bytes]]:
        """The lines of a folder that may be about an id; the ids of all lines are added to `ids`."""
        if names_ids_in_rows(folder.root):  # the rows may name the id
            for (blob, number), line in folder.lines():
                if blob in ids:
                    ids[blob] += [(number, text) for text in ids_of(line + b"\n", 1, in_rows=True)[0]]
                if search.may_be_in(line):
                    yield (blob, number), line
            return
        hits = list(folder.places_with(search.texts, self._near))
        for places, events in folder.events() if ids else ():
            _add(ids, places, [event.encode(errors="surrogatepass") for event in events])
        yield from sorted(folder.lines_at(set(hits)).items()) if hits else ()

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _add(ids: Mapping[str, list[tuple[int, str]]], places: Sequence[tuple[str, int]], events: Sequence[bytes]) -> None:
    every = ids_of(b"".join(event + b"\n" for event in events), len(events), in_rows=False)
    for (blob, number), found in zip(places, every, strict=True):
        if blob in ids:
            ids[blob] += [(number, text) for text in found]
