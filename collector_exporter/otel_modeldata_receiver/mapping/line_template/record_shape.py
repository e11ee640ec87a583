"""The shape of a record: its common bytes, and the slots where records of this shape differ."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from otel_modeldata import semconv

from ...exceptions import UndecodableError
from ...otlp_messages import AnyValue, KeyValue
from .. import log_record, protowire
from ..cloudevent import Varies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..protowire import EmbeddedMessages

__all__ = ["MAX_NUMBER", "PLAIN", "Fitting", "Kind", "Layout", "RecordShape", "Slot", "layout_of", "shape_of"]

PLAIN: Final = bytes(code for code in range(0x20, 0x7F) if code not in b'"\\')
"""The characters that are the same byte in a text, in its UTF-8 and in its JSON."""
MAX_NUMBER: Final = 2**56
"""Larger numbers, and negative ones, are encoded by further rules."""
_MAX_COMMON_BYTES: Final = 2048
_MAX_TEXT_BYTES: Final = 256

# Tags of `LogRecord`, opentelemetry/proto/logs/v1/logs.proto.
_BODY, _ATTRIBUTE, _EVENT_NAME = 0x2A, 0x32, 0x62
_STRING_VALUE: Final = 0x0A  # of `AnyValue`
_SLOTS_BY_TAG: Final = {0x09: "time_unix_nano", 0x59: "observed_time_unix_nano", 0x4A: "trace_id", 0x52: "span_id"}


class Kind(enum.Enum):
    """What a slot contains."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    ID = "id"
    COLLECTION = "collection"


_TEXT_KINDS: Final = {Varies.TEXT: Kind.TEXT, Varies.COLLECTION: Kind.COLLECTION}


class Slot(NamedTuple):
    """Where records of one shape differ.

    Attributes:
        begin: where it begins in the record.
        end: where it ends.
        kind: what it contains.
        field: the name of the field in `LogRecord`; empty for an attribute.
        attribute: the index of the attribute in `LogRecord.attributes`.
    """

    begin: int
    end: int
    kind: Kind
    field: str = ""
    attribute: int = -1


Fitting: TypeAlias = "tuple[bytes | memoryview, tuple[bytes, ...]]"
"""The text of the body of a record, which is not copied if it is large, and what is in its slots."""
_COPIED_BYTES: Final = 4096
Layout: TypeAlias = "tuple[int, int]"
"""Bytes before the length of the body, and bytes after the body: records of one shape have the same."""
_ROWS: Final = b"[{"
_LEAST_HEADER_BYTES: Final = 4
_MOST_LENGTH_BYTES: Final = 5
_Field: TypeAlias = tuple[int, int, int]
"""See `protowire.fields`."""


class _Cut(NamedTuple):
    """A part of a record, cut at its slots.

    Attributes:
        slots: what is in the slots, given the record and where the part begins.
        outside: the common bytes before, between and behind the slots.
        common: what these must be.
        size: bytes of the part.
    """

    slots: Callable[[bytes, int], tuple[bytes, ...]]
    outside: Callable[[bytes, int], tuple[bytes, ...]]
    common: tuple[bytes, ...]
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class RecordShape:
    """The common bytes of records, and their slots.

    Attributes:
        head: the part before the length of the body.
        tail: the part after the body.
        slots: the slots by their index in what `fit` returns.
    """

    head: _Cut
    tail: _Cut
    slots: dict[int, Slot]

    @property
    def layout(self) -> Layout:
        """Where the body of these records is."""
        return self.head.size, self.tail.size

    def fit(self, raw: bytes, begin: int = 0, stop: int | None = None) -> Fitting | None:
        """The text of the body and what is in the slots of a record of this shape; None for one of another shape.

        Args:
            raw: the record, or bytes in which it is.
            begin: where it begins.
            stop: where it ends; by default at the end of `raw`.
        """
        head, tail = self.head, self.tail
        start, end = begin + head.size, (len(raw) if stop is None else stop) - tail.size
        body_header = protowire.text_header(end - start)
        if not body_header or not raw.startswith(body_header, start):
            return None
        if head.outside(raw, begin) != head.common or tail.outside(raw, end) != tail.common:
            return None
        start += len(body_header)
        text = raw[start:end] if end - start <= _COPIED_BYTES else memoryview(raw)[start:end]
        return text, head.slots(raw, begin) + tail.slots(raw, end)

    def fit_all(self, records: EmbeddedMessages) -> tuple[Sequence[bytes], Sequence[tuple[bytes, ...]]]:
        """What `fit` returns for the first of some small records, as far as they have this shape: texts, and slots."""
        head_slots, head, head_common, head_size = self.head
        tail_slots, tail, tail_common, tail_size = self.tail
        texts: list[bytes] = []
        slots: list[tuple[bytes, ...]] = []
        raw, size, before, header = records.message, -1, 0, b""
        for begin, stop in zip(records.starts, records.ends, strict=True):
            end = stop - tail_size
            if stop - begin != size:
                size = stop - begin
                header = protowire.text_header(size - tail_size - head_size)
                before = head_size + len(header)
            if not header or not raw.startswith(header, begin + head_size):
                break
            if head(raw, begin) != head_common or tail(raw, end) != tail_common:
                break
            texts.append(raw[begin + before : end])
            slots.append(head_slots(raw, begin) + tail_slots(raw, end))
        return texts, slots


