"""What the configuration enables, and a wrong configuration."""

from __future__ import annotations

import pickle
from typing import Any

import pandas as pd
import pytest
from payload_client import Answer, Call, Send, run_asgi, run_wsgi
from payload_events import RESPONSE_BODY, answer_ok

from otel_modeldata import Collector
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.payload import ASGIMiddleware, WSGIMiddleware
from otel_modeldata.testing import capture


def test_a_request_is_sampled_as_a_whole_or_not_at_all(
    send: Send, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(rate=0.5, request=True, response=True, model_inputs=True)

    def score(body: bytes) -> Answer:
        Collector(name="model_inputs").collect(pd.DataFrame({"a": [1]}))
        return Answer()

    left_out: list[str] = []
    monkeypatch.setattr("otel_modeldata._delivery.metrics.count_sampled_out", left_out.append)
    with capture() as captured:
        for _ in range(60):
            send(score)
        events = captured.events
    ids = {event.correlation_id for event in events}
    assert 5 < len(ids) < 55
    for collection in ("request", "response", "model_inputs"):
        assert {event.correlation_id for event in events if event.collection == collection} == ids
        assert left_out.count(collection) == 60 - len(ids)
    assert {event.attributes["azureml.sampling.rate"] for event in events} == {0.5}


@pytest.mark.parametrize(
    ("collections", "expected"),
    [
        ({"request": True, "response": True}, ["request", "response"]),
        ({"request": True}, ["request"]),
        ({"request": False, "response": True}, ["response"]),
        ({"model_inputs": True}, []),
        ({"request": False, "response": False}, []),
    ],
)
def test_collections_that_are_not_enabled_are_not_collected(
    send: Send, configured: Any, collections: dict[str, bool], expected: list[str]
) -> None:
    configured(**collections)
    with capture() as captured:
        assert send(lambda body: Answer())[2] == RESPONSE_BODY
        assert [event.collection for event in captured.events] == expected


def test_a_wrong_configuration_is_raised_when_the_middleware_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_PAYLOAD_BYTES", "10MB")
    monkeypatch.setenv("OTEL_MODELDATA_PAYLOAD_PATHS", "/a,score")
    with pytest.raises(ConfigError) as caught:
        WSGIMiddleware(lambda environ, start_response: [])
    assert tuple(map(str, caught.value.problems)) == (
        "OTEL_MODELDATA_PAYLOAD_BYTES: expected bytes from 0 to 62914560, got '10MB'",
        "OTEL_MODELDATA_PAYLOAD_PATHS: expected paths that begin with / or *, separated by commas, got 'score'",
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization Bearer hunter2"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:http"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://gateway:4317", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem"},
        {"OTEL_RESOURCE_ATTRIBUTES": "azureml.endpoint.name=../up"},
        {"OTEL_MODELDATA_SPOOL": "/dev/null/spool"},
    ],
    ids=lambda variables: list(variables)[-1],
)
@pytest.mark.parametrize("kind", [ASGIMiddleware, WSGIMiddleware])
def test_every_variable_that_is_read_is_checked_when_the_middleware_is_made(
    kind: Any, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        kind(answer_ok)
    assert "hunter2" not in str(caught.value)


def test_a_service_name_that_is_no_folder_is_one_line_at_the_start_and_none_per_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ms/payloads")
    with capture() as captured:
        app = ASGIMiddleware(answer_ok)
        at_start = len(caplog.messages)
        for _ in range(2):
            run_asgi(app, Call())
        events = captured.events
    assert len(events) == 4
    assert len(caplog.messages) == at_start == 1
    assert "'ms/payloads' cannot be a folder, so events are stored below 'ms-payloads'" in caplog.text


def answer_by_wsgi(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"{}"]


@pytest.mark.parametrize(
    ("kind", "answer", "run"), [(ASGIMiddleware, answer_ok, run_asgi), (WSGIMiddleware, answer_by_wsgi, run_wsgi)]
)
def test_a_pickled_application_reads_the_environment_of_its_own_process(
    kind: Any, answer: Any, run: Any, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer hunter2")
    content = pickle.dumps(kind(answer))
    assert b"hunter2" not in content
    monkeypatch.setenv("OTEL_MODELDATA_OVERFLOW", "never")
    with pytest.raises(ConfigError, match=r"^OTEL_MODELDATA_OVERFLOW: expected "):
        pickle.loads(content)
    monkeypatch.delenv("OTEL_MODELDATA_OVERFLOW")
    configured(rate=1, request=True)
    with capture() as captured:
        run(pickle.loads(content), Call())
        assert [event.collection for event in captured.events] == ["request"]
