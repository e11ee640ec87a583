"""One request and its response in a server: they become the records `request` and `response`.

A middleware opens an exchange before the application runs, passes every chunk of both bodies to it, and ends it after
the last byte of the response. Both records are made then, so they do not delay the response. They have one correlation
id and one request id. The application runs inside the correlation context of the exchange, so frames that it collects
have the same ids.

The span: a middleware runs outside of the instrumentation that makes the server's span, so there is no current span
yet. The span that is current when the application begins its response is the server's, or one below it in the same
trace. If there is none, the caller's span (`traceparent`) is used.

This module does not depend on ASGI or WSGI, or on whether a record is accepted.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
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
    use_correlation_context,
)
from .captured_headers import text_of
from .http_message import HttpMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext

    from .._encoding.log_record import PayloadBody
    from .captured_headers import Header

    class Emit(Protocol):
        """Emits one record."""

        def __call__(
            self,
            collection: str,
            payload: PayloadBody,
            attributes: Mapping[str, str | float],
            time_ns: int,
            span_context: SpanContext,
        ) -> None: ...


REQUEST: Final = "request"
RESPONSE: Final = "response"

FAILED: Final = 500
"""The status that servers send for an application that raises before it has answered."""
CLIENT_CLOSED_REQUEST: Final = 499
"""The client disconnected before the answer: not an HTTP status, but in wide use since nginx."""

BAGGAGE_HEADER: Final = "baggage"
MAX_ID_CHARS: Final = 256
"""Maximum length of a correlation id or request id that a client chose."""
MAX_PATH_CHARS: Final = 8192
"""Maximum length of a path, and of a query; servers accept about as much."""
_SPAN_PER_MESSAGE: Final = "asgi.event.type"
"""The attribute of the short spans that OpenTelemetry's ASGI middleware makes for each message."""


_current: ContextVar[Exchange | None] = ContextVar("otel_modeldata_exchange", default=None)


class RequestHead(NamedTuple):
    """The head of a request.

    Attributes:
        method: in capitals.
        path: percent-decoded, without the query.
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
        ContextError: the current context has an id that a line cannot hold.
    """

    def __init__(self, head: RequestHead, max_bytes: int) -> None:
        upstream = _upstream(head.header)
        sent_id = _sent_id(upstream)
        self.context = current_correlation_context() or _new_context(head.header, sent_id)
        self.correlation_id = checked_text(str(self.context.get_id() or ""))
        self.sends_on = None if sent_id else _baggage_with(head.header, self.correlation_id)
        """The header `baggage` for the application, so that its own calls carry the id: instrumentation around the
        application makes a new context from the headers of the request."""
        self.request: HttpMessage | None = None
        self.wants_response = False
        self._head = head
        self._max_bytes = max_bytes
        self._response: HttpMessage | None = None
        self._status = 0
        self._caller = trace.get_current_span(upstream).get_span_context()
        self._span_context = self._caller
        self._began_ns = self._answered_ns = time.time_ns()
        self._clock_ns = time.perf_counter_ns()
        self._is_open = True
        self._emit: Emit | None = None
        self._attributes: dict[str, str] = {}

    def observe(self, emit: Emit, attributes: Mapping[str, str], *, request: bool, response: bool) -> None:
        """Collect the exchange.

        Args:
            emit: emits the records.
            attributes: of both records, in addition to those known here.
            request: whether the request is collected.
            response: whether the response is.
        """
        self._emit = emit
        self._attributes = {semconv.AZUREML_CORRELATION_ID: self.correlation_id, **attributes}
        request_id = _request_id(self._head.header)
        if request_id:
            self._attributes[semconv.AZUREML_REQUEST_ID] = request_id
        self.request = HttpMessage(self._head.header, self._max_bytes) if request else None
        self.wants_response = response

    @contextmanager
    def current(self) -> Iterator[None]:
        """The application runs: it has the correlation context, and a middleware inside of it opens no exchange."""
        token = _current.set(self)
        try:
            with use_correlation_context(self.context):
                yield
        finally:
            _current.reset(token)

    def is_of(self, head: RequestHead) -> bool:
        """Whether `head` is that of this request, which has not ended."""
        own = self._head
        return self._is_open and (own.method, own.path, own.query) == (head.method, head.path, head.query)

    @property
    def is_observed(self) -> bool:
        """Whether the request or the response is collected."""
        return self._emit is not None

    def take_request(self, chunk: bytes | bytearray | memoryview) -> None:
        """The application has read the next bytes of the request."""
        if self.request is not None:
            self.request.take(chunk)

    def begin_response(self, status: int, header: Header) -> None:
        """The application begins its response; the last call before the body counts."""
        self._status = status
        self._answered_ns = time.time_ns()
        span = trace.get_current_span()
        if span.get_span_context().is_valid:
            self._span_context = _request_span(span)
        if span.is_recording() and semconv.AZUREML_CORRELATION_ID not in (getattr(span, "attributes", None) or {}):
            span.set_attribute(semconv.AZUREML_CORRELATION_ID, self.correlation_id)
        if self.wants_response:
            self._response = HttpMessage(header, self._max_bytes)

    def take_response(self, chunk: bytes | bytearray | memoryview) -> None:
        """The next bytes of the response were sent."""
        if self._response is not None:
            self._response.take(chunk)

    def end(self, *, is_whole: bool, status: int = FAILED) -> None:
        """Emit the records; only the first call counts.

        Args:
            is_whole: whether the response was sent to its end.
            status: the status if the application never answered.
        """
        self._is_open = False
        emit, self._emit = self._emit, None
        if emit is None:
            return
        milliseconds = round((time.perf_counter_ns() - self._clock_ns) / 1e6, 3)
        if self.request is not None:
            payload, attributes = self.request.payload(self._request_bytes(self.request))
            attributes |= self._attributes | self._request_line()
            emit(REQUEST, payload, attributes, self._began_ns, self._span_context)
        if self.wants_response:
            response = self._response or HttpMessage(_no_header, 0)
            is_whole = is_whole or self._response is None
            payload, attributes = response.payload(response.size if is_whole else response.declared_bytes)
            outcome: dict[str, str | float] = {
                semconv.HTTP_RESPONSE_STATUS_CODE: self._status or status,
                semconv.AZUREML_RESPONSE_LATENCY_MS: milliseconds,
            }
            emit(RESPONSE, payload, attributes | self._attributes | outcome, self._answered_ns, self._span_context)

    def _request_bytes(self, request: HttpMessage) -> int | None:
        """The declared size of the request's body, because the application may not have read all of it."""
        if request.declared_bytes is None and not request.size and not self._head.header("transfer-encoding"):
            return 0
        return request.declared_bytes

    def _request_line(self) -> dict[str, str]:
        path = quote(self._head.path, safe="/:@!$&'()*+,;=~")[:MAX_PATH_CHARS]
        line = {semconv.HTTP_REQUEST_METHOD: self._head.method, semconv.URL_PATH: path}
        if self._head.query:
            line[semconv.URL_QUERY] = semconv.without_secrets(self._head.query)[:MAX_PATH_CHARS]
        return line