def layout_of(raw: bytes, begin: int = 0, stop: int | None = None) -> Layout | None:
    """The layout of a record whose body is the first array of objects in it; None where that is not so.

    It is a guess, in a microsecond: only templates with this layout need to be compared with the record.

    Args:
        raw: the record, or bytes in which it is.
        begin: where it begins.
        stop: where it ends; by default at the end of `raw`.
    """
    stop = len(raw) if stop is None else stop
    text = raw.find(_ROWS, begin, stop)
    if text < begin + _LEAST_HEADER_BYTES:
        return None
    inner = text - 1
    while raw[inner - 1] >= 0x80 and inner > begin + 1:
        inner -= 1
    outer = inner - 2
    while raw[outer - 1] >= 0x80 and outer > begin + 1:
        outer -= 1
    is_length = raw[text - 1] < 0x80 and text - inner <= _MOST_LENGTH_BYTES
    if not is_length or outer <= begin or raw[inner - 1] != _STRING_VALUE or raw[outer - 1] != _BODY:
        return None
    size, after = protowire.varint(raw, inner)
    return (outer - begin, stop - text - size) if after == text else None


def shape_of(raw: bytes, record: LogRecord) -> RecordShape | None:
    """The shape of a record; None where the record is not of the ordinary kind: a text and attributes, each field once.

    The order of the fields does not matter: the OpenTelemetry Collector writes them backwards.

    Args:
        raw: the encoded record.
        record: the same, decoded.
    """
    try:
        fields = list(protowire.fields(raw, 0, len(raw)))
    except UndecodableError:  # a group, which Protocol Buffers skip
        return None
    tags = [tag for tag, _, _ in fields if tag != _ATTRIBUTE]
    if record.body.WhichOneof("value") != "string_value" or len(set(tags)) < len(tags):
        return None
    end = next(stop for tag, _, stop in fields if tag == _BODY)
    start = max((stop for _, _, stop in fields if stop < end), default=0) + 1
    # A tag may be encoded in more bytes than it needs.
    if raw[start - 1] != _BODY or start + len(raw) - end > _MAX_COMMON_BYTES:
        return None
    slots = sorted(_slots(raw, record, fields))
    return RecordShape(
        head=_cut(raw, [slot for slot in slots if slot.begin < start], 0, start),
        tail=_cut(raw, [slot for slot in slots if slot.begin >= start], end, len(raw)),
        slots=dict(enumerate(slots)),
    )


def _slots(raw: bytes, record: LogRecord, fields: Sequence[_Field]) -> Iterator[Slot]:
    index = 0
    is_named = log_record.names_one_collection(record)
    for tag, start, end in fields:
        if tag == _ATTRIBUTE:
            slot = _slot_in(raw, start, end, record.attributes[index], index, is_named=is_named)
            index += 1
            if slot is not None:
                yield slot
        elif tag == _EVENT_NAME:
            if is_named and _is_plain(raw[start:end]):
                yield Slot(start, end, Kind.TEXT, field="event_name")
        elif tag in _SLOTS_BY_TAG and any(raw[start:end]):  # zero times and ids have a meaning of their own
            name = _SLOTS_BY_TAG[tag]
            yield Slot(start, end, Kind.ID if name.endswith("_id") else Kind.TIME, field=name)


def _slot_in(  # noqa: PLR0913 (where it is, and what is in it)
    raw: bytes, start: int, end: int, attribute: KeyValue, index: int, *, is_named: bool
) -> Slot | None:
    """The slot in an encoded attribute; None where all of it is common bytes.

    Args:
        raw: the record.
        start: where the attribute begins.
        end: where it ends.
        attribute: the same, decoded.
        index: its index in the record.
        is_named: whether exactly one attribute names the collection.
    """
    key, value = attribute.key, attribute.value
    varies = log_record.varies(key)
    if key == semconv.CLOUDEVENTS_EVENT_TYPE and is_named:
        varies = Varies.TEXT
    if varies in _TEXT_KINDS and value.WhichOneof("value") == "string_value":
        text = value.string_value.encode()
        kind, usual, size = _TEXT_KINDS[varies], AnyValue(string_value=value.string_value), len(text)
        if not _is_plain(text) or (
            kind is Kind.COLLECTION and not (is_named and log_record.is_tabular(value.string_value))
        ):
            return None
    elif varies is Varies.NUMBER and value.WhichOneof("value") == "int_value":
        kind, usual = Kind.NUMBER, AnyValue(int_value=value.int_value)
        size = (value.int_value.bit_length() + 6) // 7 or 1
        if not 0 <= value.int_value < MAX_NUMBER:
            return None
    else:
        return None
    # Only the key and the value, in the usual encoding: then the attribute ends where the value ends.
    alone = [KeyValue(key=key).SerializeToString(), KeyValue(value=usual).SerializeToString()]
    if raw[start:end] == b"".join(alone):
        return Slot(end - size, end, kind, attribute=index)
    if raw[start:end] == b"".join(reversed(alone)):
        return Slot(end - len(alone[0]) - size, end - len(alone[0]), kind, attribute=index)
    return None


def _is_plain(text: bytes) -> bool:
    """Whether a text may be in a slot."""
    return 0 < len(text) <= _MAX_TEXT_BYTES and not text.translate(None, PLAIN)


def _cut(raw: bytes, slots: Sequence[Slot], start: int, end: int) -> _Cut:
    """Cuts what is between `start` and `end` at the slots."""
    in_slots, outside, at = "", "", start
    for slot in slots:
        common, size = slot.begin - at, slot.end - slot.begin
        in_slots += f"{common}x{size}s"
        outside += f"{common}s{size}x"
        at = slot.end
    cut = Struct(f"{outside}{end - at}s").unpack_from
    return _Cut(Struct(in_slots).unpack_from, cut, cut(raw, start), end - start)
