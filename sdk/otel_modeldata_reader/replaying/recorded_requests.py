"""The requests of a collection: one for each event, with its rows in their order, or with its recorded body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..compacted.part_file import DamagedPartError
from ..exceptions import ReplayError, UnknownNameError
from ..index.every_event import every_event
from ..lines.envelope import is_utf8
from ..lines.erased_rows import erased_of, kept_numbers
from ..lines.event_time import NO_TIME
from ..lines.payloads import Payloads, is_binary
from ..nearest import nearest
from .body_formats import BodyError, body_of, column_names

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..lines.event_stream import Events
    from ..lines.tally import Tally
    from ..window import Window

__all__ = ["RecordedRequest", "RequestRows", "recorded_bodies", "recorded_rows"]

_MOST_BYTES: Final = 64 << 20
"""Of one body: it is in memory several times while it is made."""
_MOST_ID: Final = 1024
_MOST_SLICE: Final = 200
_JSON: Final = "application/json"
_HEADER: Final = re.compile(r"[\x20-\x7e]{1,256}", re.ASCII)
_RANGE: Final = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18}|\*)", re.ASCII)
_UNREADABLE: Final = "expected lines of {} that a compaction has dropped, got {}: choose a window without them"
_METHOD: Final = "POST"
_rows: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_text: Final = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request.

    Attributes:
        key: the id of its event; the blob and line of an event without one.
        correlation_id: joins it with its recorded outputs.
        traceparent: the span in which it was collected.
        time: nanoseconds since the epoch; None if its line has no time.
        rows: how many rows it has; None for a recorded body.
        erased: the numbers of rows that its event no longer has, as its line names them.
        slices: the value of the slice column in each row, as a text; empty without one.
        body: what is sent.
        content_type: the media type of the body.
        content_encoding: how the body is compressed; None if it is not.
        path: of the URL; None for rows.
    """

    key: str
    correlation_id: str | None
    traceparent: str | None
    time: int | None
    rows: int | None
    erased: str | None = None
    slices: tuple[str, ...] = ()
    body: bytes
    content_type: str = _JSON
    content_encoding: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRows:
    """How rows become a body.

    Attributes:
        form: the format; see `body_formats.py`.
        columns: only these columns, in this order; None means all.
        by: the column whose values are the slices; None without slices.
    """

    form: Callable[[Any], Any]
    columns: tuple[str, ...] | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where requests are recorded.

    Attributes:
        store: has the blobs.
        collection: of the inputs, or of the requests.
        window: only events of this window.
        tally: counts what reading skips.
        skipped: counts events that are no request to send, by the reason.
        progress: called with the number of bytes of each part that is read.
    """

    store: StoreAccess
    collection: CollectionBlobs
    window: Window
    tally: Tally
    skipped: Counter[str]
    progress: Callable[[int], object] = lambda _: None

    def contents(self) -> Iterator[tuple[Events, int, bytes]]:
        """Each event whose payload is there, as its batch and its number there, with the payload.

        Raises:
            ReplayError: lines that are in Parquet files only cannot be read.
            StoreUnavailableError: the store cannot be read.
        """
        payloads = Payloads(self.store, self.collection.objects)
        for events in self._events():
            for index, one in enumerate(events.envelopes):
                if not payloads.is_elsewhere(one):
                    yield events, index, bytes(one.data)
                    continue
                content = payloads.read(one, events.blobs[index], most=_MOST_BYTES)
                if content is None:
                    self.skipped["its payload is missing or too large"] += 1
                else:
                    yield events, index, content

    def _events(self) -> Iterator[Events]:
        """The events of all lines, each once."""
        try:
            yield from every_event(self.store, self.collection, self.window, self.tally, self.progress)
        except DamagedPartError as error:
            raise ReplayError(_UNREADABLE.format(self.collection.root, error)) from None


def recorded_rows(source: Source, how: RequestRows) -> Iterator[RecordedRequest]:
    """The requests of a collection of rows.

    Raises:
        UnknownNameError: the first event does not have a column that is asked for.
        StoreUnavailableError: the store cannot be read.
    """
    is_checked = False
    for events, index, content in source.contents():
        if is_binary(events.envelopes[index]):
            source.skipped["it has no rows"] += 1
            continue
        try:
            rows: Sequence[dict[str, msgspec.Raw]] = _rows.decode(content) if is_utf8(content) else ()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            rows = ()
        if not rows:
            source.skipped["it has no rows"] += 1
            continue
        if not is_checked:
            _check(how, column_names(rows))
            is_checked = True
        erased = events.envelopes[index].erasedrows
        if erased:
            rows = _kept(rows, erased)
            if not rows:
                source.skipped["it has no rows"] += 1
                continue
        slices = () if how.by is None else tuple(_shown(row.get(how.by)) for row in rows)
        if how.columns is not None:
            rows = [{name: row[name] for name in how.columns if name in row} for row in rows]
        try:
            body = body_of(how.form, rows)
        except BodyError as error:
            source.skipped[f"the format has no form for it: {error}"] += 1
            continue
        if len(body) > _MOST_BYTES:
            source.skipped[f"its body is above {_MOST_BYTES >> 20} MiB"] += 1
            continue
        yield _request(events, index, rows=len(rows), erased=erased, slices=slices, body=body)


def recorded_bodies(source: Source) -> Iterator[RecordedRequest]:
    """The requests of a collection of payload logging, each with the body that was recorded.

    Raises:
        StoreUnavailableError: the store cannot be read.
    """
    for events, index, content in source.contents():
        one = events.envelopes[index]
        if one.method != _METHOD:
            source.skipped[f"its method is not {_METHOD}"] += 1
            continue
        found = _RANGE.fullmatch(one.contentrange or "")
        if found is None or (found[2] != "*" and int(found[1]) + 1 != int(found[2])) or found[2] == "*":
            source.skipped["its body was not recorded to its end"] += 1
            continue
        headers = (one.datacontenttype or _JSON, one.contentencoding or "identity")
        if not all(map(_HEADER.fullmatch, headers)):
            source.skipped["its content type is none"] += 1
            continue
        body = content if is_binary(one) else _sent_text(content, int(found[2]))
        yield _request(
            events,
            index,
            rows=None,
            body=body,
            content_type=headers[0],
            content_encoding=one.contentencoding,
            path=one.path,
        )


def _request(events: Events, index: int, **fields: Any) -> RecordedRequest:
    one = events.envelopes[index]
    time = int(events.times[index])
    place = events.place(index)
    return RecordedRequest(
        key=one.id if one.id and len(one.id) <= _MOST_ID else f"{place.blob}:{place.line}",
        correlation_id=one.correlationid or None,
        traceparent=one.traceparent,
        time=None if time == NO_TIME else time,
        **fields,
    )


def _kept(rows: Sequence[dict[str, msgspec.Raw]], erased: str) -> Sequence[dict[str, msgspec.Raw]]:
    """The rows that were not erased: the others are empty in the line."""
    count = len(rows) - erased_of(erased, len(rows))
    return [rows[number] for number in kept_numbers(count, erased)]


def _sent_text(content: bytes, size: int) -> bytes:
    """The body that became `content`: JSON as it is, or the text that became a JSON string."""
    if content[:1] == b'"' and len(content) != size:
        try:
            return _text.decode(content).encode()
        except (msgspec.DecodeError, UnicodeError):
            return content
    return content


def _check(how: RequestRows, names: list[str]) -> None:
    for name in (*(how.columns or ()), *(() if how.by is None else (how.by,))):
        if name not in names:
            raise UnknownNameError(f"expected a column of the inputs, got {name!r}: {nearest(name, names)}")


def _shown(value: msgspec.Raw | None) -> str:
    """A text as it is, another value as JSON; a long one is cut. A text like `null` keeps its quotes."""
    text = "null" if value is None else bytes(value).decode(errors="replace")
    is_plain = text.startswith('"') and text[1:-1] not in {"null", "true", "false"}
    return (_text.decode(text) if is_plain else text)[:_MOST_SLICE]
