"""One OTLP span becomes one event of the collection `app_traces`, in the shape that Azure's GenAI preprocessor reads.

A line has one span, as the lines of Azure's own collector do: the preprocessor builds traces from all lines of its
window. The key `data` has what `ReadableSpan.to_json()` of opentelemetry-python prints, with the additions of
`genai.py`. The event's id is made of trace id and span id, so a span is stored once however often it is sent, alone or
with others. Its folder is the hour in which the span ended, because Azure selects spans by that time.

Spark makes one table of all lines of a window, with a column for each attribute name. Names in one map that differ only
in case would fail the whole window, and unlimited names would be unlimited columns. So only the first names are kept,
and `otel.dropped_attributes_count` is the number of dropped ones. Values are kept flat: any value that is neither a
scalar nor an array of scalars is JSON text.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags
from opentelemetry.trace import TraceState

from otel_modeldata import semconv

from ..config.kept_spans import KeptSpans
from ..exceptions import BadRecordError
from ..layout import partition
from . import body, cloudevent, event, genai
from .event import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from .event import Outcome
    from .otlp import ScopeRecords
    from .scope import ScopeContext

MAX_ATTRIBUTES: Final = 256
"""Names in one map; OTel's SDKs stop at 128."""
MAX_RESOURCE_BYTES: Final = 4096
"""Of a resource's attributes as JSON: a resource is repeated in the line of every span; a large one would multiply."""
MAX_SCHEMA_CHARS: Final = 256
"""Of the resource's schema URL, which is repeated likewise."""
MAX_ID_CHARS: Final = 256
"""Of a correlation or request id; a longer one is ignored, and the trace id is used."""
_ADDRESSES: Final = frozenset({"url.full", "url.query", "http.target", "http.url"})
_DROPPED: Final = "otel.dropped_attributes_count"
"""The name in OTel's specification for this count where a format has no field for it."""
_KINDS: Final = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""By OTLP's number; 0 is unspecified, which "MAY" be read as internal (OTLP, `Span.SpanKind`)."""
_STATUSES: Final = ("UNSET", "OK", "ERROR")
_SAMPLED: Final = 1
"""A span that is exported was sampled; not every SDK fills in the flags."""
_REMOTE_PARENT: Final = SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK

_SCALARS: Final = frozenset({"string_value", "int_value", "double_value", "bool_value"})

_encoder: Final = msgspec.json.Encoder()


class SpanMapper:
    """Maps the spans of one scope of one resource.

    Args:
        spans: the spans, with the resource that is repeated in every line.
        scope: what the spans share.
        kept: which of them become lines.
    """

    def __init__(self, spans: ScopeRecords[Span], scope: ScopeContext, kept: KeptSpans) -> None:
        self._spans = spans
        self._scope = scope
        self._kept = kept

    def map(self, span: Span) -> Outcome:
        """Map `span`; None where the setting `spans` excludes it.

        Raises:
            BadRecordError: its ids are invalid, or an attribute nests too deep.
        """
        read = _read(span, self._scope, self._resource, self._kept)
        return None if read is None else event.outcome_of(read, span, self._scope)

    @cached_property
    def _resource(self) -> msgspec.Raw:
        """The resource, read with the first span: an error in it rejects spans, not the request."""
        attributes = _attributes(Resource.FromString(self._spans.resource).attributes, 0)
        schema_url = self._spans.schema_url
        if len(schema_url) > MAX_SCHEMA_CHARS:
            schema_url = ""
        return msgspec.Raw(_encoder.encode({"attributes": _fitting(attributes), "schema_url": schema_url}))


def _read(span: Span, scope: ScopeContext, resource: msgspec.Raw, kept: KeptSpans) -> Event | None:
    _check_ids(span)
    attributes = _attributes(span.attributes, span.dropped_attributes_count)
    events = [(one.name, _attributes(one.attributes, one.dropped_attributes_count)) for one in span.events]
    if kept is KeptSpans.CONTENT and not genai.has_content(attributes, events):
        return None
    correlation_id = _id(attributes, semconv.AZUREML_CORRELATION_ID) or span.trace_id.hex()
    request_id = _id(attributes, semconv.AZUREML_REQUEST_ID) or correlation_id
    framework = scope.agent.partition("/")[0]
    entry = (span.name, _status(span)) if _is_entry(span) else None
    attributes = genai.completed(attributes, events, framework=framework, entry=entry)
    end_ns = span.end_time_unix_nano or span.start_time_unix_nano or scope.arrival_ns
    data = _encoder.encode([_shape(span, attributes, events, end_ns, resource)])
    line = cloudevent.CloudEvent(
        id=f"{span.trace_id.hex()}-{span.span_id.hex()}",
        source=scope.resource.source,
        type=semconv.event_type(semconv.TRACE_COLLECTION),
        datacontenttype=semconv.JSON_CONTENT_TYPE,
        time=cloudevent.time_text(end_ns),
        data=msgspec.Raw(data),
        contentrange=cloudevent.content_range(len(data)),
        correlationid=correlation_id,
        xrequestid=request_id,
        modelversion=semconv.DEFAULT_MODEL_VERSION,
        collectdatatype=semconv.DATAFRAME_TYPE,
        agent=scope.agent,
        timens=str(end_ns),
        producer=scope.resource.producer or UNSET,
        traceparent=f"00-{span.trace_id.hex()}-{span.span_id.hex()}-{span.flags & 0xFF | _SAMPLED:02x}",
    )
    destination = scope.destinations[semconv.TRACE_COLLECTION]
    return Event(
        collection=semconv.TRACE_COLLECTION,
        folder=partition.folder(destination.root, end_ns, destination.rolling_rate),
        line=line,
        extensions={},
        content=data,
    )


