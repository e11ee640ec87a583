"""One request and its response as they pass a server: what becomes the records `request` and `response`.

Theory of operation. A middleware opens an exchange before the application runs, hands over every chunk of both bodies
as it passes, and ends it when the last byte of the response has left. Both records are made then, so nothing is between
the application and its client. They carry one correlation id and one request id, and the application runs inside the
correlation context of the exchange, so frames that it collects carry them, too.

The span: a middleware stands outside of the instrumentation that makes the server's span, where none is current. What
is current when the application begins its response is that span, or one below it in the same trace. Where no span is
made, the caller's is taken, which it sent as `traceparent`.

Nothing here knows ASGI or WSGI, nor whether a record was accepted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from opentelemetry import context, propagate, trace

from .. import semconv
from ..context import (
    REQUEST_ID_HEADER,
    BasicCorrelationContext,
    CorrelationContext,
    checked_text,
    current_correlation_context,
    sent_correlation_id,
)
from .http_message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext

    from .._encoding.log_record import Payload
    from .captured_headers import Header

    class Emit(Protocol):
        """Takes one record."""

        def __call__(
            self,
            collection: str,
            payload: Payload,
            attributes: Mapping[str, str | float],
            time_ns: int,
            span_context: SpanContext,
        ) -> None: ...


REQUEST: Final = "request"
RESPONSE: Final = "response"

FAILED: Final = 500
"""What servers answer for an application that raises before it has answered."""
CLIENT_CLOSED_REQUEST: Final = 499
"""The client went away before there was an answer: no status of HTTP, but what nginx and its readers write."""

BAGGAGE_HEADER: Final = "baggage"
MAX_ID_CHARS: Final = 256
"""Of a correlation id or request id that a client chose."""
MAX_PATH_CHARS: Final = 8192
"""Of a path, and of a query; servers take about as much."""
_SPAN_PER_MESSAGE: Final = "asgi.event.type"
"""The attribute of the short spans that OpenTelemetry's ASGI middleware makes for each message."""


class RequestHead(NamedTuple):
    """What a request says before its body.

    Attributes:
        method: in capitals.
        path: with no percent-encoding, without the query.
        query: as it was sent, without `?`.
        header: the headers.
    """

    method: str
    path: str
    query: str
    header: Header


