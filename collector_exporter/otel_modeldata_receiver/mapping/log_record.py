"""One log record becomes one event: its attributes under our names, with every default, and the folder it belongs to.

This runs for every record, so it passes over the attributes once, keeps what `otel_modeldata.semconv` names, and leaves
everything that is the same for many records (names, types, folders, times) to cached functions.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from ..layout import partition
from . import body, cloudevent, http_attributes, otlp
from .resource import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..layout.destination import Destination
    from .resource import Origin

MAX_ID_CHARS: Final = 128
"""Ids of stored lines are remembered to recognize a retry: they must be small."""
MAX_AGENT_CHARS: Final = 256
"""One scope is repeated in the line of every record under it: a large text would multiply."""
_ID_NAMESPACE: Final = uuid.UUID("6f6d1c0e-6b52-5d0c-9a51-4c8f4a8f1f2e")
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


class Event(msgspec.Struct, frozen=True):
    """A log record that passed every check.

    Attributes:
        folder: where its line goes, relative to the store.
        line: what the line says.
        extensions: the caller's own line keys.
        content: what the line has as `data`, or, of a binary payload, its bytes: those the line gets the URL of.
        binary: whether the payload is binary.
    """

    folder: str
    line: cloudevent.CloudEvent
    extensions: dict[str, str]
    content: bytes
    binary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What all records of one scope in one request share.

    Attributes:
        origin: what their resource says.
        resource: its encoded bytes.
        agent: who collected, unless a record says otherwise.
        destinations: where their lines go, by collection.
        arrival_ns: when the request came, ns since the epoch: the time of records that carry none.
        ids: makes ids for records that bring none.
    """

    origin: Origin
    resource: bytes
    agent: str
    destinations: Mapping[str, Destination]
    arrival_ns: int
    ids: Ids


class Ids:
    """Ids for the records of one request that bring none: a retry of the request yields the same ids.

    Equal records of one request are told apart by counting; nothing else distinguishes them.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def make(self, resource: bytes, record: LogRecord) -> str:
        """The id of `record`, sent with the encoded `resource`."""
        digest = hashlib.sha256(hashlib.sha256(resource).digest() + record.SerializeToString()).digest()
        self._seen[digest] = self._seen.get(digest, 0) + 1
        return str(uuid.uuid5(_ID_NAMESPACE, f"{digest.hex()}#{self._seen[digest]}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A checked collection name and what follows from it."""

    name: str
    type: str
    tabular: bool


class Content(NamedTuple):
    """What a line says about its collection and the body of its record."""

    collection: Collection
    type: str
    range: str
    content: bytes
    data_type: str | UnsetType = UNSET
    keys: Mapping[str, str] = {}
    binary: bool = False


def read(record: LogRecord, source: Source) -> Event:
    """The event that `record` reports.

    Raises:
        BadRecordError: the record is not model data, or cannot become a line that readers understand.
    """
    texts, extensions = _attributes(record)
    collection = collection_in(texts, record.event_name)
    if collection.tabular:
        content_type = texts.get(semconv.AZUREML_DATA_CONTENT_TYPE) or semconv.JSON_CONTENT_TYPE
        content = rows_content(collection, content_type, body.rows(record.body, content_type))
    else:
        content = _payload_content(collection, texts, record)
    texts[semconv.CLOUDEVENTS_EVENT_ID] = _event_id(texts, record, source)
    time_ns = record.time_unix_nano or record.observed_time_unix_nano or source.arrival_ns
    line = line_of(texts, source, content, time_ns, traceparent(record.trace_id, record.span_id, record.flags))
    destination = source.destinations[collection.name]
    folder = partition.folder(destination.root, time_ns, destination.rolling_rate)
    return Event(folder, line, extensions, content.content, content.binary)


def line_of(
    texts: Mapping[str, str], source: Source, content: Content, time_ns: int, trace: str
) -> cloudevent.CloudEvent:
    """What a line says.

    Args:
        texts: attributes by name, an event id among them.
        source: what the record shares with others.
        content: its collection and body.
        time_ns: when it happened, ns since the epoch.
        trace: the `traceparent`, or nothing.
    """
    event_id = texts[semconv.CLOUDEVENTS_EVENT_ID]
    # Empty is absent: readers join on the correlation id and would join all empty ones with each other.
    correlation_id = texts.get(semconv.AZUREML_CORRELATION_ID) or event_id
    return cloudevent.CloudEvent(
        id=event_id,
        source=source.origin.source,
        type=content.collection.type,
        datacontenttype=content.type,
        time=cloudevent.time_text(time_ns),
        data=UNSET if content.binary else msgspec.Raw(content.content),
        path=content.keys.get("path", UNSET),
        method=content.keys.get("method", UNSET),
        contentrange=content.range,
        correlationid=correlation_id,
        xrequestid=texts.get(semconv.AZUREML_REQUEST_ID) or correlation_id,
        modelversion=texts.get(semconv.AZUREML_MODEL_VERSION) or semconv.DEFAULT_MODEL_VERSION,
        collectdatatype=texts.get(semconv.AZUREML_DATA_TYPE) or content.data_type,
        agent=texts.get(semconv.AZUREML_AGENT) or source.agent,
        statuscode=content.keys.get("statuscode", UNSET),
        latencyms=content.keys.get("latencyms", UNSET),
        timens=str(time_ns),
        samplingrate=texts.get(semconv.AZUREML_SAMPLING_RATE) or UNSET,
        producer=source.origin.producer or UNSET,
        sequence=texts.get(semconv.AZUREML_PRODUCER_SEQUENCE) or UNSET,
        traceparent=trace or UNSET,
    )


