"""Takes chosen rows out of lines: a whole line, or some rows, which become `{}` so that the others keep their ids.

Everything else of a line stays as it is, byte for byte in a line of the receiver. `contentrange` says the new size, and
`erasedrows` which rows are gone. Rows in an object of their own are rewritten there, under a new name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.payload_path import payload_path
from otel_modeldata_receiver.mapping.cloudevent import content_range, rows_object_name
from otel_modeldata_receiver.storage.parking.parked_names import parked_object

from ...lines.erased_rows import erased_of, ranges_of, ranges_text, united
from ..choosing.selection import ALL_ROWS, covers
from .line_keys import ids_of_lines, keys_of, members_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...blobs.store_access import StoreAccess
    from ...lines.erased_rows import RowRanges
    from ..choosing.selection import Selection
    from .line_keys import LineKeys, Members

__all__ = ["LineChange", "LineEraser", "NewObject", "object_start", "rows_of"]

_MOST_OBJECT_BYTES: Final = 512 << 20
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)
_encode: Final = msgspec.json.Encoder().encode
_EMPTY: Final = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """Rows that are an object of their own, without the chosen ones."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChange:
    """What becomes of a line with chosen rows.

    Attributes:
        line: the new line; empty if it goes.
        rows: how many rows are gone.
        keys: what the line said; None for a damaged one.
        old_object: the object that is no longer needed, if no other line refers to it.
        new_object: the one that takes its place.
        object_size: bytes of the old object.
    """

    line: bytes
    rows: int
    keys: LineKeys | None
    old_object: str = ""
    new_object: NewObject | None = None
    object_size: int = 0


