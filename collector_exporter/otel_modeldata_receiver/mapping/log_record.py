"""Maps one log record to one event: its attributes as line keys, with every default, and its folder.

`cloudevent.CloudEvent` declares which attribute becomes which line key. This module adds the keys that follow from
several values: the collection, the content, the time and the defaults. It reads the attributes once; values that many
records share (names, types, folders, times) come from cached functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from ..layout import partition
from . import body, cloudevent, http_attributes, otlp
from .bounds.rows_check import OWN_AGENT
from .cloudevent import LINE_ATTRIBUTES, Varies
from .event import Event
from .resource import checked_name
from .scope import new_event_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from .scope import ScopeContext

MAX_ID_CHARS: Final = 128
"""Ids of stored lines are remembered to recognize a retry: they must be small."""
UNDECODABLE_JSON: Final = "undecodable OTLP/JSON record"
"""The event name that a record gets if its JSON cannot be read; the name of such a span."""
_MOST_FAULT_CHARS: Final = 200
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCollection:
    """A checked collection name and what follows from it."""

    name: str
    type: str
    tabular: bool


class _Content(NamedTuple):
    """The keys of a line that follow from the body of its record."""

    type: str
    range: str
    content: bytes
    keys: Mapping[str, str]
    binary: bool = False


def read(record: LogRecord, scope: ScopeContext, text: bytes | None = None) -> Event:
    """The event that `record` reports.

    Args:
        record: the record.
        scope: what it shares with others.
        text: the text of its body, if that was cut out (`bounds/large_text.py`).

    Raises:
        BadRecordError: the record is not model data, or cannot become a line that readers understand.
    """
    texts, extensions = _attributes(record)
    collection = _collection(texts, record)
    content = (_rows_content if collection.tabular else _payload_content)(texts, record, text)
    time_ns = record.time_unix_nano or record.observed_time_unix_nano or scope.arrival_ns
    scope.times.check(time_ns)
    destination = scope.destinations[collection.name]
    return Event(
        collection=collection.name,
        folder=partition.folder(destination.root, time_ns, destination.rolling_rate),
        line=cloudevent.CloudEvent(
            source=scope.resource.source,
            type=collection.type,
            datacontenttype=content.type,
            time=cloudevent.time_text(time_ns),
            data=UNSET if content.binary else msgspec.Raw(content.content),
            contentrange=content.range,
            timens=str(time_ns),
            producer=scope.resource.producer or UNSET,
            traceparent=traceparent(record) or UNSET,
            **_keys(texts, event_id(texts.get(semconv.CLOUDEVENTS_EVENT_ID)), scope, content),
        ),
        extensions=extensions,
        content=content.content,
        binary=content.binary,
    )


def _keys(texts: Mapping[str, str], known_id: str, scope: ScopeContext, content: _Content) -> dict[str, Any]:
    """The line keys that are attributes, with defaults for the keys that every line has."""
    sent = {key: text for key, attribute in LINE_ATTRIBUTES.items() if (text := texts.get(attribute.name))}
    defaults = {
        "id": known_id,
        # Empty is absent: readers join on the correlation id and would join all empty ones with each other.
        "correlationid": known_id,
        "xrequestid": sent.get("correlationid", known_id),
        "modelversion": semconv.DEFAULT_MODEL_VERSION,
        "agent": scope.agent,
    }
    return {**defaults, **content.keys, **sent}


def _rows_content(texts: Mapping[str, str], record: LogRecord, text: bytes | None) -> _Content:
    content_type = texts.get(semconv.AZUREML_DATA_CONTENT_TYPE) or semconv.JSON_CONTENT_TYPE
    rows = body.rows(record.body, content_type, is_own=_is_own(texts), text=text)
    return _Content(
        type=content_type,
        range=cloudevent.content_range(rows.size),
        content=rows.json,
        keys={"collectdatatype": semconv.DATAFRAME_TYPE},
    )


def _payload_content(texts: Mapping[str, str], record: LogRecord, text: bytes | None) -> _Content:
    payload = body.payload(record.body, texts.get(semconv.AZUREML_DATA_CONTENT_TYPE), text)
    return _Content(
        type=payload.content_type,
        range=cloudevent.content_range(payload.size, http_attributes.total_bytes(texts, payload.size)),
        content=payload.content,
        keys=http_attributes.line_keys(texts),
        binary=payload.binary,
    )


def is_own(record: LogRecord) -> bool:
    """Whether `record` states that this project's SDK wrote it.

    Raises:
        BadRecordError: an attribute is not text.
    """
    texts, _ = _attributes(record)
    return _is_own(texts)


def _is_own(texts: Mapping[str, str]) -> bool:
    return texts.get(semconv.AZUREML_AGENT, "").startswith(OWN_AGENT)


def collection_hint(record: LogRecord) -> str | None:
    """The collection that a rejected record names, if the name is valid."""
    for attribute in record.attributes:
        if attribute.key == semconv.AZUREML_COLLECTION_NAME and semconv.is_name(attribute.value.string_value):
            return attribute.value.string_value
    return None


@lru_cache(maxsize=4096)
def collection_of(name: str) -> KnownCollection:
    """The collection called `name`.

    Raises:
        BadRecordError: the name cannot become a segment of a path, or would be read in place of another collection.
    """
    checked_name("collection", name)
    if name.endswith(partition.SHADOW_SUFFIX):
        raise BadRecordError(
            f"name: expected a collection that does not end with {partition.SHADOW_SUFFIX}, got {name!r}: "
            "Azure ML reads such a folder in place of another collection; rename the collection"
        )
    return KnownCollection(name=name, type=semconv.event_type(name), tabular=name not in semconv.PAYLOAD_COLLECTIONS)


def is_tabular(name: str) -> bool:
    """Whether `name` is a valid one, of a collection of rows."""
    try:
        return collection_of(name).tabular
    except BadRecordError:
        return False


ATTRIBUTES: Final = frozenset(
    {
        semconv.AZUREML_COLLECTION_NAME,
        semconv.CLOUDEVENTS_EVENT_TYPE,
        *(attribute.name for attribute in LINE_ATTRIBUTES.values()),
    }
)
"""The attributes that must be text; the attributes of `http_attributes.py` may have any type."""
_VARIES: Final = {attribute.name: attribute.varies for attribute in LINE_ATTRIBUTES.values()} | {
    semconv.AZUREML_COLLECTION_NAME: Varies.COLLECTION
}


def varies(key: str) -> Varies:
    """How the values of an attribute may differ between records that share a line template."""
    if key in ATTRIBUTES:
        return _VARIES.get(key, Varies.NO)
    if key in http_attributes.ATTRIBUTES or key.startswith(semconv.CLOUDEVENTS_EXTENSION_PREFIX):
        return Varies.NO
    return Varies.TEXT  # not in the line at all


def _text_of(attribute: KeyValue) -> str | None:
    """The text of an attribute that this module reads; None for an empty one and for any other attribute.

    Raises:
        BadRecordError: it is not text, or not text that a line can hold.
    """
    key, value = attribute.key, attribute.value
    if key == semconv.AZUREML_DATA_TYPES:  # only a help for readers: it must not reject the event
        return value.string_value if semconv.is_data_types(value.string_value) else None
    if key in ATTRIBUTES:
        return otlp.text_of(key, value)
    return http_attributes.text_of(key, value) if key in http_attributes.ATTRIBUTES else None


def _attributes(record: LogRecord) -> tuple[dict[str, str], dict[str, str]]:
    """The attributes that are read, as text, and the caller's extension attributes by line key; others are ignored."""
    texts: dict[str, str] = {}
    extensions: dict[str, str] = {}
    for attribute in record.attributes:
        text = _text_of(attribute)
        if text is not None:
            texts[attribute.key] = text
        elif attribute.key.startswith(semconv.CLOUDEVENTS_EXTENSION_PREFIX):
            name = attribute.key.removeprefix(semconv.CLOUDEVENTS_EXTENSION_PREFIX)
            extension = _extension(name, attribute.value)
            if extension is not None:
                extensions[name] = extension
    return texts, extensions


