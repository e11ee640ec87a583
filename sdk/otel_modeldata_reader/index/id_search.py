"""What a lookup searches for, and what a line says about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ..lines.envelope import decode_line
from .line_ids import MARK, hash_of, id_of_row, ids_in_rows, ids_of, names_ids_in_rows, plain_id, span_ids_of

if TYPE_CHECKING:
    from ..lines.envelope import Envelope

__all__ = ["IdSearch", "Match"]

_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _RequestIds(msgspec.Struct, frozen=True, gc=False):
    """The id that a request came with, and the one under which it was collected."""

    xrequestid: str = ""
    correlationid: str = ""


_request_ids: Final = msgspec.json.Decoder(_RequestIds)


class Match(NamedTuple):
    """A line that is about an id.

    Attributes:
        envelope: of the line.
        trace_id: 32 hex digits; empty outside of a trace.
        span_id: 16 hex digits; empty outside of a trace.
        row: the number of the row that a row id names.
        rows: the rows that name the id, as JSON; None where the envelope has it, so that all rows are meant.
    """

    envelope: Envelope
    trace_id: str
    span_id: str
    row: int | None
    rows: bytes | None


class IdSearch:
    """A search for one id.

    Args:
        wanted: a correlation id, row id, event id or trace id.

    Attributes:
        is_possible: whether a line can have it.
        hashes: under which the index has it.
    """

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted = plain_id(wanted)
        row = id_of_row(wanted)
        self._of_row = None if row is None else row[0]  # or a correlation id that looks like a row id
        self._row = None if row is None else row[1]
        shortest = self._of_row or wanted
        # Half of a surrogate pair is in no line, because a line is UTF-8.
        self.is_possible = bool(wanted) and _is_utf8(wanted)
        escaped = json.dumps(shortest).encode()[1:-1]
        self._needles = sorted({escaped, msgspec.json.encode(shortest)[1:-1]} if self.is_possible else {escaped})
        self.hashes = [hash_of(text) for text in (wanted, self._of_row) if text]

    @property
    def texts(self) -> list[str]:
        """The texts of which one is in every line about the id; the id can be in a line."""
        return [one.decode() for one in self._needles]

    def may_be_in(self, content: bytes) -> bool:
        """Whether bytes may have a line about the id."""
        return any(needle in content for needle in self._needles)

    def is_in(self, line: bytes, root: str) -> bool:
        """Whether the index of the collection `root` may lead to a line."""
        (ids,) = ids_of(line + b"\n", 1, in_rows=names_ids_in_rows(root))
        return any(hash_of(text) in self.hashes for text in ids)

    def is_damaged(self, line: bytes) -> bool:
        """Whether a line with the text of the id is no event, such as a torn one."""
        return decode_line(line.removeprefix(MARK)) is None

    def match(self, line: bytes, root: str) -> Match | None:
        """What a line of the collection `root` says; None if it is not about the id."""
        envelope = decode_line(line.removeprefix(MARK))
        if envelope is None:
            return None
        trace_id, span_id = span_ids_of(envelope.traceparent)
        if self._wanted in {envelope.id, envelope.correlationid, trace_id}:
            return Match(envelope, trace_id, span_id, None, None)
        if self._of_row is not None and envelope.correlationid == self._of_row:
            return Match(envelope, trace_id, span_id, self._row, None)
        data = bytes(envelope.data)
        if names_ids_in_rows(root) and self._wanted in ids_in_rows(data):
            return Match(envelope, trace_id, span_id, None, self._named(data))
        return None

    def request_in(self, line: bytes) -> str:
        """The correlation id of a line whose x-request-id is the text; empty if it has another one.

        Such lines are found by a scan only: the index has no x-request-id.
        """
        try:
            found = _request_ids.decode(line.removeprefix(MARK))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        return found.correlationid if found.xrequestid == self._wanted else ""

    def _named(self, data: bytes) -> bytes:
        """Of many rows those that name the id: a file of labels is one event."""
        try:
            rows = [bytes(row) for row in _rows.decode(data)]
        except (ValueError, RecursionError):
            return data
        if len(rows) < 2:
            return data
        return b"[%b]" % b",".join(row for row in rows if self._wanted in ids_in_rows(row))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