class Exchange:
    """A request and its response.

    Args:
        head: of the request.
        max_bytes: kept of each body.

    Raises:
        ContextError: the context in force has an id that cannot travel.
    """

    def __init__(self, head: RequestHead, max_bytes: int) -> None:
        upstream = _upstream(head.header)
        sent_id = _sent_id(upstream)
        self.context = current_correlation_context() or _new_context(head.header, sent_id)
        self.correlation_id = checked_text(str(self.context.get_id() or ""))
        self.sends_on = None if sent_id else _baggage_with(head.header, self.correlation_id)
        """The header `baggage` that the application is to see, so that its calls carry the id on: the instrumentation
        between here and the application begins a context of its own from the headers of the request."""
        self.request: Message | None = None
        self.wants_response = False
        self._head = head
        self._max_bytes = max_bytes
        self._response: Message | None = None
        self._status = 0
        self._caller = trace.get_current_span(upstream).get_span_context()
        self._span_context = self._caller
        self._began_ns = self._answered_ns = time.time_ns()
        self._clock_ns = time.perf_counter_ns()
        self._emit: Emit | None = None
        self._attributes: dict[str, str] = {}

    def observe(self, emit: Emit, attributes: Mapping[str, str], *, request: bool, response: bool) -> None:
        """Keep what passes.

        Args:
            emit: takes the records.
            attributes: what both records say beside what is known here.
            request: whether the request is collected.
            response: whether the response is.
        """
        self._emit = emit
        self._attributes = {semconv.AZUREML_CORRELATION_ID: self.correlation_id, **attributes}
        request_id = self._head.header(REQUEST_ID_HEADER)
        if request_id:
            self._attributes[semconv.AZUREML_REQUEST_ID] = request_id[:MAX_ID_CHARS]
        self.request = Message(self._head.header, self._max_bytes) if request else None
        self.wants_response = response

    @property
    def is_observed(self) -> bool:
        """Whether anything of it is collected."""
        return self._emit is not None

    def take_request(self, chunk: bytes | bytearray | memoryview) -> None:
        """The application has read this much more of the request."""
        if self.request is not None:
            self.request.take(chunk)

    def begin_response(self, status: int, header: Header) -> None:
        """The application answers; the last call before the body counts."""
        self._status = status
        self._answered_ns = time.time_ns()
        span = trace.get_current_span()
        if span.get_span_context().is_valid:
            self._span_context = _request_span(span)
        if span.is_recording() and semconv.AZUREML_CORRELATION_ID not in (getattr(span, "attributes", None) or {}):
            span.set_attribute(semconv.AZUREML_CORRELATION_ID, self.correlation_id)
        if self.wants_response:
            self._response = Message(header, self._max_bytes)

    def take_response(self, chunk: bytes | bytearray | memoryview) -> None:
        """So much more of the response has passed."""
        if self._response is not None:
            self._response.take(chunk)

    def end(self, *, is_whole: bool, status: int = FAILED) -> None:
        """Emit the records; only the first call counts.

        Args:
            is_whole: whether the response passed to its end.
            status: of an exchange in which the application never answered.
        """
        emit, self._emit = self._emit, None
        if emit is None:
            return
        milliseconds = round((time.perf_counter_ns() - self._clock_ns) / 1e6, 3)
        if self.request is not None:
            payload, attributes = self.request.payload(self._request_bytes(self.request))
            attributes |= self._attributes | self._request_line()
            emit(REQUEST, payload, attributes, self._began_ns, self._span_context)
        if self.wants_response:
            response = self._response or Message(_no_header, 0)
            is_whole = is_whole or self._response is None
            payload, attributes = response.payload(response.size if is_whole else response.declared_bytes)
            outcome: dict[str, str | float] = {
                semconv.HTTP_RESPONSE_STATUS_CODE: self._status or status,
                semconv.AZUREML_RESPONSE_LATENCY_MS: milliseconds,
            }
            emit(RESPONSE, payload, attributes | self._attributes | outcome, self._answered_ns, self._span_context)

    def _request_bytes(self, request: Message) -> int | None:
        """The size of the request's body: what it declares, because the application may not have read all of it."""
        if request.declared_bytes is None and not request.size and not self._head.header("transfer-encoding"):
            return 0
        return request.declared_bytes

    def _request_line(self) -> dict[str, str]:
        path = quote(self._head.path, safe="/:@!$&'()*+,;=~")[:MAX_PATH_CHARS]
        line = {semconv.HTTP_REQUEST_METHOD: self._head.method, semconv.URL_PATH: path}
        if self._head.query:
            line[semconv.URL_QUERY] = semconv.without_secrets(self._head.query)[:MAX_PATH_CHARS]
        return line


def _no_header(_: str) -> None:
    return None


def _sent_id(upstream: Context) -> str | None:
    """The correlation id that a service before this one chose."""
    token = context.attach(upstream)
    try:
        return sent_correlation_id()
    finally:
        context.detach(token)


def _new_context(header: Header, sent_id: str | None) -> CorrelationContext:
    request_id = header(REQUEST_ID_HEADER)
    headers = {REQUEST_ID_HEADER: request_id[:MAX_ID_CHARS]} if request_id else {}
    return BasicCorrelationContext(id=sent_id, headers=headers)


def _baggage_with(header: Header, correlation_id: str) -> str | None:
    """The header `baggage` with one more entry (W3C Baggage); None where this process does not propagate baggage."""
    if BAGGAGE_HEADER not in propagate.get_global_textmap().fields:
        return None
    entry = f"{semconv.AZUREML_CORRELATION_ID}={quote(correlation_id, safe='')}"
    before = header(BAGGAGE_HEADER)
    return f"{before},{entry}" if before else entry


def _upstream(header: Header) -> Context:
    """What the caller propagates, by the propagators of this process (`OTEL_PROPAGATORS`)."""
    fields = {name: header(name.lower()) for name in propagate.get_global_textmap().fields}
    return propagate.extract({name: value for name, value in fields.items() if value})


def _request_span(span: Span) -> SpanContext:
    """The span of a request; `span` may be that of one message of it."""
    if _SPAN_PER_MESSAGE in (getattr(span, "attributes", None) or {}):
        parent: SpanContext | None = getattr(span, "parent", None)
        return parent or span.get_span_context()
    return span.get_span_context()