def _extension(name: str, value: AnyValue) -> str | None:
    """The text of an extension attribute; None where a line may not have it: this must not reject the event."""
    if not cloudevent.is_free_key(name):
        return None
    try:
        return otlp.text_of(name, value)
    except BadRecordError:
        return None


def _collection(texts: Mapping[str, str], record: LogRecord) -> KnownCollection:
    """The collection that a record names.

    Args:
        texts: its attributes by name.
        record: the record; its event name is used where no attribute names the collection.

    Raises:
        BadRecordError: it names none, or an invalid one; see `collection_of`.
    """
    name = texts.get(semconv.AZUREML_COLLECTION_NAME)
    if name is not None:
        return collection_of(name)
    event_name = record.event_name
    for event_type in (event_name, texts.get(semconv.CLOUDEVENTS_EVENT_TYPE, "")):
        if event_type.startswith(semconv.EVENT_TYPE_PREFIX):
            return collection_of(event_type.removeprefix(semconv.EVENT_TYPE_PREFIX))
    if event_name == UNDECODABLE_JSON:
        raise undecodable_json(record.severity_text)
    raise BadRecordError(
        f"not model data: expected the attribute {semconv.AZUREML_COLLECTION_NAME} or an event name that starts with "
        f"{semconv.EVENT_TYPE_PREFIX}, got event name {event_name[:80]!r}; route other logs elsewhere"
    )