def rows_content(collection: Collection, content_type: str, rows: body.Body) -> Content:
    """Of a tabular collection."""
    return Content(
        collection, content_type, cloudevent.content_range(rows.size), rows.json, data_type=semconv.DATAFRAME_TYPE
    )


def _payload_content(collection: Collection, texts: Mapping[str, str], record: LogRecord) -> Content:
    payload = body.payload(record.body, texts.get(semconv.AZUREML_DATA_CONTENT_TYPE))
    return Content(
        collection,
        payload.content_type,
        cloudevent.content_range(payload.size, http_attributes.total_bytes(texts, payload.size)),
        payload.content,
        keys=http_attributes.line_keys(texts),
        binary=payload.binary,
    )


def agent_of(scope: InstrumentationScope) -> str:
    """`{name}/{version}` of the instrumentation scope: who collected, when no attribute says so."""
    agent = f"{scope.name}/{scope.version}" if scope.version else scope.name
    return agent if scope.name and len(agent) <= MAX_AGENT_CHARS and agent.isprintable() else "opentelemetry"


def collection_hint(record: LogRecord) -> str | None:
    """The collection that a refused record names, if it names one that could exist."""
    for attribute in record.attributes:
        if attribute.key == semconv.AZUREML_COLLECTION_NAME and semconv.is_name(attribute.value.string_value):
            return attribute.value.string_value
    return None


@lru_cache(maxsize=1024)
def collection_of(name: str) -> Collection:
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
    return Collection(name=name, type=semconv.event_type(name), tabular=name not in semconv.PAYLOAD_COLLECTIONS)


_OURS: Final = frozenset(
    {
        semconv.AZUREML_COLLECTION_NAME,
        semconv.CLOUDEVENTS_EVENT_ID,
        semconv.CLOUDEVENTS_EVENT_TYPE,
        semconv.AZUREML_CORRELATION_ID,
        semconv.AZUREML_REQUEST_ID,
        semconv.AZUREML_MODEL_VERSION,
        semconv.AZUREML_DATA_TYPE,
        semconv.AZUREML_AGENT,
        semconv.AZUREML_SAMPLING_RATE,
        semconv.AZUREML_PRODUCER_SEQUENCE,
    }
)


def text_of(attribute: KeyValue) -> str | None:
    """The text of an attribute of ours; None where it has none, and of all others.

    Raises:
        BadRecordError: it is no text, or none that a line can hold.
    """
    key, value = attribute.key, attribute.value
    if key in _OURS:
        return otlp.text_of(key, value)
    return http_attributes.text_of(key, value) if key in http_attributes.ATTRIBUTES else None


def _attributes(record: LogRecord) -> tuple[dict[str, str], dict[str, str]]:
    """Our attributes as text, and the caller's extension attributes by line key; all others are left alone."""
    texts: dict[str, str] = {}
    extensions: dict[str, str] = {}
    for attribute in record.attributes:
        text = text_of(attribute)
        if text is not None:
            texts[attribute.key] = text
        elif attribute.key.startswith(semconv.CLOUDEVENTS_EXTENSION_PREFIX):
            _take_extension(extensions, attribute.key, attribute.value)
    return texts, extensions


def _take_extension(extensions: dict[str, str], key: str, value: AnyValue) -> None:
    """Keep an extension attribute if a line may carry it: the event matters more than what was attached to it."""
    name = key.removeprefix(semconv.CLOUDEVENTS_EXTENSION_PREFIX)
    if not cloudevent.is_free_key(name):
        return
    try:
        text = otlp.text_of(key, value)
    except BadRecordError:
        return
    if text is not None:
        extensions[name] = text


def collection_in(texts: Mapping[str, str], event_name: str) -> Collection:
    """The collection that a record names.

    Args:
        texts: its attributes by name.
        event_name: its event name, which counts where no attribute says it.

    Raises:
        BadRecordError: it names none, or one that cannot be; see `collection_of`.
    """
    name = texts.get(semconv.AZUREML_COLLECTION_NAME)
    if name is not None:
        return collection_of(name)
    for event_type in (event_name, texts.get(semconv.CLOUDEVENTS_EVENT_TYPE, "")):
        if event_type.startswith(semconv.EVENT_TYPE_PREFIX):
            return collection_of(event_type.removeprefix(semconv.EVENT_TYPE_PREFIX))
    raise BadRecordError(
        f"not model data: expected the attribute {semconv.AZUREML_COLLECTION_NAME} or an event name that starts with "
        f"{semconv.EVENT_TYPE_PREFIX}, got event name {event_name[:80]!r}; route other logs elsewhere"
    )


def _event_id(texts: dict[str, str], record: LogRecord, source: Source) -> str:
    event_id = texts.get(semconv.CLOUDEVENTS_EVENT_ID)
    if event_id is None:
        return source.ids.make(source.resource, record)
    if not (1 <= len(event_id) <= MAX_ID_CHARS and event_id.isprintable()):
        raise BadRecordError(
            f"event id: expected 1 to {MAX_ID_CHARS} printable characters, got {event_id[:80]!r} "
            f"({len(event_id)} characters); send a uuid"
        )
    return event_id


def traceparent(trace_id: bytes, span_id: bytes, flags: int) -> str:
    """W3C Trace Context `traceparent`, or nothing: an id of another size, or of zeros, is no id (OTLP LogRecord)."""
    if len(trace_id) != 16 or len(span_id) != 8 or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return ""
    return f"00-{trace_id.hex()}-{span_id.hex()}-{flags & 0xFF:02x}"
