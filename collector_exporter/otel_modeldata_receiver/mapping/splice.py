"""The hot path from a record to its line: the rows, ids and times of a record are put between the pieces of its mold.

What a mold is, and why a record that fits it needs no decoding, says `mold.py`. Whatever fits none is left to
`event.read`, which knows everything and refuses with a reason. So nothing is decided here: for each record that is
taken here, `event.read` would have made the same line.
"""

from __future__ import annotations

from binascii import hexlify
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import BadRecordError, UndecodableError
from ..layout import partition
from ..line import Line
from . import body, cloudevent, log_record, mold, protowire

if TYPE_CHECKING:
    from ..layout.destination import Destination
    from .mold import Mold

__all__ = ["Splicer"]

_MOST_SENDERS: Final = 256
_MOST_MOLDS: Final = 32
"""That are remembered of so many senders: 4 KiB each, and a record may be held against all of its sender's."""
_MOST_LEARNED: Final = 8
"""By one splicer; one if its sender has all the molds it may have: making one costs more than reading a record."""
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
"""Ids that are none; see `event.traceparent`."""

_molds: dict[tuple[object, ...], list[Mold]] = {}
"""The newest first, by sender: all that lines depend on beside the record."""


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
    """This record fits no mold, or cannot be filled in as it is."""


class Splicer:
    """Makes the lines of one scope's ordinary records.

    Args:
        source: what they share.
        lines: lines by folder, to which theirs are added.
    """

    def __init__(self, source: log_record.Source, lines: dict[str, list[Line]]) -> None:
        self._source = source
        self._lines = lines
        self._molds = _molds.get((source.origin, source.agent), [])
        self._last: Mold | None = None
        self._followed_by: dict[Mold | None, Mold] = {}
        """What came after a record of each mold, the last time: mostly, what comes now."""
        self._pages: dict[Mold, _Page] = {}
        self._may_learn = _MOST_LEARNED if len(self._molds) < _MOST_MOLDS else 1

    def take(self, raw: bytes) -> bool:
        """Add the line of an encoded `LogRecord`, or return False where it is not of the ordinary kind."""
        one = self._followed_by.get(self._last)
        try:
            if one is None or (found := one.fit(raw)) is None:
                one, found = self._search(raw)
            self._fill(one, *found)
        except (_UnusualError, BadRecordError, UndecodableError):
            return False
        self._last = one
        return True

    def _search(self, raw: bytes) -> tuple[Mold, tuple[bytes, tuple[bytes, ...]]]:
        """The mold that a record fits, known or new, and what `Mold.fit` finds."""
        for one in self._molds:
            if (found := one.fit(raw)) is not None:
                self._followed_by[self._last] = one
                return one, found
        if not self._may_learn:
            raise _UnusualError
        self._may_learn -= 1
        made = mold.learn(raw, self._source)
        if made is None or (found := made.fit(raw)) is None:
            raise _UnusualError
        self._remember(made)
        return made, found

    def _remember(self, made: Mold) -> None:
        sender = (self._source.origin, self._source.agent)
        if sender not in _molds and len(_molds) >= _MOST_SENDERS:
            del _molds[next(iter(_molds))]
        self._molds = _molds[sender] = [made, *self._molds[: _MOST_MOLDS - 1]]

    def _fill(self, one: Mold, text: bytes, parts: tuple[bytes, ...]) -> None:
        """Add the line that has these parts of a record in its mold."""
        raw_time, event_id, correlation_id, request_id, number, trace_id, span_id = one.pick(parts)
        time_ns = int.from_bytes(raw_time, "little")
        if not time_ns or b"".join(one.pick_texts(parts)).translate(None, mold.PLAIN):
            raise _UnusualError
        if not text.isascii():
            _check_utf8(text)
        rows = body.rows_of(text)
        if one.traced:
            if trace_id == _NO_TRACE or span_id == _NO_SPAN:
                raise _UnusualError
            trace_id, span_id = hexlify(trace_id), hexlify(span_id)
        page = self._pages.get(one) or self._open(one)
        if time_ns // partition.NS_PER_SECOND != page.second:
            self._turn(page, one, time_ns)
        if len(text) != page.size:
            page.size, page.range = len(text), cloudevent.content_range(len(text)).encode()
        at_id, _, _, at_range, at_correlation, at_request, at_time, at_number, at_trace, at_span, end = one.pieces
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
        page.second = time_ns // partition.NS_PER_SECOND
        page.before_rows = b"".join((before_time, cloudevent.time_text(time_ns).encode(), before_rows))
        page.folder = partition.folder(page.destination.root, time_ns, page.destination.rolling_rate)
        page.lines = self._lines.get(page.folder)


def _check_utf8(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise _UnusualError from None


def _digits(raw: bytes) -> bytes:
    """The number that is encoded so, in decimal digits."""
    number, end = protowire.varint(raw, 0)
    if end != len(raw):
        raise _UnusualError
    return b"%d" % number
