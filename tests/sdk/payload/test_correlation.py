"""The ids of a request: its records and the frames that are collected for it share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from payload_client import JSON, Answer, Call, Send, run_asgi, scope_of
from payload_events import REQUEST_BODY, RESPONSE_BODY, answer_ok, by_collection

from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext, CorrelationContext, use_correlation_context
from otel_modeldata.payload import ASGIMiddleware, WSGIMiddleware
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_frames_collected_for_a_request_share_its_ids(send: Send) -> None:
    """S45: custom logging and payload logging together."""

    def score(body: bytes) -> Answer:
        Collector(name="model_inputs").collect(pd.DataFrame({"a": [1]}))
        return Answer()

    with capture() as captured:
        send(score, Call(headers=[*JSON, ("X-Request-Id", "request-1")]))
        events = captured.events
    assert {event.collection for event in events} == {"model_inputs", "request", "response"}
    assert len({event.correlation_id for event in events}) == 1
    assert {event.attributes["azureml.request.id"] for event in events} == {"request-1"}


def test_a_request_id_of_any_bytes_costs_no_event(send: Send) -> None:
    """A receiver refuses control characters, which UTF-8 has where a server reads ISO-8859-1."""

    def score(body: bytes) -> Answer:
        Collector(name="model_inputs").collect(pd.DataFrame({"a": [1]}))
        return Answer()

    with capture() as captured:
        send(score, Call(headers=[*JSON, ("X-Request-Id", "Übung-1".encode().decode("latin-1"))]))
        events = captured.events
    assert {event.collection for event in events} == {"model_inputs", "request", "response"}
    assert {event.attributes["azureml.request.id"] for event in events} == {"Übung-1"}


def test_frames_collected_in_a_streamed_response_share_its_ids(send: Send) -> None:
    def stream() -> Iterator[bytes]:
        for n in range(2):
            Collector(name="model_outputs").collect(pd.DataFrame({"n": [n]}))
            yield b"x"

    with capture() as captured:
        send(lambda body: Answer(chunks=stream()))
        events = captured.events
    assert [event.collection for event in events].count("response") == 1
    assert len({event.correlation_id for event in events}) == 1


def test_each_request_has_its_own_correlation_id_even_if_clients_repeat_request_ids(send: Send) -> None:
    call = Call(headers=[*JSON, ("X-Request-Id", "again")])
    with capture() as captured:
        send(lambda body: Answer(), call)
        send(lambda body: Answer(), call)
        ids = {event.correlation_id for event in captured.events}
    assert len(ids) == 2
    assert "again" not in ids


def test_a_frame_with_its_own_context_keeps_that_id(send: Send) -> None:
    def score(body: bytes) -> Answer:
        Collector(name="model_inputs").collect(pd.DataFrame({"a": [1]}), BasicCorrelationContext(id="test"))
        return Answer()

    with capture() as captured:
        send(score)
        events = by_collection(captured)
    assert events["model_inputs"].correlation_id == "test"
    assert events["request"].correlation_id == events["response"].correlation_id != "test"


def test_a_current_context_around_the_application_is_used_for_the_request(send: Send) -> None:
    with capture() as captured, use_correlation_context(BasicCorrelationContext(id="outer")):
        send(lambda body: Answer())
        assert [event.correlation_id for event in captured.events] == ["outer", "outer"]


def test_the_correlation_id_of_a_calling_service_is_kept(send: Send) -> None:
    call = Call(headers=[*JSON, ("Baggage", "other=1,azureml.correlation.id=from-upstream")])
    with capture() as captured:
        send(lambda body: Answer(), call)
        assert [event.correlation_id for event in captured.events] == ["from-upstream", "from-upstream"]


@pytest.mark.parametrize("entry", ["x" * 257, "", "a%00b"])
def test_an_unusable_correlation_id_from_outside_is_ignored(send: Send, entry: str) -> None:
    with capture() as captured:
        send(lambda body: Answer(), Call(headers=[*JSON, ("Baggage", f"azureml.correlation.id={entry}")]))
        assert {len(event.correlation_id) for event in captured.events} == {36}


def test_a_request_without_a_server_span_is_collected_under_the_callers_span(send: Send) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with capture() as captured:
        send(lambda body: Answer(), Call(headers=[*JSON, ("Traceparent", traceparent)]))
        spans = {(event.trace_id, event.span_id) for event in captured.events}
    assert spans == {("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")}


@pytest.mark.parametrize("given", ["", "\ud800"])
def test_a_current_context_whose_id_cannot_be_sent_affects_no_response(send: Send, given: str) -> None:
    class Own(CorrelationContext):
        def get_id(self) -> str:
            return given

    with capture() as captured, use_correlation_context(Own()):
        assert send(lambda body: Answer())[2] == RESPONSE_BODY
        events = captured.events
    assert [event.correlation_id for event in events] in ([], ["", ""])


def test_an_application_wrapped_twice_is_collected_once(send: Send) -> None:
    with capture() as captured:
        send(lambda body: Answer(), times=2)
        assert len(captured.events) == 2


def test_a_request_is_collected_once_if_an_adapter_is_between_two_middlewares() -> None:
    """A Flask application with the middleware, inside FastAPI, on a server that is hooked."""
    wsgi = pytest.importorskip("starlette.middleware.wsgi")
    seen: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ["wsgi.input"].read().decode())
        start_response("200 OK", JSON)
        return [RESPONSE_BODY]

    with capture() as captured:
        adapter = wsgi.WSGIMiddleware(WSGIMiddleware(app))
        assert run_asgi(ASGIMiddleware(adapter), Call())[2] == RESPONSE_BODY
        events = by_collection(captured)
    assert seen == [REQUEST_BODY.decode()] == [events["request"].payload]
    assert events["response"].payload == RESPONSE_BODY.decode()


def test_a_request_that_an_application_makes_to_another_one_in_its_process_is_collected_too() -> None:
    inner = ASGIMiddleware(answer_ok)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        async def nothing(message: Any) -> None:
            """The inner answer is not used."""

        await inner(scope_of(Call(path="/inner")), receive, nothing)
        await answer_ok(scope, receive, send)

    with capture() as captured:
        run_asgi(ASGIMiddleware(outer), Call())
        paths = [event.attributes["url.path"] for event in captured.events if event.collection == "request"]
    assert paths == ["/inner", "/score"]
