"""One OTLP span becomes one event, in the shape that Azure's GenAI preprocessor reads.

Spans that carry a question and its answer are in the collection `app_traces`, which the preprocessor reads; all others
are in `app_spans`. `genai/content.py` decides this and gives the reasons.

A line has one span, as the lines of Azure's own collector do: the preprocessor builds traces from all lines of its
window. The key `data` has what `ReadableSpan.to_json()` of opentelemetry-python prints, with the additions of
`genai/content.py`. The event's id is made of trace id and span id, so a span is stored once however often it is sent,
alone or with others. Its folder is the hour in which the span ended, because Azure selects spans by that time.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
from opentelemetry.trace import TraceState

from otel_modeldata import semconv

from ..config.kept_spans import KeptSpans
from ..exceptions import BadRecordError
from ..otlp_messages import Resource
from . import attributes as flat
from . import cloudevent, event, otlp
from .genai import content as genai
from .log_record import UNDECODABLE_JSON, undecodable_json
from .row_event import RowIds, row_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from .event import Event, Outcome, PlacedLine
    from .line_template.record_run import RecordRun
    from .otlp import ScopeRecords
    from .protowire import EmbeddedMessages
    from .scope import ScopeContext

MAX_RESOURCE_BYTES: Final = 4096
"""Of a resource's attributes as JSON: a resource is repeated in the line of every span; a large one would multiply."""
MAX_SCHEMA_CHARS: Final = 256
"""Of the resource's schema URL, which is repeated likewise."""
_KINDS: Final = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""By OTLP's number; 0 is unspecified, which "MAY" be read as internal (OTLP, `Span.SpanKind`)."""
_STATUSES: Final = ("UNSET", "OK", "ERROR")
_FAILED: Final = 2  # STATUS_CODE_ERROR
_SAMPLED: Final = 1
"""A span that is exported was sampled; not every SDK fills in the flags."""

_encoder: Final = msgspec.json.Encoder()


class SpanMapper:
    """Maps the spans of one scope of one resource.

    Args:
        spans: the spans, with the resource that is repeated in every line.
        scope: what the spans share.
        kept: which of them become lines.

    Attributes:
        calls_without_content: how many of the mapped spans are calls of a language model that succeeded and carry no
            content.
    """

    def __init__(self, spans: ScopeRecords, scope: ScopeContext, kept: KeptSpans) -> None:
        self._spans = spans
        self._scope = scope
        self._kept = kept
        self.calls_without_content = 0

    def runs_of(self, _: EmbeddedMessages) -> Sequence[RecordRun]:
        """See `RecordMapper`: spans have no templates."""
        return ()

    def line_of_large(self, _: otlp.Record) -> PlacedLine | None:
        """See `RecordMapper`: the values of a span are never known before they are counted."""
        return None

    def map(self, raw: bytes) -> Outcome:
        """Map an encoded span; None where the setting `spans` excludes it.

        Raises:
            BadRecordError: it is damaged, its ids are invalid, or an attribute nests too deep.
        """
        span = otlp.span(raw)
        if span.name == UNDECODABLE_JSON and not span.trace_id:
            raise undecodable_json(span.status.message)
        _check_ids(span)
        attributes = flat.plain(span.attributes, span.dropped_attributes_count)
        events = [(one.name, flat.plain(one.attributes, one.dropped_attributes_count)) for one in span.events]
        content, kind = genai.content_of(attributes, events), genai.span_type(attributes)
        if not content.is_whole:
            if kind == genai.LLM and span.status.code != _FAILED:
                self.calls_without_content += 1
            if self._kept is KeptSpans.CONTENT:
                return None
        is_graded = genai.is_graded(attributes, content, kind)
        collection = semconv.TRACE_COLLECTION if is_graded else semconv.SPAN_COLLECTION
        framework = self._scope.agent.partition("/")[0]
        complete = genai.completed(attributes, content, kind=kind, framework=framework)
        read = _event(span, collection, complete, events, self._resource, self._scope)
        return event.outcome_of(read, raw, self._scope)

    @cached_property
    def _resource(self) -> msgspec.Raw:
        """The resource, read with the first span: an error in it rejects spans, not the request."""
        attributes = flat.plain(Resource.FromString(self._spans.resource).attributes, 0)
        schema_url = self._spans.schema_url
        if len(schema_url) > MAX_SCHEMA_CHARS:
            schema_url = ""
        return msgspec.Raw(_encoder.encode({"attributes": _fitting(attributes), "schema_url": schema_url}))


def _event(  # noqa: PLR0917, PLR0913 (the parts of one line)
    span: Span,
    collection: str,
    attributes: dict[str, object],
    events: Sequence[tuple[str, dict[str, object]]],
    resource: msgspec.Raw,
    scope: ScopeContext,
) -> Event:
    correlation_id = flat.id_in(attributes, semconv.AZUREML_CORRELATION_ID) or span.trace_id.hex()
    request_id = flat.id_in(attributes, semconv.AZUREML_REQUEST_ID) or correlation_id
    end_ns = span.end_time_unix_nano or span.start_time_unix_nano or scope.arrival_ns
    scope.times.check(end_ns)
    trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
    traceparent = f"00-{trace_id}-{span_id}-{span.flags & 0xFF | _SAMPLED:02x}"
    ids = RowIds(f"{trace_id}-{span_id}", correlation_id, request_id, traceparent)
    return row_event(_shape(span, attributes, events, end_ns, resource), scope, collection, ids, end_ns)


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
        "start_time": cloudevent.moment_text(span.start_time_unix_nano or end_ns),
        "end_time": cloudevent.moment_text(end_ns),
        "status": status,
        "attributes": attributes,
        "events": [
            {"name": name, "timestamp": cloudevent.moment_text(one.time_unix_nano or end_ns), "attributes": of_event}
            for one, (name, of_event) in zip(span.events, events, strict=True)
        ],
        "links": [
            {
                "context": _context(link.trace_id, link.span_id, link.trace_state),
                "attributes": flat.plain(link.attributes, link.dropped_attributes_count),
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


def _fitting(attributes: dict[str, object]) -> dict[str, object]:
    """The attributes of a resource that fit into a line, the small ones first: names are small."""
    if len(_encoder.encode(attributes)) <= MAX_RESOURCE_BYTES:
        return attributes
    dropped = attributes.get(flat.DROPPED, 0)
    named = {key: value for key, value in attributes.items() if key != flat.DROPPED}
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
    return fitting | {flat.DROPPED: before + len(named) - len(fitting)}
