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
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_modeldata import semconv

from ..exceptions import BadRecordError, UndecodableError
from . import body, cloudevent, http_attributes, log_record, otlp, protowire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

__all__ = ["PLAIN", "Mold", "learn"]

PLAIN: Final = bytes(code for code in range(0x20, 0x7F) if code not in b'"\\')
"""Characters that are in JSON, and in UTF-8, what they are without it."""
_MOST_COMMON_BYTES: Final = 2048
_MOST_NUMBER: Final = 2**56
"""From here on, numbers have rules of their own for sign and overflow."""

# Tags of `LogRecord`, opentelemetry/proto/logs/v1/logs.proto.
_TIME, _BODY, _ATTRIBUTE, _TRACE_ID, _SPAN_ID, _OBSERVED_TIME = 0x09, 0x2A, 0x32, 0x4A, 0x52, 0x59

_EVENT_ID, _CORRELATION_ID = semconv.CLOUDEVENTS_EVENT_ID, semconv.AZUREML_CORRELATION_ID
_REQUEST_ID, _SEQUENCE_NUMBER = semconv.AZUREML_REQUEST_ID, semconv.AZUREML_PRODUCER_SEQUENCE
_IDS: Final = frozenset({_EVENT_ID, _CORRELATION_ID, _REQUEST_ID})
_VARYING: Final = _IDS | {_SEQUENCE_NUMBER}
_RARE: Final = http_attributes.ATTRIBUTES - {semconv.AZUREML_DATA_CONTENT_TYPE}

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
_Field: TypeAlias = tuple[int, int, int]
"""See `outline.fields`."""
_Pick: TypeAlias = "Callable[[tuple[bytes, ...]], tuple[bytes, ...]]"


class _Cut(NamedTuple):
    """A part of a record, cut at its places.

    Attributes:
        unpack: makes the pieces, given the record and where the part begins: what is in common and what differs in
            turns, and behind the last that is in common an empty one.
        common: those that are in common.
        size: bytes of all.
    """

    unpack: Callable[[bytes, int], tuple[bytes, ...]]
    common: tuple[bytes, ...]
    size: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Mold:
    """What the records of one shape have in common, and their lines.

    Attributes:
        head: cuts what stands before the length of the body.
        tail: cuts what follows the body.
        pick: of what `fit` found: time, event id, correlation id, request id, sequence number, trace id and span id;
            empty where the records do not have it.
        pick_texts: of what `fit` found: those that are to be `PLAIN`.
        numbered: whether there is a sequence number.
        traced: whether there are a trace and a span id.
        collection: of the records.
        pieces: of the line: what stands before event id, time, rows, content range, correlation id, request id, time in
            ns, sequence number, trace id and span id, and after the last; nothing before what the line does not have.
    """

    head: _Cut
    tail: _Cut
    pick: _Pick
    pick_texts: _Pick
    numbered: bool
    traced: bool
    collection: str
    pieces: tuple[bytes, ...]

    def fit(self, raw: bytes) -> tuple[bytes, tuple[bytes, ...]] | None:
        """The text of the body and all the pieces of a record of this shape; None for one of another.

        Raises:
            UndecodableError: the record is damaged.
        """
        head, tail = self.head, self.tail
        if len(raw) < head.size:
            return None
        before = head.unpack(raw, 0)
        if before[::2] != head.common:
            return None
        place = protowire.string_at(raw, head.size)
        if place is None or len(raw) - place[1] != tail.size:
            return None
        start, end = place
        behind = tail.unpack(raw, end)
        if behind[::2] != tail.common:
            return None
        return raw[start:end], before + behind


class _UnusualError(Exception):
    """No mold is made of this record."""


def learn(raw: bytes, source: log_record.Source) -> Mold | None:
    """The mold that the encoded record `raw` fits; None where it is not of the ordinary kind.

    The order of fields does not matter: Collectors write them backwards. Left to `event.read` are records without a
    time or an id, those of the collections of payloads, and those with extensions.
    """
    try:
        return _learn(raw, otlp.log_record(raw), source)
    except (_UnusualError, BadRecordError, UndecodableError):
        return None


def _learn(raw: bytes, record: LogRecord, source: log_record.Source) -> Mold:
    fields = list(protowire.fields(raw, 0, len(raw)))
    start, end = _body(raw, record, fields)
    traceparent = log_record.traceparent(record.trace_id, record.span_id, record.flags)
    texts, places = _attributes(raw, fields)
    elsewhere = {_TIME, _OBSERVED_TIME, _TRACE_ID, _SPAN_ID} if traceparent else {_TIME, _OBSERVED_TIME}
    places |= {tag: (begin, stop) for tag, begin, stop in fields if tag in elsewhere}
    if not places.keys() >= {_TIME, _EVENT_ID}:
        raise _UnusualError
    before = sorted((key for key in places if places[key][0] < start), key=places.__getitem__)
    behind = sorted((key for key in places if places[key][0] > start), key=places.__getitem__)
    pick, pick_texts = _picks(before, behind)
    collection = log_record.collection_in(texts, record.event_name)
    return Mold(
        head=_cut(raw, [places[key] for key in before], 0, start),
        tail=_cut(raw, [places[key] for key in behind], end, len(raw)),
        pick=pick,
        pick_texts=pick_texts,
        numbered=_SEQUENCE_NUMBER in places,
        traced=bool(traceparent),
        collection=collection.name,
        pieces=_pieces(texts, collection, source, numbered=_SEQUENCE_NUMBER in places, traceparent=traceparent),
    )


# --- where records differ ---------------------------------------------------------------------------------------------


