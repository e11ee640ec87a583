"""Encodes a pandas DataFrame as the JSON text of its records, always strict JSON.

Rules for values (every one has a test named after it):

- One value is written one way, whatever is beside it: each column is read by its own type, `columns.py`.
- float64, float32 and float16 round-trip, each in its own shortest text; int64, uint64 and Python ints are exact.
- NaN, NaT, None, `pandas.NA` and masked values become null; so do +inf and -inf, for which strict JSON has no number.
- Timestamps become ISO 8601 text with all their digits (ns) and their offset; Timedeltas ISO 8601 durations.
- Decimal becomes a JSON number with its own digits; bytes become base64 text; categories and enums their values;
  Period and Interval their text; lists, arrays, tuples and sets become arrays; dicts and dataclasses become objects.
- Anything else, and text with a lone surrogate, is refused; the error names the column and row.

Rules for the names of columns: `column_names.py`. The index is not collected.

`collect` copies a frame, and the delivery thread encodes the copy: copying 1000 x 23 floats takes 10 us, encoding 2 ms.
Two kinds of frames are encoded at once: those of which a cell may be refused (`snapshot.py`), and those whose text may
be too large to send.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

import msgspec

from ..exceptions import UnsupportedValueError
from ..validation.json_rows import MOST_OBJECTS, are_rows_in_pieces
from .column_names import ArrowLabels, kept_labels, most_characters
from .columns import lists_of, row_of
from .datatypes.frame_types import types_of_copy, types_of_frame
from .kept.memory import labels_bytes
from .kept.part import CHECKED_BYTES, UNEQUAL
from .number_range import check_integers
from .refusals import REFUSED, refusal
from .snapshot import Snapshot, snapshot_of

if TYPE_CHECKING:
    import pandas as pd

    from .column_names import ColumnNameCache, ColumnNames

MAX_DEFERRED_BYTES = 8 * 2**20
"""Larger frames are encoded at once: `collect` has to refuse a frame whose text is too large to send. The text of a
number takes at most three times its bytes."""

MAX_JOINED_BYTES = 2**20
"""Frames share an event up to this size: well below the 4 MiB of a line."""

_SMALL_BYTES = 4096 * 8
_SMALL_ROWS = 64
"""Frames of at most 4,096 cells in so many rows are small, whatever the names of their columns are. A cell takes at
least 8 bytes."""

_SURELY_SMALL_BYTES = MAX_DEFERRED_BYTES // 2

_CHUNK_CELLS = 3072
"""Cells that are encoded in one go, which takes about 0.2 ms. Between chunks another thread may run, such as one that
scores: encoding would block it."""
_CHUNK_BYTES = 32 * 1024
"""The same for cells that are long texts or arrays."""
_READ_CHUNKS = 8
_READ_ROWS = 1024
"""More cells are read in one go, but of one column not too many: to begin with a column costs more than a cell."""

Pause = Callable[[], object]
"""Lets another thread run, if the calling one has run for long."""


_Read = Callable[[slice, Pause], list[list[Any]]]
"""The cells of some rows, a list for every column."""


def no_pause() -> None:
    """For threads of the application, which must not wait."""


class Rows:
    """The rows of one or more frames: JSON text, or a copy of the frame that is encoded later.

    Args:
        frame: the frame as the caller gave it.
        column_names: of the collection; used by the thread that encodes.

    Attributes:
        count: number of rows.
        nbytes: approximate size of the data; exact once encoded.
        memory: what the rows take while they wait.
        is_text: always true, because JSON is UTF-8.
    """

    __slots__ = (
        "_column_names",
        "_is_checked",
        "_labels",
        "_later",
        "_source",
        "_text",
        "_types",
        "count",
        "memory",
        "nbytes",
    )

    is_text = True

    def __init__(self, frame: pd.DataFrame, column_names: ColumnNameCache) -> None:
        self._column_names = column_names
        self._later: list[Rows] | None = None
        self._is_checked = False
        self._text: bytes | bytearray = b""
        self._types = ""
        self._source = snapshot = snapshot_of(frame, MAX_DEFERRED_BYTES)
        if snapshot is not None:
            self.count = snapshot.count
            self.nbytes = snapshot.nbytes
            self._labels = snapshot.labels
            self.memory = snapshot.memory
            if self.nbytes <= _SMALL_BYTES and self.count <= _SMALL_ROWS:
                return
            labels = snapshot.labels
            # Each name has four bytes or more, so this says all that `_may_wait` does.
            if type(labels) is ArrowLabels and labels.is_whole() and self.count * labels.nbytes <= _SURELY_SMALL_BYTES:
                return
            if type(labels) is tuple and self.count * snapshot.labels_bytes <= _SURELY_SMALL_BYTES:
                return
            if self._may_wait(snapshot.width()):
                return
            self._source = None
        self.count = len(frame)
        self._labels = kept_labels(frame.columns)
        self._text = _encode(frame, self._columns())
        self._types = types_of_frame(frame)
        self.nbytes = len(self._text)
        self.memory = sys.getsizeof(self._text) + labels_bytes(self._labels)

    def _may_wait(self, width: int) -> bool:
        """Whether the text of so many cells, with the names of columns in every row, is certainly not too large."""
        if self.count * max(1, width) > MAX_DEFERRED_BYTES // 8:
            return False
        most = MAX_DEFERRED_BYTES // max(1, self.count)
        return most_characters(self._labels, width) <= most or sum(map(len, self._columns().names)) <= most

    def may_join(self, later: Rows, nbytes: int) -> bool:
        """Whether one event of `nbytes` may hold both: columns are equal, the sum is small, text is checked."""
        if nbytes + later.nbytes > MAX_JOINED_BYTES or self._columns().names != later._columns().names:
            return False
        return self._is_surely_sent() and later._is_surely_sent()

    def _is_surely_sent(self) -> bool:
        """Whether the rows are not refused later, which would affect those that they join; checks text if need be."""
        source = self._source
        if self._is_checked or source is None or not source.is_unchecked():
            return True
        if self.nbytes > CHECKED_BYTES:
            return False
        try:
            source.check(self._columns().names, no_pause)
        except UnsupportedValueError:
            return False
        self._is_checked = True
        return True

    def join(self, later: Rows) -> None:
        """Append other rows to these, after `may_join`."""
        if self._later is None:
            self._later = []
        self._later.append(later)
        self.count += later.count
        self.nbytes += later.nbytes

    def text(self, pause: Pause = no_pause) -> bytes | bytearray:
        """The rows as a JSON array of objects, UTF-8.

        Args:
            pause: called between chunks of rows.

        Raises:
            UnsupportedValueError: large text of Arrow is not UTF-8.
        """
        if self._source is not None:
            self._text = self._encoded(self._source, pause)
            self._types = types_of_copy(self._source)
            self._source = None
        if self._later is not None:
            self._text = _joined([self._text, *(rows.text(pause) for rows in self._later)])
            if any(rows.types != self._types for rows in self._later):
                self._types = ""
            self._later = None
        self.nbytes = len(self._text)
        return self._text

    @property
    def types(self) -> str:
        """What types the columns have (`datatypes/`), after `text`; empty if they cannot be said for all rows."""
        return self._types

    def _encoded(self, source: Snapshot, pause: Pause) -> bytes | bytearray:
        columns = self._columns()
        if source.count == 1:  # `self.count` has the rows that joined, too
            try:
                cells = [cell for (cell,) in source.lists(_FIRST_ROW, no_pause)]
            except UnicodeDecodeError:
                source.check(columns.names, no_pause)
                raise
            return _encode_row(cells, columns)
        if not self._is_checked and source.is_unchecked():
            source.check(columns.names, pause)
        return _encode_chunks(source.lists, source.count, source.nbytes, columns, pause)

    def _columns(self) -> ColumnNames:
        return self._column_names.names_of(self._labels)


def _joined(arrays: list[bytes | bytearray]) -> bytes:
    """Join JSON arrays into one."""
    return b"[" + b",".join(array[1:-1] for array in arrays if len(array) > len(b"[]")) + b"]"


def _encode(frame: pd.DataFrame, columns: ColumnNames) -> bytes | bytearray:
    try:
        text = _encode_now(frame, columns)
        check_integers(text)
    except REFUSED as error:
        raise refusal(frame, columns.names, _ENCODER, error) from None
    _check_objects(text)
    return text


def _check_objects(text: bytes | bytearray) -> None:
    """Refuse a frame with so many objects in its cells that a receiver refuses it (`json_rows.py`).

    Raises:
        UnsupportedValueError: it has more.
    """
    if len(text) > MOST_OBJECTS * len(b"{},") and text.count(b"{") > MOST_OBJECTS and not are_rows_in_pieces(text):
        raise UnsupportedValueError(
            f"expected at most {MOST_OBJECTS} objects in a frame with objects in its cells, got {text.count(b'{')}: "
            "collect it in parts, or what is in the cells as rows of another collection"
        )


def _encode_now(frame: pd.DataFrame, columns: ColumnNames) -> bytes | bytearray:
    if len(frame) == 1:
        return _encode_row(row_of(frame), columns)
    lists = lists_of(frame)
    return _encode_chunks(lambda rows, _: [cells[rows] for cells in lists], len(frame), 0, columns, no_pause)


def _encode_row(cells: list[Any], columns: ColumnNames) -> bytes:
    """The JSON of the only row: most frames of scoring have one."""
    return _ENCODER.encode((columns.row(*cells),))


def _encode_chunks(read: _Read, count: int, nbytes: int, columns: ColumnNames, pause: Pause) -> bytearray:
    """The JSON of rows, some at a time.

    Args:
        read: reads the cells.
        count: number of rows.
        nbytes: what they hold, about.
        columns: their names.
        pause: called after each piece of the work.

    Raises:
        ValueError: a column has less cells, because a thread changed the frame while it was read.
    """
    row, width = columns.row, len(columns.names)
    step = max(1, min(_CHUNK_CELLS // max(1, width), _CHUNK_BYTES * count // max(1, nbytes)))
    read_step = min(step * _READ_CHUNKS, _READ_ROWS)
    text = bytearray()
    for first in range(0, count, read_step):
        lists = read(slice(first, first + read_step), pause)
        length = min(read_step, count - first)
        rows = map(row, *lists) if lists else repeat(row(), length)
        for start in range(0, length, step):
            part = list(islice(rows, step))
            if len(part) < min(step, length - start):
                raise ValueError(UNEQUAL)
            # Its opening bracket is written over the closing one of the rows before, and becomes the comma between
            # them.
            seam = max(0, len(text) - 1)
            _ENCODER.encode_into(part, text, seam)
            if seam:
                text[seam] = ord(",")
            pause()
    return text or bytearray(b"[]")


_FIRST_ROW = slice(0, 1)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