def is_open(head: RequestHead) -> bool:
    """Whether this code runs in an exchange of the same request."""
    exchange = _current.get()
    return exchange is not None and exchange.is_of(head)


def _no_header(_: str) -> None:
    return None


def _sent_id(upstream: Context) -> str | None:
    """The correlation id that the calling service sent as baggage; None if there is no usable one."""
    token = context.attach(upstream)
    try:
        return sent_correlation_id()
    finally:
        context.detach(token)


def _new_context(header: Header, sent_id: str | None) -> CorrelationContext:
    request_id = _request_id(header)
    headers = {REQUEST_ID_HEADER: request_id} if request_id else {}
    return BasicCorrelationContext(id=sent_id, headers=headers)


def _request_id(header: Header) -> str:
    return text_of(header(REQUEST_ID_HEADER) or "")[:MAX_ID_CHARS]


def _baggage_with(header: Header, correlation_id: str) -> str | None:
    """The header `baggage` with one more entry (W3C Baggage); None if this process does not propagate baggage."""
    if BAGGAGE_HEADER not in propagate.get_global_textmap().fields:
        return None
    entry = f"{semconv.AZUREML_CORRELATION_ID}={quote(correlation_id, safe='')}"
    before = header(BAGGAGE_HEADER)
    return f"{before},{entry}" if before else entry


def _upstream(header: Header) -> Context:
    """The context that the caller sent, read by the propagators of this process (`OTEL_PROPAGATORS`)."""
    fields = {name: header(name.lower()) for name in propagate.get_global_textmap().fields}
    return propagate.extract({name: value for name, value in fields.items() if value})


def _request_span(span: Span) -> SpanContext:
    """The span of a request; `span` may be the span of one of its messages."""
    if _SPAN_PER_MESSAGE in (getattr(span, "attributes", None) or {}):
        parent: SpanContext | None = getattr(span, "parent", None)
        return parent or span.get_span_context()
    return span.get_span_context()