def _check_ids(span: Span) -> None:
    for name, found, size in (("trace_id", span.trace_id, 16), ("span_id", span.span_id, 8)):
        if len(found) != size or not any(found):
            raise BadRecordError(
                f"span ids: expected a {name} of {size} bytes that are not all zero, got {found[:32].hex()!r} "
                f"({len(found)} bytes); correct the sender"
            )
    if len(span.parent_span_id) not in {0, 8}:
        raise BadRecordError(
            f"span ids: expected a parent_span_id of 8 bytes or none, got {len(span.parent_span_id)} bytes; "
            "correct the sender"
        )


def _is_entry(span: Span) -> bool:
    """Whether a request entered the service with this span, so that the parent, if any, is in another folder."""
    return (
        not any(span.parent_span_id)
        or bool(span.flags & _REMOTE_PARENT)
        or span.kind in {Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CONSUMER}
    )


def _shape(
    span: Span,
    attributes: dict[str, object],
    events: Sequence[tuple[str, dict[str, object]]],
    end_ns: int,
    resource: msgspec.Raw,
) -> dict[str, object]:
    """`ReadableSpan.to_json()` of `span`, in its order."""
    status = {"status_code": _status(span)}
    if span.status.message:
        status["description"] = span.status.message
    return {
        "name": span.name,
        "context": _context(span.trace_id, span.span_id, span.trace_state),
        "kind": f"SpanKind.{_named(_KINDS, span.kind)}",
        "parent_id": f"0x{span.parent_span_id.hex()}" if any(span.parent_span_id) else None,
        "start_time": _moment(span.start_time_unix_nano or end_ns),
        "end_time": _moment(end_ns),
        "status": status,
        "attributes": attributes,
        "events": [
            {"name": name, "timestamp": _moment(one.time_unix_nano or end_ns), "attributes": of_event}
            for one, (name, of_event) in zip(span.events, events, strict=True)
        ],
        "links": [
            {
                "context": _context(link.trace_id, link.span_id, link.trace_state),
                "attributes": _attributes(link.attributes, link.dropped_attributes_count),
            }
            for link in span.links
        ],
        "resource": resource,
    }


def _status(span: Span) -> str:
    return _named(_STATUSES, span.status.code)


def _named(names: Sequence[str], number: int) -> str:
    """An unknown number has the name of 0."""
    return names[number] if 0 <= number < len(names) else names[0]


def _context(trace_id: bytes, span_id: bytes, trace_state: str) -> dict[str, object]:
    state = repr(TraceState.from_header([trace_state])) if trace_state else "[]"
    return {"trace_id": f"0x{trace_id.hex()}", "span_id": f"0x{span_id.hex()}", "trace_state": state}


def _moment(time_ns: int) -> str:
    """ISO 8601 in UTC with microseconds, the form that the preprocessor reads as a time."""
    return f"{cloudevent.time_text(time_ns)[:-1]}.{time_ns % partition.NS_PER_SECOND // 1000:06d}Z"


def _attributes(pairs: Sequence[KeyValue], dropped: int) -> dict[str, object]:
    values: dict[str, object] = {}
    seen: set[str] = set()
    for pair in pairs:
        key = pair.key
        if key in values:  # OTLP: "Attribute keys MUST be unique"; the last one wins, as in every SDK
            values[key] = _readable(key, pair.value)
            continue
        folded = key.lower()
        if not key or folded in seen or len(seen) >= MAX_ATTRIBUTES:
            dropped += 1
            continue
        seen.add(folded)
        values[key] = _readable(key, pair.value)
    if dropped:
        values[_DROPPED] = dropped
    return values


def _fitting(attributes: dict[str, object]) -> dict[str, object]:
    """The attributes of a resource that fit into a line, the small ones first: names are small."""
    if len(_encoder.encode(attributes)) <= MAX_RESOURCE_BYTES:
        return attributes
    dropped = attributes.get(_DROPPED, 0)
    named = {key: value for key, value in attributes.items() if key != _DROPPED}
    sizes = {key: len(_encoder.encode({key: value})) for key, value in named.items()}
    room = MAX_RESOURCE_BYTES
    kept = set()
    for key in sorted(sizes, key=sizes.__getitem__):
        room -= sizes[key]
        if room < 0:
            break
        kept.add(key)
    fitting = {key: value for key, value in named.items() if key in kept}
    before = dropped if isinstance(dropped, int) else 0
    return fitting | {_DROPPED: before + len(named) - len(fitting)}


def _readable(key: str, value: AnyValue) -> object:
    """The value of an attribute; an address without its secrets, because many people read the store."""
    found = _value(value)
    return semconv.without_secrets(found) if key in _ADDRESSES and isinstance(found, str) else found


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind in _SCALARS:
        scalar: object = getattr(value, kind)
        return scalar
    plain = body.plain(value)
    if isinstance(plain, (bytes, dict)):
        return _encoder.encode(plain).decode()
    if isinstance(plain, list) and any(isinstance(item, (bytes, dict, list)) for item in plain):
        return _encoder.encode(plain).decode()
    return plain


def _id(attributes: dict[str, object], name: str) -> str | None:
    found = attributes.get(name)
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID_CHARS and found.isprintable() else None