def undecodable_json(fault: str) -> BadRecordError:
    """The error for a record in JSON that could not be read, because it has `fault`."""
    return BadRecordError(f"undecodable record: expected OTLP in JSON, got {fault[:_MOST_FAULT_CHARS]}")


def names_one_collection(record: LogRecord) -> bool:
    """Whether exactly one attribute names the collection of `record`: then its event names are not looked at."""
    return sum(attribute.key == semconv.AZUREML_COLLECTION_NAME for attribute in record.attributes) == 1


def names_no_collection(record: LogRecord) -> bool:
    """Whether no attribute names the collection of `record`."""
    return not any(
        attribute.key == semconv.AZUREML_COLLECTION_NAME
        or (
            attribute.key == semconv.CLOUDEVENTS_EVENT_TYPE
            and attribute.value.string_value.startswith(semconv.EVENT_TYPE_PREFIX)
        )
        for attribute in record.attributes
    )


def has_event_id(record: LogRecord) -> bool:
    """Whether the sender gave `record` an event id, valid or not; an empty one identifies nothing."""
    return any(
        attribute.key == semconv.CLOUDEVENTS_EVENT_ID
        and (kind := attribute.value.WhichOneof("value")) is not None
        and (kind != "string_value" or attribute.value.string_value != "")
        for attribute in record.attributes
    )


def event_id(sent: str | None) -> str:
    """The id of the event: the one that the sender gave it, else a new one.

    Raises:
        BadRecordError: the id that was sent is invalid.
    """
    if sent is None:
        return new_event_id()
    if not (1 <= len(sent) <= MAX_ID_CHARS and sent.isprintable()):
        raise BadRecordError(
            f"event id: expected 1 to {MAX_ID_CHARS} printable characters, got {sent[:80]!r} "
            f"({len(sent)} characters); send a uuid"
        )
    return sent


def traceparent(record: LogRecord) -> str:
    """W3C Trace Context `traceparent`; empty where an id has another size or is zero (OTLP LogRecord)."""
    trace_id, span_id = record.trace_id, record.span_id
    if len(trace_id) != len(_NO_TRACE) or len(span_id) != len(_NO_SPAN) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return ""
    return f"00-{trace_id.hex()}-{span_id.hex()}-{record.flags & 0xFF:02x}"
