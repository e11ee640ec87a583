from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import flask
import pytest
from opentelemetry import baggage, trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from payload_client import JSON, Call, environ_of, run_wsgi

from otel_modeldata.payload import WSGIMiddleware
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY = b'{"data":\n [[1, 2]]}\nmore'


def ignore(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
    return lambda data: None


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: stream.read(),
        lambda stream: b"".join(iter(lambda: stream.read(3), b"")),
        lambda stream: b"".join(iter(stream.readline, b"")),
        lambda stream: b"".join(iter(lambda: stream.readline(4), b"")),
        lambda stream: b"".join(stream.readlines()),
        lambda stream: b"".join(stream.readlines(4)) + stream.read(),
        b"".join,
        lambda stream: io.BufferedReader(stream).read(),
    ],
    ids=["read", "read(n)", "readline", "readline(n)", "readlines", "readlines(n)", "iteration", "readinto"],
)
def test_the_application_reads_the_same_bytes_by_any_method_and_they_are_collected(
    read: Callable[[Any], bytes],
) -> None:
    found: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.append(read(environ["wsgi.input"]))
        start_response("200 OK", [])
        return []

    with capture() as captured:
        run_wsgi(WSGIMiddleware(app), Call(chunks=(BODY,)))
        assert captured.events[0].payload == BODY.decode()
    assert found == [BODY]


def test_other_methods_of_the_servers_input_still_work() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert environ["wsgi.input"].tell() == 0
        assert not hasattr(environ["wsgi.input"], "no_such_thing")
        start_response("200 OK", [])
        return []

    with capture():
        run_wsgi(WSGIMiddleware(app), Call())


def test_each_chunk_passes_before_the_next_is_made_and_the_generator_is_closed() -> None:
    steps: list[str] = []

    def stream() -> Iterator[bytes]:
        try:
            for chunk in (b"a", b"b", b"c"):
                steps.append(f"made {chunk.decode()}")
                yield chunk
        finally:
            steps.append("closed")

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
        return stream()

    with capture() as captured:
        chunks: Any = WSGIMiddleware(app)(environ_of(Call()), ignore)
        for chunk in chunks:
            steps.append(f"passed {chunk.decode()}")
            if chunk == b"b":
                break
        assert captured.events == []
        chunks.close()
        response = captured.events[-1]
    assert steps == ["made a", "passed a", "made b", "passed b", "closed"]
    assert (response.payload, response.attributes["azureml.data.total_bytes"]) == ("ab", 3)


def test_a_server_still_knows_the_number_of_chunks() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", JSON)
        return [b"{}"]

    with capture():
        chunks: Any = WSGIMiddleware(app)(environ_of(Call()), ignore)
        assert (len(chunks), list(chunks)) == (1, [b"{}"])


def test_bytes_sent_by_write_are_collected() -> None:
    written: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"by write, ")
        return [b"the rest"]

    with capture() as captured:
        chunks: Any = WSGIMiddleware(app)(environ_of(Call()), lambda status, headers: written.append)
        assert list(chunks) == [b"the rest"]
        chunks.close()
        assert captured.events[-1].payload == "by write, the rest"
    assert written == [b"by write, "]


def test_a_status_that_replaces_another_is_collected() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        start_response("500 Oh", [("Content-Type", "text/plain")], (None, None, None))
        return [b"failed"]

    with capture() as captured:
        run_wsgi(WSGIMiddleware(app), Call())
        response = captured.events[-1]
    assert (response.attributes["http.response.status_code"], response.payload) == (500, "failed")


class FileWrapper:
    def __init__(self, file: Any) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(4), b"")

    def close(self) -> None:
        self.file.close()


@pytest.mark.parametrize("paths", ["/score", "/other"])
def test_a_file_is_sent_by_the_server_unless_its_bytes_are_collected(
    monkeypatch: pytest.MonkeyPatch, paths: str
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_PAYLOAD_PATHS", paths)
    file = io.BytesIO(b"0123456789")
    made: list[FileWrapper] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        made.append(environ["wsgi.file_wrapper"](file))
        return made[0]

    with capture() as captured:
        chunks: Any = WSGIMiddleware(app)(environ_of(Call()) | {"wsgi.file_wrapper": FileWrapper}, ignore)
        assert (chunks is made[0]) == (paths == "/other")
        assert b"".join(chunks) == b"0123456789"
        chunks.close()
        assert [event.payload for event in captured.events[1:]] == ["0123456789"] * (paths == "/score")
    assert file.closed


class AzureApplication:
    """Recognized as Azure's scoring server."""

    azml_blueprint = None

    def __init__(self) -> None:
        self.request_ids: list[str | None] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.request_ids.append(environ.get("HTTP_X_REQUEST_ID"))
        start_response("200 OK", JSON)
        return [b"{}"]


def test_azures_server_gets_the_correlation_id_as_a_missing_request_id() -> None:
    app = AzureApplication()
    upstream = ("Baggage", "azureml.correlation.id=" + "x" * 101)
    with capture() as captured:
        run_wsgi(WSGIMiddleware(app), Call())
        run_wsgi(WSGIMiddleware(app), Call(headers=[("X-Request-Id", "request-1")]))
        run_wsgi(WSGIMiddleware(app), Call(headers=[upstream]))
        first = captured.events[0]
    assert app.request_ids == [first.correlation_id, "request-1", None]


def test_a_response_that_its_server_never_closes_is_collected_when_it_is_forgotten() -> None:
    """uvicorn's own adapter for WSGI does not call `close`, which PEP 3333 demands."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", JSON)
        return iter([b"[1", b"]"])

    with capture() as captured:
        assert list(WSGIMiddleware(app)(environ_of(Call()), ignore)) == [b"[1", b"]"]
        assert [event.payload for event in captured.events] == ["", "[1]"]


# --- spans ------------------------------------------------------------------------------------------------------------


def view() -> flask.Flask:
    app = flask.Flask("scoring")

    @app.post("/score")
    def score() -> str:
        return str(baggage.get_baggage("azureml.correlation.id"))

    return app


def instrumented_flask(provider: TracerProvider) -> Any:
    app = view()
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
    return app


def instrumented_wsgi(provider: TracerProvider) -> Any:
    return OpenTelemetryMiddleware(view(), tracer_provider=provider)


@pytest.mark.parametrize("make", [instrumented_flask, instrumented_wsgi])
@pytest.mark.parametrize("sent", ["", "other=1"])
def test_records_are_under_the_span_of_the_server_whose_baggage_carries_the_correlation_id(
    make: Callable[[TracerProvider], Any], sent: str
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = WSGIMiddleware(make(provider))
    with capture() as captured:
        run_wsgi(app, Call(headers=[*JSON, *([("Baggage", sent)] if sent else [])]))
        request, response = captured.events
    (server,) = spans.get_finished_spans()
    assert server.kind is trace.SpanKind.SERVER
    assert server.context is not None
    place = (f"{server.context.trace_id:032x}", f"{server.context.span_id:016x}")
    assert [(event.trace_id, event.span_id) for event in (request, response)] == [place, place]
    assert server.attributes is not None
    assert server.attributes["azureml.correlation.id"] == request.correlation_id == response.payload
