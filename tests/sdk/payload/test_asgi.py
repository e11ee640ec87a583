from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from payload_client import Call, run_asgi, scope_of

from otel_modeldata.payload import ASGIMiddleware
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable

    from recording_backend import RecordingBackend


def start(status: int = 200, content_type: bytes = b"text/plain") -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type)]}


def body(chunk: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


async def no_body() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def nowhere(message: Any) -> None:
    """A client that accepts everything."""


def serve(app: Any, scope: Any, receive: Any, send: Any) -> None:
    asyncio.run(ASGIMiddleware(app)(scope, receive, send))


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "a.kind.of.tomorrow"])
def test_connections_that_are_not_requests_are_passed_on_unchanged(kind: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        seen.append(await receive())
        await send({"type": "sent"})

    async def receive() -> dict[str, str]:
        return {"type": "received"}

    async def send(message: Any) -> None:
        seen.append(message)

    scope = {"type": kind, "path": "/score"}
    with capture() as captured:
        serve(app, scope, receive, send)
        assert captured.events == []
    assert seen == [{"type": kind, "path": "/score"}, {"type": "received"}, {"type": "sent"}]
    assert seen[0] is scope


def test_every_message_passes_as_the_same_object_and_before_the_next_is_made() -> None:
    sent: list[Any] = []
    made: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (start(), body(b"a", more=True), body(b"b", more=True), body(b"c")):
            made.append(message)
            await send(message)
            assert all(one is other for one, other in zip(sent, made, strict=True))

    async def send(message: Any) -> None:
        sent.append(message)

    with capture() as captured:
        serve(app, scope_of(Call()), no_body, send)
        assert [event.payload for event in captured.events] == ["", "abc"]
    assert len(sent) == 4


def test_work_after_the_response_neither_delays_nor_changes_the_record() -> None:
    with capture() as captured:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start(201))
            await send(body(b"done"))
            assert len(captured.events) == 2
            raise RuntimeError("in a background task")

        with pytest.raises(RuntimeError):
            serve(app, scope_of(Call()), no_body, nowhere)
        response = captured.events[-1]
    assert len(captured.events) == 2
    assert (response.payload, response.attributes["http.response.status_code"]) == ("done", 201)


@pytest.mark.parametrize("raises", [True, False])
def test_a_client_that_disconnects_before_the_answer_is_collected_with_status_499(raises: bool) -> None:
    messages = [{"type": "http.request", "body": b'"half', "more_body": True}, {"type": "http.disconnect"}]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if raises:
            raise asyncio.CancelledError

    async def receive() -> Any:
        return messages.pop(0)

    call = Call(chunks=(b'"half of it"',))
    with capture() as captured:
        try:
            serve(app, scope_of(call), receive, nowhere)
        except asyncio.CancelledError:
            assert raises
        request, response = captured.events
    assert (request.payload, request.attributes["azureml.data.total_bytes"]) == ('"half', 12)
    assert response.attributes["http.response.status_code"] == 499


def test_an_application_that_never_answers_is_collected_with_status_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Forget the client."""

    with capture() as captured:
        serve(app, scope_of(Call()), no_body, nowhere)
        assert captured.events[-1].attributes["http.response.status_code"] == 500


def test_a_file_that_the_server_sends_itself_has_a_response_without_its_bytes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        head = start()
        head["headers"].append((b"content-length", b"5000"))
        await send(head)
        await send({"type": "http.response.pathsend", "path": "/nowhere"})

    with capture() as captured:
        serve(app, scope_of(Call()), no_body, nowhere)
        response = captured.events[-1]
    assert (response.payload, response.attributes["azureml.data.total_bytes"]) == ("", 5000)


def test_a_header_sent_twice_is_one_value() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body())

    call = Call(headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")])
    with capture() as captured:
        serve(app, scope_of(call), no_body, nowhere)
        assert captured.events[0].attributes["azureml.request.id"] == "a, b"


def test_the_end_of_the_lifespan_waits_for_deliveries(backend: RecordingBackend) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send(start())
            await send(body())

    async def send(message: Any) -> None:
        assert len(backend.records()) == 2

    serve(app, scope_of(Call()), no_body, nowhere)
    serve(app, {"type": "lifespan"}, no_body, send)


# --- spans ------------------------------------------------------------------------------------------------------------


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(start())
    await send(body(b"ok"))


def outside_of_asgi(provider: TracerProvider) -> Any:
    asgi = pytest.importorskip("opentelemetry.instrumentation.asgi")
    return ASGIMiddleware(asgi.OpenTelemetryMiddleware(answering, tracer_provider=provider))


def inside_of_asgi(provider: TracerProvider) -> Any:
    asgi = pytest.importorskip("opentelemetry.instrumentation.asgi")
    return asgi.OpenTelemetryMiddleware(ASGIMiddleware(answering), tracer_provider=provider)


def outside_of_fastapi(provider: TracerProvider) -> Any:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    @app.post("/score")
    def score() -> str:
        return "ok"

    instrumentation = pytest.importorskip("opentelemetry.instrumentation.fastapi")
    instrumentation.FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    return ASGIMiddleware(app)


def outside_of_older_instrumentation(provider: TracerProvider) -> Any:
    """As in the ASGI instrumentation until 2025: each message is sent inside a short span."""
    tracer = provider.get_tracer("test")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def traced(message: Any) -> None:
            with tracer.start_as_current_span("POST /score http send") as span:
                span.set_attribute("asgi.event.type", message["type"])
                await send(message)

        with tracer.start_as_current_span("POST /score", kind=trace.SpanKind.SERVER):
            await answering(scope, receive, traced)

    return ASGIMiddleware(app)


@pytest.mark.parametrize(
    "make", [outside_of_asgi, inside_of_asgi, outside_of_fastapi, outside_of_older_instrumentation]
)
def test_records_are_under_the_span_of_the_server(make: Callable[[TracerProvider], Any]) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with capture() as captured:
        run_asgi(make(provider), Call())
        events = captured.events
    finished = spans.get_finished_spans()
    (server,) = [span for span in finished if span.kind is trace.SpanKind.SERVER]
    assert server.context is not None
    place = (f"{server.context.trace_id:032x}", f"{server.context.span_id:016x}")
    assert [(event.trace_id, event.span_id) for event in events] == [place, place]
    ids = {(span.attributes or {}).get("azureml.correlation.id") for span in finished} - {None}
    assert ids == {events[0].correlation_id}


def baggage_seen(*headers: tuple[str, str]) -> tuple[list[str], str]:
    """The headers `baggage` that an application gets, and the correlation id of its request."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(value.decode() for name, value in scope["headers"] if name == b"baggage")
        await answering(scope, receive, send)

    with capture() as captured:
        serve(app, scope_of(Call(headers=list(headers))), no_body, nowhere)
        return seen, captured.events[0].correlation_id


def test_the_application_gets_the_correlation_id_as_baggage_for_its_own_calls() -> None:
    seen, correlation_id = baggage_seen()
    assert seen == [f"azureml.correlation.id={correlation_id}"]
    seen, correlation_id = baggage_seen(("Baggage", "a=1"))
    assert seen == [f"a=1,azureml.correlation.id={correlation_id}"]
    seen, correlation_id = baggage_seen(("Baggage", "azureml.correlation.id=given,a=1"))
    assert (seen, correlation_id) == (["azureml.correlation.id=given,a=1"], "given")


def test_without_baggage_propagation_the_application_gets_no_baggage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opentelemetry.propagate.get_global_textmap", TraceContextTextMapPropagator)
    assert baggage_seen()[0] == []
