"""One Parquet file of a compacted folder, read a row group at a time.

A file is content of the store and may be damaged or forged. Before anything is unpacked its figures must equal those of
the manifest, and be within bounds; each page has a checksum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..exceptions import ReaderError
from .blob_file import BlobFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..blobs.store_access import StoreAccess
    from .manifest import Manifest, Part

__all__ = ["BLOB", "DamagedPartError", "PartFile"]

BLOB: Final = "_blob"
"""The column with the name of the blob of the line; it is read as a dictionary, because it seldom changes."""
_AT_ONCE: Final = 4 << 20
"""A file of this size is read with one request."""
_MOST_GROUP_BYTES: Final = 1 << 30
"""Of the columns of a row group in memory; a compaction writes a few dozen megabytes."""
_MOST_STRING_BYTES: Final = 64 << 20
_MOST_CONTAINERS: Final = 1 << 20
_DAMAGE: Final = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)
"""What Arrow raises for a file that is not as its footer says."""


class DamagedPartError(ReaderError):
    """A Parquet file is missing, damaged, or not the one that its manifest names."""


class PartFile:
    """See above.

    Args:
        content: the file, open or in memory.
        name: of the file, for errors.
        part: what the manifest says of it.

    Raises:
        DamagedPartError: it is another file.
        StoreUnavailableError: it cannot be read.
    """

    def __init__(self, content: BlobFile | bytes, name: str, part: Part) -> None:
        self.part = part
        self.name = name
        try:
            self._file = _opened(content)
            found = self._file.metadata
            if texts := _with_dictionary(self._file):
                self._file = _opened(content, texts, found)
            rows = [found.row_group(number).num_rows for number in range(found.num_row_groups)]
            sizes = [found.row_group(number).total_byte_size for number in range(found.num_row_groups)]
        except _DAMAGE as error:
            raise self._damaged(error) from None
        if rows != [group.rows for group in part.groups]:
            raise DamagedPartError(f"expected the row groups that the manifest names in {self.name}, got others")
        if max(sizes, default=0) > _MOST_GROUP_BYTES or min(sizes, default=0) < 0:
            raise DamagedPartError(f"expected row groups of at most {_MOST_GROUP_BYTES >> 20} MiB in {self.name}")

    @classmethod
    def opened(cls, store: StoreAccess, manifest: Manifest, part: Part) -> PartFile:
        """A file of a folder, whose row groups are read when they are asked for.

        Args:
            store: has the file.
            manifest: that vouches for it.
            part: what the manifest says of it.

        Raises:
            DamagedPartError: it is another file.
            StoreUnavailableError: it cannot be read.
        """
        name = manifest.part_name(part)
        if part.size > _AT_ONCE:
            return cls(BlobFile(store, name, part.size), name, part)
        return cls(store.read(name, part.size), name, part)

    @property
    def columns(self) -> list[str]:
        """The columns of the file."""
        return list(self._file.schema_arrow.names)

    def read(self, number: int, columns: Collection[str] | None = None) -> pa.Table:
        """A row group.

        Args:
            number: of the group in the file.
            columns: only these; a column that the file does not have is left out. None means all.

        Raises:
            DamagedPartError: it is damaged.
            StoreUnavailableError: it cannot be read.
        """
        names = self.columns if columns is None else [name for name in self.columns if name in set(columns)]
        try:
            # A name with a dot names a nested field, too: what was not asked for is left out afterwards.
            table = self._file.read_row_group(number, columns=names, use_threads=False).select(names)
            return self._without_dictionaries(table)
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def _without_dictionaries(self, table: pa.Table) -> pa.Table:
        """A row group with all texts beside each other, if there is room for them."""
        columns = []
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_dictionary(column.type) and name != BLOB:
                if sum(map(_decoded_bytes, column.chunks)) > _MOST_GROUP_BYTES:
                    raise DamagedPartError(
                        f"expected at most {_MOST_GROUP_BYTES >> 20} MiB of {name!r:.80} in {self.name}, got more"
                    )
                column = column.cast(column.type.value_type)  # noqa: PLW2901 (its plain form)
            columns.append(column)
        return pa.table(columns, names=table.column_names)

    def may_have(self, number: int, values: Mapping[str, Any]) -> bool:
        """Whether a row group may have a row with these values, as far as its statistics say it.

        Args:
            number: of the group in the file.
            values: by column.
        """
        group = self._file.metadata.row_group(number)
        for name, index in self._places(values).items():
            known = group.column(index).statistics
            if values[name] is None or known is None or not known.has_min_max:
                continue
            try:
                if not known.min <= values[name] <= known.max:
                    return False
            except TypeError:  # of another type, which a compaction does not write
                return True
        return True

    def has_only_nulls(self, columns: Collection[str]) -> set[str]:
        """The columns among these that have no value in any row, as far as the statistics say it."""
        groups = [self._file.metadata.row_group(number) for number in range(self._file.metadata.num_row_groups)]
        if not columns or not groups:
            return set()
        return {
            name
            for name, index in self._places(columns).items()
            if all(_is_null(group.column(index), group.num_rows) for group in groups)
        }

    def _places(self, names: Collection[str]) -> dict[str, int]:
        """Where the statistics of some columns are; a nested column has none.

        The field `b` of the column `a` has the path `a.b`, which may also be the name of another column.
        """
        leaves = self._file.schema
        every = ((leaves.column(index), index) for index in range(len(leaves)))
        return {leaf.path: index for leaf, index in every if leaf.name == leaf.path and leaf.path in names}

    def _damaged(self, error: Any) -> Exception:
        if isinstance(error, ReaderError):  # of the store
            return error
        return DamagedPartError(f"expected a Parquet file in {self.name}, got a damaged one: {_first_line(error)}")


def _opened(content: BlobFile | bytes, texts: Sequence[str] = (), metadata: Any = None) -> pq.ParquetFile:
    return pq.ParquetFile(
        pa.BufferReader(content) if isinstance(content, bytes) else pa.PythonFile(content, mode="r"),
        metadata=metadata,
        pre_buffer=True,
        read_dictionary=[BLOB, *texts],
        page_checksum_verification=True,
        thrift_string_size_limit=_MOST_STRING_BYTES,
        thrift_container_size_limit=_MOST_CONTAINERS,
    )


def _with_dictionary(file: pq.ParquetFile) -> list[str]:
    """The columns of texts that repeat: to read them with their dictionary takes a third of the time.

    A name with a dot may also be that of a nested field, which has none.
    """
    found = file.metadata
    if not found.num_row_groups:
        return []
    group = found.row_group(0)
    coded = {group.column(index).path_in_schema for index in range(group.num_columns) if _is_coded(group.column(index))}
    return [
        one.name for one in file.schema_arrow if one.type == pa.string() and one.name in coded and "." not in one.name
    ]


def _is_null(column: Any, rows: int) -> bool:
    known = column.statistics
    return known is not None and bool(known.has_null_count) and known.null_count == rows


def _is_coded(column: Any) -> bool:
    return bool(column.has_dictionary_page)


def _decoded_bytes(chunk: Any) -> int:
    """At least the bytes of the texts of an array with a dictionary."""
    if not len(chunk.dictionary):
        return 0
    lengths = pc.binary_length(chunk.dictionary)
    most = int(pc.max(lengths).as_py() or 0) * len(chunk)
    return most if most <= _MOST_GROUP_BYTES else int(pc.sum(lengths.take(chunk.indices).cast(pa.int64())).as_py() or 0)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
