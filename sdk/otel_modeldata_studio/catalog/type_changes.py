"""Columns whose type changed from one folder to the next one, by manifests and by the first lines of each folder."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_reader.blobs.byte_ranges import ByteRange
from otel_modeldata_reader.lines.envelope import decode_line
from otel_modeldata_reader.types.data_types import OBJECTS, parse
from otel_modeldata_reader.types.grammar import TypesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_modeldata_reader.blobs.store_access import StoreAccess

    from .collection_hours import Folder
    from .hour_counts import HourCounts

__all__ = ["ColumnTypes", "TypeChange", "TypeSamples", "type_changes"]

_SAMPLE_BYTES: Final = 32 << 10
_MOST_FOLDERS: Final = 200
"""The newest ones of a collection: a week of hours."""
_MOST_CHANGES: Final = 200
_MOST_COLUMNS: Final = 2_000
_MOST_KEPT: Final = 20_000
ColumnTypes = dict[str, str | None]
"""The Arrow type of each column, as text; None for one that is null in all rows that were looked at."""

_OBJECTS: Final = "text"
"""The type of objects that are texts, or all missing."""

_rows: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeChange:
    """A change.

    Attributes:
        root: folder of the collection.
        column: its name.
        before: the type in the folders before; None if they have no such column.
        after: the type from then on; None if they have none.
        date: the folder in which it changed.
    """

    root: str
    column: str
    before: str | None
    after: str | None
    date: str


class TypeSamples:
    """The types of the columns of folders; those of a folder are read once.

    Args:
        store: has the lines.
        counts: knows manifests.
    """

    def __init__(self, store: StoreAccess, counts: HourCounts) -> None:
        self._store = store
        self._counts = counts
        self._lock = threading.Lock()
        self._known: dict[str, ColumnTypes] = {}

    def of(self, folders: Sequence[Folder]) -> list[tuple[str, ColumnTypes]]:
        """The types in the newest folders, the oldest first, with the dates of the folders.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        newest = list(reversed(folders[:_MOST_FOLDERS]))
        found = {one.date: self._of_manifest(one) for one in newest}
        first = {
            one.date: blob
            for one in newest
            if (not found[one.date] or None in found[one.date].values()) and (blob := _first(one)) is not None
        }
        with self._lock:
            unread = [blob for blob in first.values() if blob.blob not in self._known]
        contents = self._store.read_ranges(unread)
        known = {one.blob: _types_in(content) for one, content in zip(unread, contents, strict=True)}
        with self._lock:
            self._known |= known
            for name in list(self._known)[: max(0, len(self._known) - _MOST_KEPT)]:
                del self._known[name]
            found |= {date: _merged([found[date], self._known.get(blob.blob, {})]) for date, blob in first.items()}
        return [(one.date, found[one.date]) for one in newest if found[one.date]]

    def _of_manifest(self, folder: Folder) -> ColumnTypes:
        """The types in a manifest, which does not say whether a column of objects has texts or nulls only."""
        shown = [
            _shown(text, names) for text, names in self._counts.types(folder.summaries) if len(names) <= _MOST_COLUMNS
        ]
        return _merged({name: None if kind == _OBJECTS else kind for name, kind in one.items()} for one in shown)


def type_changes(root: str, types: Sequence[tuple[str, Mapping[str, str | None]]]) -> list[TypeChange]:
    """The changes of a collection, the newest first.

    Args:
        root: folder of the collection.
        types: of its folders, the oldest first.
    """
    changes: list[TypeChange] = []
    latest: dict[str, str] = {}
    names: set[str] = set()
    for date, found in types:
        for column, kind in found.items():
            before = latest.get(column)
            if names and column not in names:
                changes.append(TypeChange(root=root, column=column, before=None, after=kind or "null", date=date))
            elif before is not None and kind is not None and before != kind:
                changes.append(TypeChange(root=root, column=column, before=before, after=kind, date=date))
        for column in sorted(names - found.keys()):
            kind = latest.get(column, "null")
            changes.append(TypeChange(root=root, column=column, before=kind, after=None, date=date))
        latest |= {column: kind for column, kind in found.items() if kind is not None}
        names = set(found)
    return changes[::-1][:_MOST_CHANGES]


def _first(folder: Folder) -> ByteRange | None:
    blob = next((one for one in folder.blobs if one.size), None)
    return None if blob is None else ByteRange(blob.name, 0, min(blob.size, _SAMPLE_BYTES))


def _types_in(content: bytes) -> ColumnTypes:
    """The types that the first lines of a blob say, of the columns that have a value there."""
    return _merged(_of_line(line) for line in content.split(b"\n")[:-1])


def _of_line(line: bytes) -> ColumnTypes:
    envelope = decode_line(line)
    if envelope is None or not envelope.datatypes:
        return {}
    try:
        rows = _rows.decode(envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not rows or len(rows[0]) > _MOST_COLUMNS:
        return {}
    shown = _shown(envelope.datatypes, tuple(rows[0]))
    return {name: kind if any(_has_value(row.get(name)) for row in rows) else None for name, kind in shown.items()}


def _has_value(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw) != b"null"


def _shown(text: str, names: Sequence[str]) -> ColumnTypes:
    try:
        types = parse(text)
    except TypesError:
        return {}
    if len(types.codes) != len(names):
        return {}
    kinds = (_OBJECTS if code == OBJECTS else str(kind) for code, kind in zip(types.codes, types.kinds, strict=True))
    return dict(zip(names, kinds, strict=True))


def _merged(found: Iterable[ColumnTypes]) -> ColumnTypes:
    """Of each column the first type that is known."""
    merged: ColumnTypes = {}
    for one in found:
        merged |= {name: kind for name, kind in one.items() if merged.get(name) is None}
    return merged