def _body(raw: bytes, record: LogRecord, fields: Sequence[_Field]) -> _Place:
    """Where the length of the body begins, and where the body ends."""
    once = [tag for tag, _, _ in fields if tag != _ATTRIBUTE]
    if record.body.WhichOneof("value") != "string_value" or len(set(once)) < len(once):
        raise _UnusualError
    end = next(stop for tag, _, stop in fields if tag == _BODY)
    start = max((stop for _, _, stop in fields if stop < end), default=0) + 1
    # A tag may be written in more bytes than it needs, by nobody who means well.
    if raw[start - 1] != _BODY or start + len(raw) - end > _MOST_COMMON_BYTES:
        raise _UnusualError
    return start, end


def _attributes(raw: bytes, fields: Sequence[_Field]) -> tuple[dict[str, str], dict[_Key, _Place]]:
    """The texts that the records have in common, by name, and the places that are in attributes."""
    texts: dict[str, str] = {}
    places: dict[_Key, _Place] = {}
    for start, end in [(start, end) for tag, start, end in fields if tag == _ATTRIBUTE]:
        attribute = KeyValue.FromString(raw[start:end])
        key, text = attribute.key, log_record.text_of(attribute)
        if key in _RARE or key.startswith(semconv.CLOUDEVENTS_EXTENSION_PREFIX):
            raise _UnusualError
        place = _place(raw, start, end, attribute)
        if place is not None:
            places[key] = place
        elif key in _VARYING:
            raise _UnusualError
        elif text is not None:
            texts[key] = text
    return texts, places


def _place(raw: bytes, start: int, end: int, attribute: KeyValue) -> _Place | None:
    """Where an encoded attribute has a value that differs between records; None where all of it is in common.

    Ids and sequence numbers differ, and the texts of attributes that no line has.
    """
    key, value = attribute.key, attribute.value
    if key == _SEQUENCE_NUMBER:
        usual, size = AnyValue(int_value=value.int_value), (value.int_value.bit_length() + 6) // 7 or 1
        differs = 0 <= value.int_value < _MOST_NUMBER
    else:
        text = value.string_value.encode()
        usual, size = AnyValue(string_value=value.string_value), len(text)
        unread = log_record.text_of(attribute) is None and not text.translate(None, PLAIN)
        differs = size <= log_record.MAX_ID_CHARS if key in _IDS else unread
    if not (differs and size):
        return None
    # Nothing but the key and the value, in the usual form; then it ends as the value does.
    alone = [KeyValue(key=key).SerializeToString(), KeyValue(value=usual).SerializeToString()]
    if raw[start:end] == b"".join(alone):
        return end - size, end
    if raw[start:end] == b"".join(reversed(alone)):
        return end - len(alone[0]) - size, end - len(alone[0])
    return None


def _cut(raw: bytes, places: Sequence[_Place], start: int, end: int) -> _Cut:
    """Cuts what is between `start` and `end` before and behind each place."""
    sizes = []
    at = start
    for begin, stop in places:
        sizes += [begin - at, stop - begin]
        at = stop
    unpack = Struct("".join(f"{size}s" for size in [*sizes, end - at, 0])).unpack_from
    return _Cut(unpack, unpack(raw, start)[::2], end - start)


def _picks(before: Sequence[_Key], behind: Sequence[_Key]) -> tuple[_Pick, _Pick]:
    """`Mold.pick` and `Mold.pick_texts` where these places come before and behind the body."""
    nothing = 2 * len(before) + 1
    at = {key: 2 * index + 1 for index, key in enumerate(before)}
    at |= {key: nothing + 2 * index + 2 for index, key in enumerate(behind)}
    correlation_id = at.get(_CORRELATION_ID, at[_EVENT_ID])
    others = [at.get(key, nothing) for key in (_SEQUENCE_NUMBER, _TRACE_ID, _SPAN_ID)]
    texts = [place for key, place in at.items() if isinstance(key, str) and key != _SEQUENCE_NUMBER]
    return (
        itemgetter(at[_TIME], at[_EVENT_ID], correlation_id, at.get(_REQUEST_ID, correlation_id), *others),
        itemgetter(*texts, nothing),  # of one alone it would make no tuple
    )


# --- the line around them ---------------------------------------------------------------------------------------------


def _pieces(
    texts: Mapping[str, str],
    collection: log_record.Collection,
    source: log_record.Source,
    *,
    numbered: bool,
    traceparent: str,
) -> tuple[bytes, ...]:
    """The line of records with these texts in common, cut where the others belong."""
    content_type = texts.get(semconv.AZUREML_DATA_CONTENT_TYPE) or semconv.JSON_CONTENT_TYPE
    if not (collection.tabular and body.is_json(content_type)):
        raise _UnusualError
    marks = {_EVENT_ID: _ID_MARK, _CORRELATION_ID: _CORRELATION_MARK, _REQUEST_ID: _REQUEST_MARK}
    if numbered:
        marks[_SEQUENCE_NUMBER] = _SEQUENCE_MARK
    content = log_record.rows_content(collection, content_type, body.Body(f'"{_DATA_MARK}"'.encode(), 0))
    trace = f"{traceparent[:3]}{_TRACE_MARK}-{_SPAN_MARK}{traceparent[-3:]}" if traceparent else ""
    line = log_record.line_of({**texts, **marks}, source, content, 0, trace)
    line = msgspec.structs.replace(line, time=_TIME_MARK, contentrange=_RANGE_MARK, timens=_TIMENS_MARK)
    whole = cloudevent.encode(line, {}).replace(f'"{_DATA_MARK}"'.encode(), _DATA_MARK.encode())
    return tuple(_between_marks(whole))


def _between_marks(line: bytes) -> Iterator[bytes]:
    for mark in _MARKS:
        before, found, after = line.partition(mark.encode())
        yield before if found else b""
        line = after if found else line
    yield line
