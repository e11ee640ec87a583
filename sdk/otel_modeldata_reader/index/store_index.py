"""The index of a store as a lookup uses it: what it covers, and the lines of an id in that.

A file that is torn, damaged or foreign is left out with a note, and the blobs that only it covers are scanned.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..blobs.byte_ranges import ByteRange, without
from ..exceptions import StoreUnavailableError
from .index_file import (
    FIRST_READ_BYTES,
    DamagedIndexError,
    directory_range,
    header_size,
    is_index,
    read_bucket,
    read_directory,
    read_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess
    from .index_file import Entry, Header

__all__ = ["StoreIndex"]

_T = TypeVar("_T")


class _File(NamedTuple):
    """One file of the index."""

    name: str
    size: int
    header: Header


class StoreIndex:
    """The index of a store.

    Args:
        store: has it.
        objects: the objects of the store as they were listed.
        blobs: sizes of the blobs that are searched, by name.
    """

    def __init__(self, store: StoreAccess, objects: Iterable[StoredObject], blobs: Mapping[str, int]) -> None:
        self._store = store
        self._notes: dict[str, str] = {}
        self._files: dict[str, _File] = {}
        self._by_blob: dict[str, list[tuple[ByteRange, str]]] = {}
        for file in self._opened([one for one in objects if is_index(one)]):
            for part in file.header.covered:
                if 0 <= part.start < part.end <= blobs.get(part.blob, 0):
                    self._files[file.name] = file
                    self._by_blob.setdefault(part.blob, []).append((part, file.name))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with files that are left out."""
        return tuple(self._notes.values())

    def has(self, name: str) -> bool:
        """Whether a file is used."""
        return name in self._files

    def uncovered(self, whole: ByteRange) -> Iterator[ByteRange]:
        """The parts of a blob that no file covers."""
        parts = self._by_blob.get(whole.blob, ())
        return without(whole, [part for part, name in parts if name in self._files])

    def entries(self, hashes: Sequence[bytes], blobs: Iterable[str]) -> list[tuple[str, Entry]]:
        """The lines of some ids, each with the file that says so.

        Args:
            hashes: of the ids.
            blobs: those that are searched; the others are not asked for.
        """
        names = {name for blob in blobs for _, name in self._by_blob.get(blob, ()) if name in self._files}
        asked = [(self._files[name], wanted) for name in sorted(names) for wanted in hashes]
        directories = self._contents(
            [directory_range(file.name, file.size, file.header, wanted) for file, wanted in asked]
        )
        buckets: list[tuple[_File, bytes, ByteRange, int]] = []
        for (file, wanted), content in zip(asked, directories, strict=True):
            if content is not None:
                bucket = self._checked(file.name, partial(read_directory, file.name, file.size, file.header, content))
                if bucket is not None:
                    buckets.append((file, wanted, *bucket))
        found: list[tuple[str, Entry]] = []
        contents = self._contents([part for _, _, part, _ in buckets])
        for (file, wanted, _, check), content in zip(buckets, contents, strict=True):
            if content is not None:
                read = partial(read_bucket, file.header, content, check, wanted)
                found += [(file.name, entry) for entry in self._checked(file.name, read) or ()]
        return [(name, entry) for name, entry in found if name in self._files]

    def leave_out(self, name: str, reason: str) -> None:
        """Use a file no more: what it covers is uncovered from now on."""
        self._files.pop(name, None)
        self._notes.setdefault(name, f"expected an index, got {name} ({reason}), which is not used: remove it")

    def _opened(self, listed: Sequence[StoredObject]) -> Iterator[_File]:
        sizes = {one.name: one.size for one in listed}
        heads = self._beginnings({name: min(size, FIRST_READ_BYTES) for name, size in sizes.items()})
        whole = {name: self._checked(name, partial(header_size, head)) or 0 for name, head in heads.items()}
        heads |= self._beginnings(
            {name: size for name, size in whole.items() if len(heads[name]) < size <= sizes[name]}
        )
        for name, head in heads.items():
            if name not in self._notes:
                header = self._checked(name, partial(read_header, head, sizes[name]))
                if header is not None:
                    yield _File(name, sizes[name], header)

    def _beginnings(self, sizes: Mapping[str, int]) -> dict[str, bytes]:
        contents = self._contents([ByteRange(name, 0, size) for name, size in sizes.items()])
        return {name: content for name, content in zip(sizes, contents, strict=True) if content is not None}

    def _contents(self, parts: Sequence[ByteRange]) -> list[bytes | None]:
        """The content of each range; None where it cannot be read."""
        found: list[bytes | None]
        try:
            found = list(self._store.read_ranges(parts))
        except StoreUnavailableError:
            found = [self._alone(part) for part in parts]
        return [self._whole(part, content) for part, content in zip(parts, found, strict=True)]

    def _alone(self, part: ByteRange) -> bytes | None:
        try:
            return next(self._store.read_ranges([part]))
        except StoreUnavailableError as error:
            self.leave_out(part.blob, str(error))
            return None

    def _whole(self, part: ByteRange, content: bytes | None) -> bytes | None:
        if content is not None and len(content) != part.size:
            self.leave_out(part.blob, "it is shorter than its listing says")
            return None
        return content

    def _checked(self, name: str, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except DamagedIndexError as error:
            self.leave_out(name, str(error))
            return None