class LineEraser:
    """Erases from the lines of one folder.

    Args:
        selection: the chosen rows.
        store: has the objects that lines refer to.
        root: the collection's folder.
        folder: where payloads of the lines are looked for.
        objects: the objects of the store, see `StoredPayloads`.
        source: only lines whose source ends with this; empty for all.
        parked_by: the receiver that has parked the lines; new objects of theirs are parked by it, too. None if they are
            in their folder.
    """

    def __init__(  # noqa: PLR0913 (made in few places)
        self,
        selection: Selection,
        store: StoreAccess,
        root: str,
        folder: str,
        objects: Mapping[str, tuple[str, int]],
        *,
        source: str = "",
        parked_by: str | None = None,
    ) -> None:
        self._selection = selection
        self._store = store
        self._root = root
        self._folder = folder
        self._objects = objects
        self._source = source
        self._parked_by = parked_by
        self._in_rows = selection.in_rows(root)

    def touched(self, content: bytes, count: int) -> list[int] | None:
        """The numbers of the lines in a block that may have chosen rows; None if they must be looked at one by one."""
        ids = ids_of_lines(content, count)
        if ids is None:
            return None
        has_any = self._selection.has_any
        if not self._in_rows:
            return [number for number, one in enumerate(ids) if has_any(*one[:3])]
        return [number for number, one in enumerate(ids) if has_any(*one[:3]) or self._may_name(bytes(one[3]))]

    def change(self, line: bytes) -> LineChange | None:
        """What becomes of a line, with its line feed if it has one; None if it stays as it is.

        Raises:
            StoreUnavailableError: the object of the line cannot be read.
        """
        members = members_of(line)
        if members is None:
            return LineChange(line=b"", rows=0, keys=None) if self._selection.is_in(line) else None
        keys = keys_of(members)
        if self._source and not keys.source.lower().endswith(self._source):
            return None
        chosen = self._selection.rows_of(self._root, keys.id, keys.correlation_id, keys.trace_id)
        if not chosen and not self._in_rows:
            return None
        name = self._object_of(keys)
        content = self._content(keys, name) if chosen != ALL_ROWS or not keys.is_binary else b""
        rows = rows_of(content)
        if rows is None:  # one value, as a body is: it is row 0
            named = self._in_rows and self._selection.names_any(self._root, content)
            return self._gone(keys, name, 1) if named or covers(chosen, 0, 0) else None
        return self._without(line, members, keys, rows, chosen, name)

    def _may_name(self, data: bytes) -> bool:
        """Whether rows may name what is chosen, as far as can be said without looking at each of them."""
        if not data:  # they are an object of their own
            return True
        rows = rows_of(data)
        return any(self._selection.names_any(self._root, row) for row in (rows if rows is not None else [data]))

    def mentions(self, line: bytes) -> int:
        """How many rows of a line have a chosen id as a value of any column, and stay.

        Raises:
            StoreUnavailableError: the object of the line cannot be read.
        """
        members = members_of(line)
        if members is None:
            return 0
        keys = keys_of(members)
        if self._source and not keys.source.lower().endswith(self._source):
            return 0
        chosen = self._selection.rows_of(self._root, keys.id, keys.correlation_id, keys.trace_id)
        content = self._content(keys, self._object_of(keys))
        rows = rows_of(content)
        return sum(
            self._selection.mentions_any(row) and not self._selection.names_any(self._root, row)
            for number, row in enumerate([content] if rows is None else rows)
            if not covers(chosen, number, number)
        )

    def _without(  # noqa: PLR0913, PLR0917 (the parts of one line)
        self, line: bytes, members: Members, keys: LineKeys, rows: list[bytes], chosen: RowRanges, name: str
    ) -> LineChange | None:
        if self._in_rows:
            named = [(number, number) for number, row in enumerate(rows) if self._selection.names_any(self._root, row)]
            chosen = united((*chosen, *named))
        last = len(rows) - 1
        before = united((first, min(end, last)) for first, end in ranges_of(keys.erased))
        erased = united((*before, *((first, min(end, last)) for first, end in chosen)))
        if erased == before and chosen != ALL_ROWS:
            return None
        already = erased_of(keys.erased, len(rows))
        if covers(erased, 0, last) or not rows:
            return self._gone(keys, name, len(rows) - already)
        for first, end in erased:
            rows[first : end + 1] = [_EMPTY] * (end + 1 - first)
        count = erased_of(ranges_text(erased), len(rows)) - already
        return self._cut(line, members, keys, b"[%b]" % b",".join(rows), ranges_text(erased), name, count)

    def _gone(self, keys: LineKeys, name: str, rows: int) -> LineChange:
        stored, size = self._objects.get(name, ("", 0))
        return LineChange(line=b"", rows=rows, keys=keys, old_object=stored, object_size=size)

    def _cut(  # noqa: PLR0913, PLR0917 (the parts of one line)
        self, line: bytes, members: Members, keys: LineKeys, data: bytes, erased: str, name: str, rows: int
    ) -> LineChange:
        members = dict(members)
        new = None
        stored, size = self._objects.get(name, ("", 0))
        if keys.dataref is None:
            members["data"] = msgspec.Raw(data)
        elif name:
            new_name = f"{name.rpartition('/')[0]}/{rows_object_name(keys.id, data)}"
            new_stored = new_name
            if self._parked_by is not None:
                new_stored = parked_object(new_name, semconv.JSON_CONTENT_TYPE, self._parked_by)
            new = NewObject(name=new_stored, content=data)
            members["dataref"] = msgspec.Raw(_encode(self._store.url_of(new_name)))
        if "contentrange" in members:
            members["contentrange"] = msgspec.Raw(_encode(content_range(len(data))))
        members[semconv.ERASED_ROWS_KEY] = msgspec.Raw(_encode(erased))
        content = b",".join(b"%b:%b" % (_encode(key), bytes(value)) for key, value in members.items())
        end = line[len(line.rstrip(b" \t\r\n")) :]
        return LineChange(
            line=b"{%b}%b" % (content, end),
            rows=rows,
            keys=keys,
            old_object=stored if new is not None and new.name != stored else "",
            new_object=new,
            object_size=size if new is not None else 0,
        )

    def _object_of(self, keys: LineKeys) -> str:
        """The name of the object of a line; empty if it has none, or the store has it not."""
        reference = keys.dataref
        if reference is None and keys.is_binary:
            try:
                reference = _text.decode(keys.data)
            except msgspec.DecodeError:
                return ""
        return "" if reference is None else payload_path(self._folder, reference).found(self._objects) or ""

    def _content(self, keys: LineKeys, name: str) -> bytes:
        if keys.dataref is None and not keys.is_binary:
            return keys.data
        stored, size = self._objects.get(name, ("", 0))
        return self._store.read(stored, size) if stored and not keys.is_binary and size <= _MOST_OBJECT_BYTES else b""


def object_start(event_id: str) -> str:
    """What the names of the objects with rows of an event begin with; a hyphen and a digest follow."""
    return rows_object_name(event_id, b"").rpartition("-")[0]


def rows_of(content: bytes) -> list[bytes] | None:
    """The rows of a payload; None if it is no list of objects."""
    if not content.lstrip().startswith(b"["):
        return None
    try:
        rows = [bytes(row) for row in _rows.decode(content)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return rows if all(row.startswith(b"{") for row in rows) else None
