"""Writes Parquet files of bounded size, and reads each of them back before it counts as written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..compacted.content_digest import content_digest
from ..compacted.manifest import Part, RowGroup
from ..compacted.part_file import DamagedPartError, PartFile
from ..exceptions import ReaderError
from ..rows.compacted_rows import logical_table
from ..rows.stored_columns import EVENT, LINE, ROW
from .leaf_columns import leaf_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..blobs.store_access import StoreAccess
    from .row_group_tables import GroupTable

__all__ = ["OtherRowsError", "PartWriter", "checked_part"]

_PART_BYTES: Final = 96 << 20
"""Of the lines of a file; in Parquet they are about a fifth."""
_GROUP_ROWS: Final = 131_072
_GROUP_BYTES: Final = 32 << 20
"""Of the lines of a row group, which is in memory at once when it is read."""
_MOST_OPEN: Final = 8
"""Files that are being written, each in memory: one for each schema that an hour has lately."""
_LEVEL: Final = 3
_SAMPLE: Final = 16_384
"""Values that say whether compression is of use."""
_WORTH_IT: Final = 0.85
_NAME_BYTES: Final = 16
_MOST_NOTED: Final = 8 << 20
"""What the manifest of a folder says of its files: half of what it may have, the other half is for blobs."""
_MOST_NAMES: Final = 1 << 20
"""Of the types and column names of one file."""
_GROUP_NOTE: Final = 320
_PART_NOTE: Final = 512


class OtherRowsError(ReaderError):
    """A file does not give back what was written, or the rows of the lines: they stay lines."""


@dataclass(slots=True)
class _Waiting:
    """Tables of one schema, one after the other, that are going to be a row group."""

    key: tuple[Any, ...]
    tables: list[GroupTable] = field(default_factory=list)
    rows: int = 0
    size: int = 0


@dataclass(slots=True)
class _Open:
    """A file that is being written."""

    first: GroupTable
    sink: Any
    writer: Any
    groups: list[RowGroup] = field(default_factory=list)
    size: int = 0


class PartWriter:
    """Writes the tables of a folder into files, in their order.

    Args:
        store: takes the files.
        folder: the compacted folder.
        order: the place of the first row group in the folder.
        check: called before each file is stored; see `StoreAccess.locked`.
        before: files that the folder has already.
    """

    def __init__(
        self, store: StoreAccess, folder: str, order: int, check: Callable[[], None], before: Sequence[Part] = ()
    ) -> None:
        self._store = store
        self._noted = len(msgspec.json.format(msgspec.json.encode(before), indent=1))
        self._folder = folder
        self._order = order
        self._check = check
        self._waiting = _Waiting(())
        self._open: dict[tuple[Any, ...], _Open] = {}
        self.parts: list[Part] = []
        self.stored: dict[str, int] = {}

    def has_room(self, types: str, columns: Sequence[str]) -> bool:
        """Whether the manifest has room for one more file with rows of this schema. Events, as JSON, need little.

        Each schema has a file, whose columns the manifest names, and each change of schema a row group. Senders choose
        both, so an hour may have more of them than a manifest may have.
        """
        names = _noted_bytes(types, columns)
        return names <= _MOST_NAMES and self._noted + names <= _MOST_NOTED

    def add(self, group: GroupTable) -> None:
        """Add a table.

        Raises:
            OtherRowsError: a file does not give back the rows of the lines.
            StoreUnavailableError: a file cannot be stored, or what was read back is not what was written.
        """
        key = (group.kind, group.types, group.columns, tuple(group.table.column_names))
        waiting = self._waiting
        if waiting.tables and (
            key != waiting.key
            or waiting.rows + group.table.num_rows > _GROUP_ROWS
            or waiting.size + group.size > _GROUP_BYTES
        ):
            self._flush()
            waiting = self._waiting
        waiting.key = key
        waiting.tables.append(group)
        waiting.rows += group.table.num_rows
        waiting.size += group.size

    def finish(self) -> tuple[Part, ...]:
        """Store what is left, and return all files.

        Raises:
            StoreUnavailableError: as for `add`.
        """
        self._flush()
        for key in list(self._open):
            self._close(key)
        return tuple(self.parts)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, _Waiting(())
        if not waiting.tables:
            return
        one = self._file(waiting.key, waiting.tables[0])
        table = pa.concat_tables([group.table for group in waiting.tables])
        one.writer.write_table(table, row_group_size=max(1, table.num_rows))
        part = Part(name="", size=0, sha256="", kind=one.first.kind, types=one.first.types, columns=one.first.columns)
        one.groups.append(
            RowGroup(
                order=self._order,
                rows=table.num_rows,
                events=sum(group.events for group in waiting.tables),
                first=min(group.first for group in waiting.tables),
                last=max(group.last for group in waiting.tables),
                misplaced=sum(group.misplaced for group in waiting.tables),
                digest=content_digest(logical_table(table, part, self._folder)),
            )
        )
        self._order += 1
        self._noted += _GROUP_NOTE
        one.size += waiting.size
        if one.size >= _PART_BYTES:
            self._close(waiting.key)

    def _file(self, key: tuple[Any, ...], first: GroupTable) -> _Open:
        if key not in self._open:
            while len(self._open) >= _MOST_OPEN:
                self._close(next(iter(self._open)))
            self._noted += _PART_NOTE + _noted_bytes(first.types, first.columns)
            sink = pa.BufferOutputStream()
            self._open[key] = _Open(first, sink, _writer(sink, first.table))
        return self._open[key]

    def _close(self, key: tuple[Any, ...]) -> None:
        one = self._open.pop(key)
        one.writer.close()
        content = one.sink.getvalue().to_pybytes()
        kind = "part" if one.first.kind == "rows" else "events"
        digest = hashlib.sha256(content).hexdigest()
        part = Part(
            name=f"{kind}-{digest[: 2 * _NAME_BYTES]}.parquet",
            size=len(content),
            sha256=digest,
            kind=one.first.kind,
            types=one.first.types,
            columns=one.first.columns,
            groups=tuple(one.groups),
        )
        del content
        self._check()
        self.stored[f"{self._folder}/{part.name}"] = part.size
        self._store.put(f"{self._folder}/{part.name}", one.sink.getvalue().to_pybytes())
        checked_part(self._store, self._folder, part)
        self.parts.append(part)


def checked_part(store: StoreAccess, folder: str, part: Part) -> None:
    """Read a file, and compare its content with the digests of its manifest.

    Raises:
        OtherRowsError: it is another one, or has other rows than the lines.
        StoreUnavailableError: it cannot be read.
    """
    name = f"{folder}/{part.name}"
    content = store.read(name, part.size)
    if len(content) != part.size or hashlib.sha256(content).hexdigest() != part.sha256:
        raise OtherRowsError(f"expected {part.size:,} bytes in {name} as they were written, got others")
    try:
        file = PartFile(content, name, part)
        found = [content_digest(logical_table(file.read(number), part, name)) for number in range(len(part.groups))]
    except DamagedPartError as error:
        raise OtherRowsError(str(error)) from None
    if found != [group.digest for group in part.groups]:
        raise OtherRowsError(f"expected the rows of the lines in {name}, got others: report it as a bug")


def _noted_bytes(types: str, columns: Sequence[str]) -> int:
    return len(msgspec.json.encode((types, columns))) + 8 * len(columns)  # each name has a line of its own


def _writer(sink: Any, table: pa.Table) -> Any:
    """A writer of tables as this one, the first of the file, which says how each column is encoded."""
    leaves = leaf_columns(table)
    # Ids of rows share their beginnings.
    different = {"row_id", EVENT, ROW, LINE, "time"}
    shrinking = [path for path, values in leaves.items() if _shrinks(values)]
    return pq.ParquetWriter(
        sink,
        table.schema,
        compression=dict.fromkeys(leaves, "none") | dict.fromkeys(shrinking, "zstd"),
        compression_level=dict.fromkeys(shrinking, _LEVEL),
        use_dictionary=[path for path, values in leaves.items() if path not in different and _repeats(values)],
        column_encoding={name: "DELTA_BYTE_ARRAY" for name in table.column_names if name == "row_id"},
        write_page_checksum=True,
        write_statistics=[name for name in table.column_names if name != EVENT],
        store_schema=True,
    )


def _repeats(column: Any) -> bool:
    """Whether a dictionary is of use. One of texts that are all different takes time to read, and no less bytes."""
    if pa.types.is_floating(column.type):
        return False
    if pa.types.is_string(column.type):
        return bool(2 * pc.count_distinct(column).as_py() <= len(column))
    return True


def _shrinks(column: Any) -> bool:
    """Whether compression is of use. Measured values seldom shrink by more than their exponents do."""
    if not pa.types.is_floating(column.type):
        return True
    sample = column.slice(0, _SAMPLE)
    content = b"".join(chunk.drop_null().to_numpy(zero_copy_only=False).tobytes() for chunk in sample.chunks)
    return not content or len(pa.compress(content, "zstd", asbytes=True)) < _WORTH_IT * len(content)
