"""The hot path from a record to its line: the rows, ids and times of a record are put between the pieces of its mold.

What a mold is, and why a record that fits it needs no decoding, says `mold.py`. Whatever fits none is left to
`event.read`, which knows everything and refuses with a reason. So nothing is decided here: for each record that is
taken here, `event.read` would have made the same line.
"""

from __future__ import annotations

import struct
from binascii import hexlify
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from . import body, cloudevent, event, mold, outline, rolling
from .exceptions import BadRecordError, UndecodableError
from .sink import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from .destinations import Destination
    from .mold import Mold

__all__ = ["Splicer"]

_MOST_MOLDS: Final = 1024
"""That are remembered; each takes a few KiB."""
_MOST_ALIKE: Final = 8
"""Molds of one sender with tails of one size: each record is held against all of them."""
_MOST_LEARNED: Final = 8
"""By one splicer: making a mold costs more than reading a record, and not every record has many like it."""


_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
"""Ids that are none; see `event.traceparent`."""


@dataclass(slots=True)
class _Molds:
    """Those of one sender, whose records begin alike.

    Attributes:
        opening: of all of them.
        by_tail: by their `tail_bytes`, the newest first.
        unpack_head: the tag, the time and the opening of a record.
    """

    opening: bytes = b""
    by_tail: dict[int, list[Mold]] = field(default_factory=dict)
    unpack_head: Callable[[bytes], tuple[int, int, bytes]] = field(init=False)

    def __post_init__(self) -> None:
        self.unpack_head = struct.Struct(f"<BQ{len(self.opening)}s").unpack_from


_molds: dict[tuple[object, ...], _Molds] = {}
"""By sender: all that lines depend on beside the record."""


@dataclass(slots=True)
class _Page:
    """Where the lines of one mold go, in the second of the record that was taken last.

    Attributes:
        destination: of its collection.
        before_rows: what a line has between the event id and the rows, the time in it.
        size: of the rows of the record that was taken last, in bytes.
        range: what a line says of that.
        lines: those of `folder`, if it has any yet.
    """

    destination: Destination
    second: int = -1
    before_rows: bytes = b""
    size: int = -1
    range: bytes = b""
    folder: str = ""
    lines: list[Line] | None = None


class _UnusualError(Exception):
    """This record fits a mold, and cannot be filled in as it is."""


class Splicer:
    """Makes the lines of one scope's ordinary records.

    Args:
        source: what they share.
        lines: lines by folder, to which theirs are added.
    """

    def __init__(self, source: event.Source, lines: dict[str, list[Line]]) -> None:
        self._source = source
        self._lines = lines
        self._molds = _molds.get((source.origin, source.agent)) or _Molds()
        self._pages: dict[Mold, _Page] = {}
        self._may_learn = _MOST_LEARNED

    def take(self, raw: bytes) -> bool:
        """Add the line of an encoded `LogRecord`, or return False where it is not of the ordinary kind."""
        try:
            return self._take(raw) or (self._learn(raw) and self._take(raw))
        except (_UnusualError, BadRecordError, UndecodableError, struct.error):
            return False

    def _take(self, raw: bytes) -> bool:
        """Add the line of a record that fits a known mold."""
        known = self._molds
        tag, time_ns, opening = known.unpack_head(raw)
        if tag != mold.TIME or opening != known.opening:
            return False
        place = outline.string_at(raw, mold.TIME_END + len(known.opening))
        if place is None:
            return False
        start, end = place
        for one in known.by_tail.get(len(raw) - end, ()):
            parts = one.unpack(raw, end)
            if parts[::2] == one.common:
                self._fill(one, time_ns, raw[start:end], parts)
                return True
        return False

    def _fill(self, one: Mold, time_ns: int, text: bytes, parts: tuple[bytes, ...]) -> None:
        """Add the line that has these parts of a record in its mold."""
        if not time_ns or b"".join(one.pick_texts(parts)).translate(None, mold.PLAIN):
            raise _UnusualError
        if not text.isascii():
            _check_utf8(text)
        rows = body.rows_of(text)
        page = self._pages.get(one) or self._open(one)
        if time_ns // rolling.NS_PER_SECOND != page.second:
            self._turn(page, one, time_ns)
        if len(text) != page.size:
            page.size, page.range = len(text), cloudevent.content_range(len(text)).encode()
        at_id, _, _, at_range, at_correlation, at_request, at_time, at_number, at_trace, at_span, end = one.pieces
        event_id, correlation_id, request_id, number, trace_id, span_id = one.pick(parts)
        if one.traced:
            if trace_id == _NO_TRACE or span_id == _NO_SPAN:
                raise _UnusualError
            trace_id, span_id = hexlify(trace_id), hexlify(span_id)
        line = b"".join(
            (
                at_id, event_id, page.before_rows, rows, at_range, page.range,
                at_correlation, correlation_id, at_request, request_id, at_time, b"%d" % time_ns,
                at_number, _digits(number) if one.numbered else b"", at_trace, trace_id, at_span, span_id, end,
            )
        )  # fmt: skip
        if len(line) > cloudevent.MAX_LINE_BYTES:
            raise _UnusualError
        if page.lines is None:
            page.lines = self._lines.setdefault(page.folder, [])
        page.lines.append(Line(event_id.decode(), line))

    def _open(self, one: Mold) -> _Page:
        page = self._pages[one] = _Page(self._source.destinations[one.collection])
        return page

    def _turn(self, page: _Page, one: Mold, time_ns: int) -> None:
        """Set `page` to the second of `time_ns`."""
        _, before_time, before_rows, *_ = one.pieces
        page.second = time_ns // rolling.NS_PER_SECOND
        page.before_rows = b"".join((before_time, cloudevent.time_text(time_ns).encode(), before_rows))
        page.folder = rolling.folder(page.destination.root, time_ns, page.destination.rolling_rate)
        page.lines = self._lines.get(page.folder)

    def _learn(self, raw: bytes) -> bool:
        """Make the mold of a record that fits none."""
        if not self._may_learn:
            return False
        self._may_learn -= 1
        made = mold.learn(raw, self._source)
        if made is None:
            return False
        if sum(len(alike) for molds in _molds.values() for alike in molds.by_tail.values()) >= _MOST_MOLDS:
            _molds.clear()
            self._molds = _Molds()
        if made.opening != self._molds.opening:
            self._molds = _Molds(made.opening)
        _molds[self._source.origin, self._source.agent] = self._molds
        alike = self._molds.by_tail.get(made.tail_bytes, [])
        self._molds.by_tail[made.tail_bytes] = [made, *alike[: _MOST_ALIKE - 1]]
        return True


def _check_utf8(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise _UnusualError from None


def _digits(raw: bytes) -> bytes:
    """The number that is encoded so, in decimal digits."""
    number, end = outline.varint(raw, 0)
    if end != len(raw):
        raise _UnusualError
    return b"%d" % number
