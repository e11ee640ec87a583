"""Encodes rows and context as an OTLP log record in protobuf bytes, and builds requests of many records.

A record is encoded once, on its own, and the same bytes are sent each time: a request is made by concatenation, because
in protobuf the concatenation of two messages is their merge ("Protocol Buffers: Encoding, Last One Wins"). The part
that is equal for all records of a collector is encoded once, too.

The messages are in `otlp_messages.py`. The logs SDK of opentelemetry-python is not used: its names are still
private and differ between the two supported lines, its limits would truncate data, and with `OTEL_SDK_DISABLED` it
would drop every event silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from sys import getsizeof
from typing import TYPE_CHECKING, Protocol

import msgspec

from .. import semconv
from .._version import AGENT, NAME, VERSION
from ..context import new_uuid
from .dataframe_json import Pause, Rows, no_pause
from .otlp_messages import (
    AnyValue,
    ExportLogsServiceRequest,
    InstrumentationScope,
    KeyValue,
    LogRecord,
    ResourceLogs,
    ScopeLogs,
)
from .otlp_messages import Resource as ResourceMessage
from .wire_fields import any_value, attribute, span, tag, times, varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.trace import SpanContext


_ATTRIBUTE_BYTES = 160
"""Memory of an attribute of a record beside its value."""
_TEXT_BYTES = _ATTRIBUTE_BYTES + getsizeof("")
_SPAN_CONTEXT_BYTES = 400
_COPIED_BYTES = 4096
"""A smaller text is copied into its record: to handle one more piece takes longer."""
Parts = tuple[bytes | bytearray, ...]
"""An encoded message in pieces."""


class RecordBody(Protocol):
    """The data of a record: the rows of a frame, or the body of a request or response."""

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes; exact once encoded."""

    @property
    def memory(self) -> int:
        """Bytes of memory that it takes while it waits, at most."""

    @property
    def is_text(self) -> bool:
        """Whether `text` is certainly UTF-8; if not, it is sent as bytes."""

    def text(self, pause: Pause = no_pause, /) -> bytes | bytearray:
        """The bytes to send; making them calls `pause` from time to time."""


@dataclass(frozen=True, slots=True)
class PayloadBody:
    """The body of a request or response as it was on the wire.

    Attributes:
        content: all of it, or its beginning.
        is_text: whether it is certainly UTF-8.
    """

    content: bytes
    is_text: bool

    @property
    def nbytes(self) -> int:
        """Bytes of `content`."""
        return len(self.content)

    @property
    def memory(self) -> int:
        """The same: its other memory is that of any record."""
        return len(self.content)

    def text(self, _: Pause = no_pause, /) -> bytes:
        """`content`."""
        return self.content


class Record(msgspec.Struct, eq=False, gc=False):
    """One event that was accepted, until it is delivered or reported lost.

    Attributes:
        collection: the collection's name.
        fixed: the bytes that `fixed_part` made for the collector.
        time_ns: event time, ns since 1970.
        attributes: the attributes that differ from record to record.
        span_context: the span the event belongs to; None outside of any.
        body: the data.
        event_id: the CloudEvents `id`; empty until it is needed.
        sequence: the event's number within its producer and collection, given when it is accepted.
        first_row: index of its first row in the event: above 0 if it joined the event of an earlier `collect`.
    """

    collection: str
    fixed: bytes
    time_ns: int
    attributes: Mapping[str, str | float]
    span_context: SpanContext | None
    body: RecordBody
    event_id: str = ""
    sequence: int = 0
    first_row: int = 0

    def memory(self) -> int:
        """Bytes of memory that it takes while it waits, beside those that every record takes."""
        size = self.body.memory - _ATTRIBUTE_BYTES
        for value in self.attributes.values():
            if type(value) is str and value.isascii():  # the usual case without `getsizeof`
                size += len(value) + _TEXT_BYTES
            else:
                size += getsizeof(value) + _ATTRIBUTE_BYTES
        return size if self.span_context is None else size + _SPAN_CONTEXT_BYTES

    def size(self) -> tuple[int, int]:
        """How many rows the record has, none for a payload, and how many bytes they take."""
        return (self.body.count if isinstance(self.body, Rows) else 0), self.body.nbytes

    def types(self) -> str:
        """What types the columns of the rows have, after `body.text`; empty for a payload."""
        return self.body.types if isinstance(self.body, Rows) else ""

    def may_join(self, other: Record, nbytes: int) -> bool:
        """Whether one event may hold the rows of both; `nbytes` are those that it holds already."""
        if self.attributes != other.attributes or self.fixed != other.fixed:  # e.g. another model version
            return False
        if not isinstance(self.body, Rows) or not isinstance(other.body, Rows):
            return False
        return self.body.may_join(other.body, nbytes)

    def join(self, other: Record) -> None:
        """Append the rows of `other`, after `may_join`."""
        if isinstance(self.body, Rows) and isinstance(other.body, Rows):
            self.body.join(other.body)
        self.event_id = self.event_id or other.event_id

    def encode(self) -> bytes:
        """The OTLP `LogRecord`."""
        return b"".join(self.parts())

    def parts(self, pause: Pause = no_pause) -> Parts:
        """The OTLP `LogRecord` in pieces, so that rows are copied only once, into their request.

        Args:
            pause: called from time to time.
        """
        self.event_id = self.event_id or new_uuid()
        text = self.body.text(pause)
        time, observed = times(self.time_ns)
        fields = [
            self.fixed,
            time,
            attribute(semconv.CLOUDEVENTS_EVENT_ID, self.event_id),
            attribute(semconv.AZUREML_PRODUCER_SEQUENCE, self.sequence),
            *[attribute(key, value) for key, value in self.attributes.items()],
        ]
        if types := self.types():
            fields.append(attribute(semconv.AZUREML_DATA_TYPES, types))
        if (context := self.span_context) is not None:
            fields.append(span(context.trace_id, context.span_id, int(context.trace_flags)))
        value, size = _STRING_VALUE if self.body.is_text else _BYTES_VALUE, varint(len(text))
        fields += (observed, _BODY, varint(len(value) + len(size) + len(text)), value, size)
        if len(text) > _COPIED_BYTES:
            return b"".join(fields), text
        fields.append(bytes(text))
        return (b"".join(fields),)


