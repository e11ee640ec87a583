"""One log record of OpenTelemetry's GenAI conventions becomes one event of the collection `app_events`.

With some versions and settings of an instrumentation the messages of a call are not on its span: they are log records
with event names such as `gen_ai.user.message`, `gen_ai.choice` and `gen_ai.client.inference.operation.details`. A span
and its records arrive in different requests, in any order, and perhaps at different receivers. A receiver that waited
to join them could not acknowledge them. So each record is stored by itself, and readers join it with its span by trace
id and span id, which have the same form in both collections.

The key `data` has one object. Its attributes are flat, as those of spans are; a structured body is JSON text, so the
column has one type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv

from .. import attributes as flat
from .. import cloudevent, log_record
from ..row_event import RowIds, row_event

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..event import Event
    from ..scope import ScopeContext

__all__ = ["is_genai_event", "read"]

_PREFIX: Final = "gen_ai."
_EVENT_NAME: Final = "event.name"
"""The attribute that had the event name before OTLP 1.5 had a field for it."""

_encoder: Final = msgspec.json.Encoder()


def is_genai_event(record: LogRecord) -> bool:
    """Whether a record is an event of the GenAI conventions, and not model data of a collection that it names."""
    if record.event_name and not record.event_name.startswith(_PREFIX):
        return False
    return _name(record).startswith(_PREFIX) and log_record.names_no_collection(record)


def read(record: LogRecord, scope: ScopeContext) -> Event:
    """The event that `record` reports.

    Raises:
        BadRecordError: an attribute or the body nests too deep, or the event id is invalid.
    """
    attributes = flat.plain(record.attributes, record.dropped_attributes_count)
    event_id = log_record.event_id(flat.id_in(attributes, semconv.CLOUDEVENTS_EVENT_ID))
    time_ns = record.time_unix_nano or record.observed_time_unix_nano or scope.arrival_ns
    scope.times.check(time_ns)
    traceparent = log_record.traceparent(record)
    trace_id = record.trace_id.hex() if traceparent else None
    span_id = record.span_id.hex() if traceparent else None
    correlation_id = flat.id_in(attributes, semconv.AZUREML_CORRELATION_ID) or trace_id or event_id
    row = {
        "name": _name(record),
        "context": {
            "trace_id": None if trace_id is None else f"0x{trace_id}",
            "span_id": None if span_id is None else f"0x{span_id}",
        },
        "timestamp": cloudevent.moment_text(time_ns),
        "attributes": attributes,
        "body": _body(record),
    }
    ids = RowIds(event_id, correlation_id, correlation_id, traceparent)
    return row_event(row, scope, semconv.EVENT_COLLECTION, ids, time_ns)


def _name(record: LogRecord) -> str:
    """The event name; empty where there is none."""
    if record.event_name:
        return record.event_name
    return next((one.value.string_value for one in record.attributes if one.key == _EVENT_NAME), "")


def _body(record: LogRecord) -> str | None:
    """The body as text: of a structured one, its JSON."""
    body = flat.value(record.body)
    return body if body is None or isinstance(body, str) else _encoder.encode(body).decode()
