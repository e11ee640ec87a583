"""The hot path from a record to its line: what is the same for many records is written once, the rest is put between.

Theory of operation. Nearly all records of a sender say the same but for an id or two, a number, a time and the rows.
A `_Frame` is the line of such records without these: encoded once by the same code as every line (`event.line_of`,
`cloudevent.encode`) with marks where the others belong, and cut at the marks. A frame is found by the attributes that
are constant in it; an attribute is decoded when it is seen for the first time.

Whatever is not of this ordinary kind is left to `event.read`, which knows everything and refuses with a reason: a
record without an id, payloads, extensions, ids that JSON escapes, bodies that are no JSON rows. So nothing is decided
here: for each record that is taken here, `event.read` would have made the same line.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_modeldata import semconv

from . import body, cloudevent, event, payload_keys, rolling
from .exceptions import BadRecordError
from .outline import int_of, read_record, string_of
from .sink import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .destinations import Destination
    from .outline import RecordOutline

__all__ = ["Splicer"]

_UUID_CHARS: Final = 36
_MOST_KNOWN: Final = 4096
_MOST_KNOWN_BYTES: Final = 512
"""Attributes that are remembered, at most of this size: 2 MiB."""


class _Constant:
    """An attribute as text, compared by identity: of equal attributes there is one."""

    __slots__ = ("key", "text")

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        self.text = text


_OTHERS: Final = _Constant("", "")
"""An attribute that no line has."""
_known: dict[bytes, _Constant] = {}
"""Attributes by their encoded form; only a memory of what decoding says."""

_EVENT_ID, _CORRELATION_ID = semconv.CLOUDEVENTS_EVENT_ID, semconv.AZUREML_CORRELATION_ID
_REQUEST_ID, _SEQUENCE_NUMBER = semconv.AZUREML_REQUEST_ID, semconv.AZUREML_PRODUCER_SEQUENCE
_VARYING: Final = (_EVENT_ID, _CORRELATION_ID, _REQUEST_ID, _SEQUENCE_NUMBER)
_RARE: Final = payload_keys.ATTRIBUTES - {semconv.AZUREML_DATA_CONTENT_TYPE}


def _before_a_uuid(key: str) -> bytes:
    """What an encoded attribute begins with whose value is a string as long as a uuid."""
    return KeyValue(key=key, value=AnyValue(string_value="x" * _UUID_CHARS)).SerializeToString()[:-_UUID_CHARS]


_BEFORE_UUIDS: Final = {_before_a_uuid(key): key for key in _VARYING}
_BEFORE_SEQUENCE: Final = KeyValue(key=_SEQUENCE_NUMBER, value=AnyValue()).SerializeToString()[:-1]
"""What an encoded sequence number begins with; its value follows, behind one byte of length."""

_MARK: Final = uuid.uuid4().hex
"""No sender can know it."""
_ID, _TIME, _DATA, _RANGE, _CORRELATION, _REQUEST, _TIMENS, _SEQUENCE, _TRACEPARENT = _MARKS = tuple(
    f"{_MARK}{number}" for number in range(9)
)


class _Frame(NamedTuple):
    """The line of records that differ in little.

    Attributes:
        collection: theirs.
        pieces: what stands before each mark, in the order of `_MARKS`, and after the last; a mark that the line does
            not have has nothing before it.
    """

    collection: str
    pieces: tuple[str, ...]


_frames: dict[tuple[object, ...], _Frame] = {}
"""By all that their lines depend on: sender, constants, and which of the marks there are."""
_MOST_FRAMES: Final = 1024


@dataclass(slots=True)
class _Page:
    """Where the lines of one frame go, in the second of the record that was taken last.

    Attributes:
        pieces: of the frame.
        destination: of its collection.
        lines: those of `folder`, if it has any yet.
    """

    pieces: tuple[str, ...]
    destination: Destination
    second: int = -1
    time: str = ""
    folder: str = ""
    lines: list[Line] | None = None


class _UnusualError(Exception):
    """This record is not of the ordinary kind."""


class Splicer:
    """Makes the lines of one scope's ordinary records.

    Args:
        source: what they share.
        lines: lines by folder, to which theirs are added.
    """

    def __init__(self, source: event.Source, lines: dict[str, list[Line]]) -> None:
        self._source = source
        self._lines = lines
        self._pages: dict[tuple[object, ...], _Page] = {}

    def take(self, raw: bytes) -> bool:
        """Add the line of an encoded `LogRecord`, or return False where it is not of the ordinary kind."""
        try:
            self._take(read_record(raw))
        except (_UnusualError, BadRecordError, DecodeError):
            return False
        return True

    def _take(self, record: RecordOutline) -> None:
        constants, varying = _attributes(record.attributes[:])
        event_id = varying.get(_EVENT_ID, "")
        correlation_id = varying.get(_CORRELATION_ID) or event_id
        request_id = varying.get(_REQUEST_ID) or correlation_id
        sequence = varying.get(_SEQUENCE_NUMBER, "")
        _check(event_id, f"{event_id}{correlation_id}{request_id}{sequence}")
        text = string_of(record.body)
        if text is None:
            raise _UnusualError
        rows = body.rows_of(text)
        traceparent = event.traceparent(record.trace_id, record.span_id, record.flags)
        page = self._page(bool(sequence), bool(traceparent), *constants)
        time_ns = record.time_unix_nano or record.observed_time_unix_nano or self._source.arrival_ns
        if time_ns // rolling.NS_PER_SECOND != page.second:
            self._turn(page, time_ns)
        (at_id, at_time, at_data, at_range, at_correlation, at_request, at_timens, at_sequence, at_trace, end) = (
            page.pieces
        )
        head = f"{at_id}{event_id}{at_time}{page.time}{at_data}"
        tail = (
            f"{at_range}{cloudevent.content_range(len(text))}{at_correlation}{correlation_id}{at_request}{request_id}"
            f"{at_timens}{time_ns}{at_sequence}{sequence}{at_trace}{traceparent}{end}"
        )
        line = b"".join((head.encode(), rows, tail.encode()))
        if len(line) > cloudevent.MAX_LINE_BYTES:
            raise _UnusualError
        if page.lines is None:
            page.lines = self._lines.setdefault(page.folder, [])
        page.lines.append(Line(event_id, line))

    def _turn(self, page: _Page, time_ns: int) -> None:
        """Set `page` to the second of `time_ns`."""
        page.second = time_ns // rolling.NS_PER_SECOND
        page.time = cloudevent.time_text(time_ns)
        page.folder = rolling.folder(page.destination.root, time_ns, page.destination.rolling_rate)
        page.lines = self._lines.get(page.folder)

    def _page(self, *key: object) -> _Page:
        page = self._pages.get(key)
        if page is None:
            frame = _frame(self._source, *key)
            page = self._pages[key] = _Page(frame.pieces, self._source.destinations[frame.collection])
        return page


def _attributes(encoded: Sequence[bytes]) -> tuple[list[_Constant], dict[str, str]]:
    """What is the same in many records, and what varies by name."""
    constants: list[_Constant] = []
    varying: dict[str, str] = {}
    for raw in encoded:
        constant = _known.get(raw)
        if constant is None:
            constant = _decode(raw, varying)
        if constant is not _OTHERS:
            constants.append(constant)
    return constants, varying


def _check(event_id: str, texts: str) -> None:
    """Whether an event may have this id, and whether all its texts are in JSON what they are without it."""
    plain = texts.isprintable() and '"' not in texts and "\\" not in texts
    if not (plain and 0 < len(event_id) <= event.MAX_ID_CHARS):
        raise _UnusualError


def _decode(raw: bytes, varying: dict[str, str]) -> _Constant:
    """Look at an attribute that is not known: keep what varies, remember what does not; what it is in a frame."""
    key = _BEFORE_UUIDS.get(raw[:-_UUID_CHARS])
    if key is not None and raw.isascii():
        varying[key] = raw[-_UUID_CHARS:].decode()
        return _OTHERS
    if raw.startswith(_BEFORE_SEQUENCE) and (number := int_of(raw[len(_BEFORE_SEQUENCE) + 1 :])) is not None:
        varying[_SEQUENCE_NUMBER] = str(number)
        return _OTHERS
    attribute = KeyValue.FromString(raw)
    key, text = attribute.key, event.text_of(attribute)
    if text == "" or key in _RARE or key.startswith(semconv.CLOUDEVENTS_EXTENSION_PREFIX):
        raise _UnusualError
    if key in _VARYING:
        varying[key] = text or varying.get(key, "")
        return _OTHERS
    constant = _Constant(key, text) if text else _OTHERS
    if len(raw) <= _MOST_KNOWN_BYTES:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[raw] = constant
    elif text:
        raise _UnusualError
    return constant


def _frame(source: event.Source, *key: object) -> _Frame:
    """The frame of records with these constants; see `_made` for the key."""
    whole = (source.origin, source.agent, *key)
    frame = _frames.get(whole)
    if frame is None:
        if len(_frames) >= _MOST_FRAMES:
            _frames.clear()
        frame = _frames[whole] = _made(source, *key)
    return frame


def _made(source: event.Source, has_sequence: object, has_traceparent: object, *constants: object) -> _Frame:
    texts = {one.key: one.text for one in constants if isinstance(one, _Constant)}
    collection = event.collection_of(texts.get(semconv.AZUREML_COLLECTION_NAME, ""))
    content_type = texts.get(semconv.AZUREML_DATA_CONTENT_TYPE, semconv.JSON_CONTENT_TYPE)
    if not (collection.tabular and body.is_json(content_type)):
        raise _UnusualError
    texts |= {_EVENT_ID: _ID, _CORRELATION_ID: _CORRELATION, _REQUEST_ID: _REQUEST}
    if has_sequence:
        texts[_SEQUENCE_NUMBER] = _SEQUENCE
    content = event.rows_content(collection, content_type, body.Body(f'"{_DATA}"'.encode(), 0))
    line = event.line_of(texts, source, content, 0, _TRACEPARENT if has_traceparent else "")
    line = msgspec.structs.replace(line, time=_TIME, contentrange=_RANGE, timens=_TIMENS)
    text = cloudevent.encode(line, {}).decode().replace(f'"{_DATA}"', _DATA)
    return _Frame(collection.name, tuple(_cut(text)))


def _cut(line: str) -> Iterator[str]:
    for mark in _MARKS:
        before, found, after = line.partition(mark)
        yield before if found else ""
        line = after if found else line
    yield line