def fixed_attributes(
    collection: str, sampling_rate: float, model_version: str = semconv.DEFAULT_MODEL_VERSION
) -> dict[str, str | float]:
    """The attributes that every record of one collector has."""
    attributes: dict[str, str | float] = {
        semconv.AZUREML_COLLECTION_NAME: collection,
        semconv.CLOUDEVENTS_EVENT_TYPE: semconv.event_type(collection),
        semconv.AZUREML_MODEL_VERSION: model_version,
    }
    if collection not in semconv.PAYLOAD_COLLECTIONS:
        attributes[semconv.AZUREML_DATA_TYPE] = semconv.DATAFRAME_TYPE
        attributes[semconv.AZUREML_DATA_CONTENT_TYPE] = semconv.JSON_CONTENT_TYPE
    attributes[semconv.AZUREML_AGENT] = AGENT
    attributes[semconv.AZUREML_SAMPLING_RATE] = float(sampling_rate)
    return attributes


def fixed_part(collection: str, sampling_rate: float, model_version: str = semconv.DEFAULT_MODEL_VERSION) -> bytes:
    """The same, encoded: the beginning of the bytes of each record."""
    attributes = fixed_attributes(collection, sampling_rate, model_version)
    message = LogRecord(attributes=[_key_value(key, value) for key, value in attributes.items()])
    message.event_name = semconv.event_type(collection)
    return message.SerializeToString()


def _key_value(key: str, value: str | float) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


_DEPLOYMENT = (semconv.AZUREML_ENDPOINT_NAME, semconv.AZUREML_DEPLOYMENT_NAME)
_DEFAULTS = {
    semconv.AZUREML_ENDPOINT_NAME: semconv.DEFAULT_ENDPOINT,
    semconv.AZUREML_DEPLOYMENT_NAME: semconv.DEFAULT_DEPLOYMENT,
}


class RequestEnvelope:
    """The constant parts of `ExportLogsServiceRequest` around the records of one process.

    Args:
        attributes: of the resource; endpoint and deployment have defaults.
        producer: the id of the process.

    Attributes:
        deployment: `{endpoint}/{deployment}`, the first two folders.

    `ExportLogsServiceRequest.resource_logs` (1) holds `ResourceLogs{resource (1), scope_logs (2)}`, which holds
    `ScopeLogs{scope (1), log_records (2)}`; each of the three is a length-delimited field.
    """

    def __init__(self, attributes: Mapping[str, str | bool | int | float], producer: str) -> None:
        resource = {**_DEFAULTS, **attributes, semconv.SERVICE_INSTANCE_ID: producer}
        self.deployment = "/".join(str(resource[key]) for key in _DEPLOYMENT)
        message = ResourceMessage(attributes=[_key_value(key, value) for key, value in resource.items()])
        scope = InstrumentationScope(name=NAME, version=VERSION)
        self._set(ResourceLogs(resource=message), ScopeLogs(scope=scope))

    @classmethod
    def of_request(cls, request: bytes) -> RequestEnvelope:
        """The envelope of an existing request, to send the records of a dead process with its resource."""
        (logs,) = ExportLogsServiceRequest.FromString(request).resource_logs
        (scope,) = logs.scope_logs
        envelope = cls.__new__(cls)
        texts = {item.key: item.value.string_value for item in logs.resource.attributes}
        envelope.deployment = "/".join(texts.get(key, "") for key in _DEPLOYMENT)
        envelope._set(ResourceLogs(resource=logs.resource), ScopeLogs(scope=scope.scope))  # noqa: SLF001 - its own
        return envelope

    def _set(self, resource: ResourceLogs, scope: ScopeLogs) -> None:
        self._resource = resource.SerializeToString()
        self._scope = scope.SerializeToString()

    def request(self, records: Sequence[Parts]) -> bytes:
        """One `ExportLogsServiceRequest` with these encoded records, in order."""
        parts: list[bytes | bytearray] = [b"", self._scope]
        for record in records:
            parts += (_LOG_RECORDS, varint(sum(map(len, record))), *record)
        size = sum(map(len, parts))
        head = b"".join((self._resource, _SCOPE_LOGS, varint(size)))
        parts[0] = b"".join((_RESOURCE_LOGS, varint(len(head) + size), head))
        return b"".join(parts)


_RESOURCE_LOGS = tag(ExportLogsServiceRequest, "resource_logs")
_SCOPE_LOGS = tag(ResourceLogs, "scope_logs")
_BODY = tag(LogRecord, "body")
_STRING_VALUE = tag(AnyValue, "string_value")
_BYTES_VALUE = tag(AnyValue, "bytes_value")
_LOG_RECORDS = tag(ScopeLogs, "log_records")
