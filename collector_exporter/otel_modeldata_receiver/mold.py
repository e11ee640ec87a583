"""The mold of a sender's records: where they differ in bytes, and the line around what differs.

Theory of operation. Nearly all records of a sender are the same bytes but for the rows and a few places: ids, a number,
times. A `Mold` is learned from one such record, which is decoded whole for it. Another record that has the same bytes
beside its rows and these places has the same meaning: a place never holds what decides where another field begins, only
the characters of a string, a time, the bytes of a trace or span id, or the digits of a number, always as many as in the
record that was learned. Whether they are what they should be is for `splice.py` to check: it fills the molds.

The line is cut likewise: encoded once by the same code as every line (`event.line_of`, `cloudevent.encode`) with marks
where the varying texts belong, and cut at the marks.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_modeldata import semconv

from . import body, cloudevent, event, otlp, outline, payload_keys
from .exceptions import BadRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

__all__ = ["PLAIN", "TIME", "TIME_END", "Mold", "learn"]

PLAIN: Final = bytes(code for code in range(0x20, 0x7F) if code not in b'"\\')
"""Characters that are in JSON, and in UTF-8, what they are without it."""
_MOST_TAIL_BYTES: Final = 2048
_MOST_NUMBER: Final = 2**56
"""From here on, numbers have rules of their own for sign and overflow."""

# Tags of `LogRecord`, opentelemetry/proto/logs/v1/logs.proto.
TIME, _SEVERITY_NUMBER, _SEVERITY_TEXT, _BODY, _ATTRIBUTE = 0x09, 0x10, 0x1A, 0x2A, 0x32
_TRACE_ID, _SPAN_ID, _OBSERVED_TIME = 0x4A, 0x52, 0x59
_BEFORE_BODY: Final = {TIME, _SEVERITY_NUMBER, _SEVERITY_TEXT}
TIME_END: Final = 9
"""An ordinary record begins with its time: a tag and 8 bytes."""

_EVENT_ID, _CORRELATION_ID = semconv.CLOUDEVENTS_EVENT_ID, semconv.AZUREML_CORRELATION_ID
_REQUEST_ID, _SEQUENCE_NUMBER = semconv.AZUREML_REQUEST_ID, semconv.AZUREML_PRODUCER_SEQUENCE
_IDS: Final = frozenset({_EVENT_ID, _CORRELATION_ID, _REQUEST_ID})
_VARYING: Final = _IDS | {_SEQUENCE_NUMBER}
_RARE: Final = payload_keys.ATTRIBUTES - {semconv.AZUREML_DATA_CONTENT_TYPE}

_MARK: Final = uuid.uuid4().hex
"""No sender can know it."""
_MARKS = tuple(f"{_MARK}{digit}" for digit in "0123456789")
(
    _ID_MARK, _TIME_MARK, _DATA_MARK, _RANGE_MARK, _CORRELATION_MARK,
    _REQUEST_MARK, _TIMENS_MARK, _SEQUENCE_MARK, _TRACE_MARK, _SPAN_MARK,
) = _MARKS  # fmt: skip

_Key: TypeAlias = "str | int"
"""Of a place: the name of an attribute, or the tag of a field."""
_Place: TypeAlias = tuple[int, int]
"""Where it begins and ends in the record."""
_Pick: TypeAlias = "Callable[[tuple[bytes, ...]], tuple[bytes, ...]]"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Mold:
    """What the records of one shape have in common, and their lines.

    Attributes:
        opening: what stands between the time of a record and the length of its body.
        tail_bytes: how many bytes follow the body.
        unpack: cuts them, given the record and where they begin: what is common and what varies, in turns, and nothing.
        common: the common ones.
        pick: of all: event id, correlation id, request id, sequence number, trace id and span id; empty where the
            records do not have it.
        pick_texts: of all: those that are to be `PLAIN`.
        numbered: whether there is a sequence number.
        traced: whether there are a trace and a span id.
        collection: of the records.
        pieces: of the line: what stands before event id, time, rows, content range, correlation id, request id, time in
            ns, sequence number, trace id and span id, and after the last; nothing before what the line does not have.
    """

    opening: bytes
    tail_bytes: int
    unpack: Callable[[bytes, int], tuple[bytes, ...]]
    common: tuple[bytes, ...]
    pick: _Pick
    pick_texts: _Pick
    numbered: bool
    traced: bool
    collection: str
    pieces: tuple[bytes, ...]


class _UnusualError(Exception):
    """No mold is made of this record."""


def learn(raw: bytes, source: event.Source) -> Mold | None:
    """The mold that the encoded record `raw` fits; None where it is not of the ordinary kind.

    Left to `event.read` are records without an id, those of the collections of payloads, those with extensions, and
    whatever does not come in the usual order: the time first, the body, the attributes.
    """
    try:
        return _learn(raw, otlp.log_record(raw), source)
    except (_UnusualError, BadRecordError):
        return None


def _learn(raw: bytes, record: LogRecord, source: event.Source) -> Mold:
    opening, fields = _around_the_body(raw)
    start = fields[0].end
    if record.body.WhichOneof("value") != "string_value" or len(raw) - start > _MOST_TAIL_BYTES:
        raise _UnusualError
    traceparent = event.traceparent(record.trace_id, record.span_id, record.flags)
    texts, places = _attributes(raw, fields)
    elsewhere = {_OBSERVED_TIME, _TRACE_ID, _SPAN_ID} if traceparent else {_OBSERVED_TIME}
    places |= {tag: (begin, end) for tag, begin, end in fields if tag in elsewhere}
    if _EVENT_ID not in places:
        raise _UnusualError
    order = sorted(places, key=places.__getitem__)
    unpack = _cutter([places[key] for key in order], start, len(raw))
    pick, pick_texts = _picks(order)
    collection = event.collection_in(texts, record.event_name)
    return Mold(
        opening=opening,
        tail_bytes=len(raw) - start,
        unpack=unpack,
        common=unpack(raw, start)[::2],
        pick=pick,
        pick_texts=pick_texts,
        numbered=_SEQUENCE_NUMBER in places,
        traced=bool(traceparent),
        collection=collection.name,
        pieces=_pieces(texts, collection, source, numbered=_SEQUENCE_NUMBER in places, traceparent=traceparent),
    )


# --- where records differ ---------------------------------------------------------------------------------------------


def _around_the_body(raw: bytes) -> tuple[bytes, list[outline.WireField]]:
    """What stands between the time and the length of the body; and the body and the fields that follow."""
    fields = list(outline.fields(raw, 0, len(raw)))
    tags = [field.tag for field in fields]
    once = [tag for tag in tags if tag != _ATTRIBUTE]
    if _BODY not in once or len(set(once)) < len(once):
        raise _UnusualError
    body_at = tags.index(_BODY)
    opening = raw[TIME_END : fields[body_at - 1].end + 1]
    # A tag may be written in more bytes than it needs; by nobody who means well.
    if fields[0] != (TIME, 1, TIME_END) or opening[-1] != _BODY or not _BEFORE_BODY.issuperset(tags[:body_at]):
        raise _UnusualError
    return opening, fields[body_at:]


def _attributes(raw: bytes, fields: list[outline.WireField]) -> tuple[dict[str, str], dict[_Key, _Place]]:
    """The texts that the records have in common, by name, and the places that are in attributes."""
    texts: dict[str, str] = {}
    places: dict[_Key, _Place] = {}
    for start, end in [(start, end) for tag, start, end in fields if tag == _ATTRIBUTE]:
        attribute = KeyValue.FromString(raw[start:end])
        key, text = attribute.key, event.text_of(attribute)
        if key in _RARE or key.startswith(semconv.CLOUDEVENTS_EXTENSION_PREFIX):
            raise _UnusualError
        size = _varying_bytes(raw[start:end], attribute)
        if size:
            places[key] = (end - size, end)
        elif key in _VARYING:
            raise _UnusualError
        elif text is not None:
            texts[key] = text
    return texts, places


def _varying_bytes(raw: bytes, attribute: KeyValue) -> int:
    """How many bytes at the end of an encoded attribute differ between records; 0 where all of it is in common.

    Ids and sequence numbers differ, and the texts of attributes that no line has.
    """
    key, value = attribute.key, attribute.value
    if key == _SEQUENCE_NUMBER:
        usual, size = AnyValue(int_value=value.int_value), (value.int_value.bit_length() + 6) // 7 or 1
        differs = 0 <= value.int_value < _MOST_NUMBER
    else:
        text = value.string_value.encode()
        usual, size = AnyValue(string_value=value.string_value), len(text)
        unread = event.text_of(attribute) is None and not text.translate(None, PLAIN)
        differs = size <= event.MAX_ID_CHARS if key in _IDS else unread
    # In the usual form it stands at the end, with nothing unknown behind it.
    return size if differs and KeyValue(key=key, value=usual).SerializeToString() == raw else 0


def _cutter(places: list[_Place], start: int, end: int) -> Callable[[bytes, int], tuple[bytes, ...]]:
    """Cuts what is between `start` and `end` before and behind each place; the last piece is empty."""
    sizes = []
    for begin, stop in places:
        sizes += [begin - start, stop - begin]
        start = stop
    return Struct("".join(f"{size}s" for size in [*sizes, end - start, 0])).unpack_from


def _picks(order: Sequence[_Key]) -> tuple[_Pick, _Pick]:
    """`Mold.pick` and `Mold.pick_texts` where the places come in this order, each behind something common."""
    at = {key: 2 * index + 1 for index, key in enumerate(order)}
    nothing = 2 * len(order) + 1
    correlation_id = at.get(_CORRELATION_ID, at[_EVENT_ID])
    others = [at.get(key, nothing) for key in (_SEQUENCE_NUMBER, _TRACE_ID, _SPAN_ID)]
    texts = [at[key] for key in order if isinstance(key, str) and key != _SEQUENCE_NUMBER]
    return (
        itemgetter(at[_EVENT_ID], correlation_id, at.get(_REQUEST_ID, correlation_id), *others),
        itemgetter(*texts, nothing),  # of one alone it would make no tuple
    )


# --- the line around them ---------------------------------------------------------------------------------------------


def _pieces(
    texts: Mapping[str, str], collection: event.Collection, source: event.Source, *, numbered: bool, traceparent: str
) -> tuple[bytes, ...]:
    """The line of records with these texts in common, cut where the others belong."""
    content_type = texts.get(semconv.AZUREML_DATA_CONTENT_TYPE) or semconv.JSON_CONTENT_TYPE
    if not (collection.tabular and body.is_json(content_type)):
        raise _UnusualError
    marks = {_EVENT_ID: _ID_MARK, _CORRELATION_ID: _CORRELATION_MARK, _REQUEST_ID: _REQUEST_MARK}
    if numbered:
        marks[_SEQUENCE_NUMBER] = _SEQUENCE_MARK
    content = event.rows_content(collection, content_type, body.Body(f'"{_DATA_MARK}"'.encode(), 0))
    trace = f"{traceparent[:3]}{_TRACE_MARK}-{_SPAN_MARK}{traceparent[-3:]}" if traceparent else ""
    line = event.line_of({**texts, **marks}, source, content, 0, trace)
    line = msgspec.structs.replace(line, time=_TIME_MARK, contentrange=_RANGE_MARK, timens=_TIMENS_MARK)
    whole = cloudevent.encode(line, {}).replace(f'"{_DATA_MARK}"'.encode(), _DATA_MARK.encode())
    return tuple(_cut(whole))


def _cut(line: bytes) -> Iterator[bytes]:
    for mark in _MARKS:
        before, found, after = line.partition(mark.encode())
        yield before if found else b""
        line = after if found else line
    yield line
