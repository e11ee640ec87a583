"""The Parquet files of a compacted folder as pieces: read where they are, or copied once from a distant store."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from otel_modeldata_reader.blobs.byte_ranges import ByteRange
from otel_modeldata_reader.compacted.part_file import DamagedPartError, PartFile
from otel_modeldata_reader.exceptions import StoreUnavailableError
from otel_modeldata_reader.rows.stored_columns import own_schema, storage_type, stored_names
from otel_modeldata_reader.rows.unify import renamed
from otel_modeldata_reader.sql.column_types import stored_type
from otel_modeldata_reader.types import parse
from otel_modeldata_reader.types.data_types import OBJECTS

from ..interruption import current
from .piece import LAST_TIME, Group, Piece, StoredColumn, kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_reader.compacted.folder_sources import FolderSource
    from otel_modeldata_reader.compacted.manifest import Manifest, Part

    from .cache_folder import CacheFolder

__all__ = ["PartPieces"]

_GLOB: Final = frozenset("*?[]{}\0")
"""DuckDB takes a path with one of these for a pattern."""
_OF_DUCKDB: Final = frozenset({"filename", "file_row_number"})
"""Columns that DuckDB adds to those of a file."""
_AT_ONCE: Final = 1 << 20
_NULL: Final = pa.null()


class PartPieces:
    """Makes pieces of the files of manifests.

    Args:
        store: has the files.
        folder: of the store on this machine; None for a distant one.
        cache: takes copies.
    """

    def __init__(self, store: StoreAccess, folder: Path | None, cache: CacheFolder) -> None:
        self._store = store
        self._folder = folder
        self._cache = cache
        self._checked: dict[str, tuple[str, int, int, int]] = {}

    def pieces(self, source: FolderSource, manifest: Manifest) -> list[Piece] | None:
        """The files as pieces; None if DuckDB cannot read the rows of the folder from its files alone.

        Raises:
            DamagedPartError: a file is missing, or is not what the manifest says.
            StoreUnavailableError: a file cannot be read.
        """
        for part in manifest.parts:
            if (size := source.files.get(part.name)) != part.size:
                got = "none" if size is None else f"{size:,} bytes"
                raise DamagedPartError(f"expected {part.size:,} bytes in {manifest.part_name(part)}, got {got}")
        if any(part.kind != "rows" or not _is_plain(part) or _has_ends(part) for part in manifest.parts):
            return None
        return [self._piece(source, manifest, part) for part in manifest.parts if part.groups and part.rows]

    def _piece(self, source: FolderSource, manifest: Manifest, part: Part) -> Piece:
        path = self._path(manifest.part_name(part), part)  # whole: DuckDB does not look at the checksums of pages
        file = PartFile.opened(self._store, manifest, part)  # its figures are those of the manifest, and within bounds
        schema = own_schema(part.types, part.columns)
        names = renamed(schema, envelope=True)
        untyped = _without_type(part, file)
        columns = {
            names.get(name, name): StoredColumn(
                stored=stored,
                type=stored_type(storage_type(schema.field(name).type)),
                logical=schema.field(name).type,
                kind=kind_of(schema.field(name).type),
            )
            for name, stored in zip(part.columns, stored_names(part.columns), strict=True)
            if not schema.field(name).type.equals(_NULL) and stored not in untyped
        }
        groups, start = [], 0
        for group in part.groups:
            groups.append(Group(start=start, rows=group.rows, first=group.first, last=group.last))
            start += group.rows
        return Piece(path=path, date=source.date, groups=tuple(groups), columns=columns)

    def _path(self, name: str, part: Part) -> str:
        """Where DuckDB finds a file, which has the digest of its manifest.

        Raises:
            DamagedPartError: it has another one.
            StoreUnavailableError: it cannot be read.
            CacheFullError: it cannot be copied.
        """
        if self._folder is not None:
            path = os.path.realpath(self._folder / name)
            if path.startswith(f"{self._folder}{os.sep}") and not _GLOB & set(path):
                self._check(path, name, part)
                return path
        copy = self._cache.path / f"{hashlib.sha256(name.encode()).hexdigest()[:40]}-{part.sha256[:16]}.parquet"
        if not self._cache.has(copy):
            digest = hashlib.sha256()
            with self._cache.writing(copy) as partial:
                with partial.open("wb") as file:
                    for piece in self._store.pieces([ByteRange(name, 0, part.size)]):
                        file.write(piece.content)
                        digest.update(piece.content)
                if digest.hexdigest() != part.sha256:
                    raise _other_content(name)
        return str(copy)

    def _check(self, path: str, name: str, part: Part) -> None:
        """Compare a file with the digest of its manifest, once for each time of its last change."""
        try:
            with open(path, "rb") as file:  # noqa: PTH123 (its real path is a text)
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise DamagedPartError(f"expected a file at {name}, got something else")
                state = (part.sha256, found.st_size, found.st_mtime_ns, found.st_ino)
                if self._checked.get(path) == state:
                    return
                if found.st_size != part.size:
                    raise DamagedPartError(f"expected {part.size:,} bytes in {name}, got {found.st_size:,}")
                digest = hashlib.sha256()
                while content := file.read(_AT_ONCE):
                    current().check()
                    digest.update(content)
        except FileNotFoundError:
            raise DamagedPartError(f"expected the file {name} of its manifest, got none") from None
        except OSError as error:
            raise StoreUnavailableError(
                f"expected to read {name!r}, got {error.strerror}: check space and permissions"
            ) from None
        if digest.hexdigest() != part.sha256:
            raise _other_content(name)
        self._checked[path] = state


def _without_type(part: Part, file: PartFile) -> set[str]:
    """The stored names of columns of objects that are all missing: other lines say what they are, as in a reading."""
    codes = parse(part.types).codes
    objects = [name for name, code in zip(stored_names(part.columns), codes, strict=True) if code == OBJECTS]
    return file.has_only_nulls(objects)


def _other_content(name: str) -> DamagedPartError:
    return DamagedPartError(f"expected the content of {name} that its manifest names, got another")


def _has_ends(part: Part) -> bool:
    """Whether a time may be one that DuckDB takes for an infinite one."""
    return any(group.first < -LAST_TIME or group.last > LAST_TIME for group in part.groups)


def _is_plain(part: Part) -> bool:
    """Whether DuckDB knows each column of a file by its name: it ignores case, and has no NUL in a name."""
    names = stored_names(part.columns)
    folded = {name.casefold() for name in names}
    if len(folded) < len(names) or folded & _OF_DUCKDB or any("\0" in name for name in names):
        return False
    return all(storage_type(field.type) is not None for field in own_schema(part.types, part.columns))
