"""The middleware of both interfaces, on applications that run in this process."""

from __future__ import annotations

import gc
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from payload_client import JSON, Answer, Call, Send
from payload_events import PNG, REQUEST_BODY, RESPONSE_BODY, about, by_collection

from otel_modeldata._version import AGENT
from otel_modeldata.payload import ASGIMiddleware, WSGIMiddleware
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_a_request_and_its_response_become_one_record_each(send: Send) -> None:
    """S46, S47, S48 and S49: the wrapped application needs no change."""
    call = Call(query="size=1", headers=[*JSON, ("X-Request-Id", "request-1")])
    with capture() as captured:
        assert send(lambda body: Answer(), call) == (200, JSON, RESPONSE_BODY)
        request, response = captured.events
    assert request.attributes == {
        "azureml.collection.name": "request",
        "cloudevents.event_type": "azureml.inference.request",
        "azureml.model.version": "default",
        "azureml.agent": AGENT,
        "azureml.sampling.rate": 1.0,
        "cloudevents.event_id": request.event_id,
        "azureml.producer.sequence": 0,
        "azureml.data.content_type": "application/json",
        "azureml.correlation.id": request.correlation_id,
        "azureml.request.id": "request-1",
        "http.request.method": "POST",
        "url.path": "/score",
        "url.query": "size=1",
    }
    latency = response.attributes["azureml.response.latency_ms"]
    assert 0 < latency < 60_000
    assert response.attributes == {
        "azureml.collection.name": "response",
        "cloudevents.event_type": "azureml.inference.response",
        "azureml.model.version": "default",
        "azureml.agent": AGENT,
        "azureml.sampling.rate": 1.0,
        "cloudevents.event_id": response.event_id,
        "azureml.producer.sequence": 0,
        "azureml.data.content_type": "application/json",
        "azureml.correlation.id": request.correlation_id,
        "azureml.request.id": "request-1",
        "http.response.status_code": 200,
        "azureml.response.latency_ms": latency,
    }
    assert (request.payload, response.payload) == (REQUEST_BODY.decode(), RESPONSE_BODY.decode())
    assert 0 <= response.time_ns - request.time_ns < 60e9


def test_a_path_is_as_in_the_url_and_keeps_its_query(send: Send) -> None:
    """S71: `/score?size=1`."""
    with capture() as captured:
        send(lambda body: Answer(), Call(path="/modèles/a b", query="size=1&x=%20"))
        request = by_collection(captured)["request"]
    assert request.attributes["url.path"] == "/mod%C3%A8les/a%20b"
    assert request.attributes["url.query"] == "size=1&x=%20"


@pytest.mark.parametrize(
    "secret",
    ["sig=abc%2Fd", "api_key=abc", "Password=abc", "subscription-key=abc", "access_token=abc", "X-Amz-Signature=a"],
)
def test_keys_and_tokens_in_a_query_are_not_collected(send: Send, secret: str) -> None:
    with capture() as captured:
        send(lambda body: Answer(), Call(query=f"size=1&{secret}&monkey=2"))
        request = by_collection(captured)["request"]
    name = secret.partition("=")[0]
    assert request.attributes["url.query"] == f"size=1&{name}=REDACTED&monkey=2"


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_error_responses_are_collected(send: Send, status: int) -> None:
    with capture() as captured:
        assert send(lambda body: Answer(status=status, chunks=(b'{"message": "no"}',)))[0] == status
        response = by_collection(captured)["response"]
    assert about(response) == {
        "azureml.data.content_type": "application/json",
        "http.response.status_code": status,
    }
    assert response.payload == '{"message": "no"}'


class ModelError(Exception):
    pass


def test_an_application_error_is_collected_with_status_500_and_raised_again(send: Send) -> None:
    failure = ModelError("singular matrix")

    def score(body: bytes) -> Answer:
        raise failure

    with capture() as captured:
        with pytest.raises(ModelError) as caught:
            send(score)
        events = by_collection(captured)
    assert caught.value is failure
    assert events["request"].payload == REQUEST_BODY.decode()
    assert events["response"].payload == ""
    assert about(events["response"]) == {
        "azureml.data.content_type": "application/octet-stream",
        "http.response.status_code": 500,
    }


def test_a_response_that_breaks_off_is_collected_up_to_that_point(send: Send) -> None:
    def stream() -> Iterator[bytes]:
        yield b'{"token": "a'
        raise ModelError

    with capture() as captured:
        with pytest.raises(ModelError):
            send(lambda body: Answer(chunks=stream()))
        response = by_collection(captured)["response"]
    assert response.payload == '{"token": "a'
    assert response.attributes["http.response.status_code"] == 200
    assert response.attributes["azureml.data.total_bytes"] == "*"


def test_listed_headers_are_collected_on_both_lines(send: Send, configured: Any) -> None:
    """S44: `request_logging.capture_headers`."""
    configured(request=True, response=True, capture_headers=("X-Tenant-Id", "user-agent", "x-absent"))
    headers = [*JSON, ("X-Tenant-Id", "contoso"), ("User-Agent", "u" * 2000), ("X-Other", "no")]
    with capture() as captured:
        send(lambda body: Answer(), Call(headers=headers))
        events = captured.events
    found = [
        {key: value for key, value in event.attributes.items() if key.startswith("cloudevents.extension.")}
        for event in events
    ]
    expected = {"cloudevents.extension.xtenantid": "contoso", "cloudevents.extension.useragent": "u" * 1024}
    assert found == [expected, expected]


def test_headers_are_listed_in_azures_own_file_for_all_collections_or_for_one(
    send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S44, in the file that Azure's host writes for a deployment."""
    collections = {"request": {"enabled": True, "captureHeaders": ["X-Tenant-Id"]}, "response": {"enabled": True}}
    (tmp_path / "mdc.json").write_text(json.dumps({"collections": collections, "captureHeaders": ["X-Client"]}))
    monkeypatch.setenv("AZUREML_MDC_CONFIG_PATH", str(tmp_path / "mdc.json"))
    with capture() as captured:
        send(lambda body: Answer(), Call(headers=[*JSON, ("X-Tenant-Id", "contoso"), ("X-Client", "web")]))
        events = captured.events
    for event in events:
        assert event.attributes["cloudevents.extension.xtenantid"] == "contoso"
        assert event.attributes["cloudevents.extension.xclient"] == "web"
    assert len(events) == 2


def test_only_listed_headers_are_collected_and_credentials_never(
    send: Send, configured: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = ["Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization", "X-Auth-Token"]
    configured(request=True, response=True, capture_headers=tuple(secrets))
    with capture() as captured:
        send(lambda body: Answer(), Call(headers=[*JSON, *((name, "hunter2") for name in secrets)]))
        events = captured.events
    assert len(events) == 2
    assert "hunter2" not in str(events) + caplog.text
    assert all(f"header {name.lower()!r} is not collected" in caplog.text for name in secrets)


@pytest.mark.parametrize(
    ("method", "path", "is_scoring"),
    [
        ("POST", "/score", True),
        ("POST", "/", True),
        ("GET", "/score", True),
        ("PUT", "/health", True),
        ("GET", "/", False),
        ("HEAD", "/", False),
        ("GET", "/health", False),
        ("GET", "/healthz", False),
        ("GET", "/health/ready", False),
        ("GET", "/v2/health/live", False),
        ("GET", "/readyz", False),
        ("GET", "/metrics", False),
        ("GET", "/swagger.json", False),
        ("GET", "/docs/oauth2-redirect", False),
        ("OPTIONS", "/score", False),
    ],
)
def test_probes_are_not_scoring_requests(send: Send, method: str, path: str, is_scoring: bool) -> None:
    with capture() as captured:
        send(lambda body: Answer(), Call(method=method, path=path))
        assert len(captured.events) == 2 * is_scoring


def test_only_chosen_paths_are_collected(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_PAYLOAD_PATHS", "/score, /v1/models/*")
    with capture() as captured:
        for path in ("/score", "/other", "/v1/models/a:predict", "/scores"):
            send(lambda body: Answer(), Call(method="GET", path=path))
        paths = [event.attributes.get("url.path") for event in captured.events if event.collection == "request"]
    assert paths == ["/score", "/v1/models/a:predict"]


def test_an_error_of_collecting_changes_nothing_for_the_client(
    send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("our own")

    for method in ("__init__", "take_request", "begin_response", "take_response", "end"):
        caplog.clear()
        with capture():
            with monkeypatch.context() as patch:
                patch.setattr(f"otel_modeldata._payload.exchange.Exchange.{method}", broken)
                patch.setattr("otel_modeldata._payload.logger._throttle._quiet_until", {})
                assert send(lambda body: Answer()) == (200, JSON, RESPONSE_BODY)
            lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
            assert lines == ["payload logging: expected to collect a request, got ZeroDivisionError: our own"], method
            caplog.clear()
            gc.collect()  # ends the exchange that could not end, here and not in a later test


def test_a_refused_record_is_counted_and_logged_once_and_affects_no_response(
    send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_QUEUE_BYTES", "100")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("otel_modeldata._payload.logger._throttle._quiet_until", {})
    refused: list[tuple[object, str]] = []
    monkeypatch.setattr(
        "otel_modeldata._delivery.metrics.count_refused",
        lambda name, error: refused.append((name, type(error).__name__)),
    )
    for _ in range(3):
        assert send(lambda body: Answer())[2] == RESPONSE_BODY
    assert sorted(refused) == [("request", "RecordTooLargeError")] * 3 + [("response", "RecordTooLargeError")] * 3
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_in_azures_local_mode_payloads_are_printed(
    send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"runMode": "local", "collections": {"request": {"enabled": True}, "response": {"enabled": True}}}
    (tmp_path / "mdc.json").write_text(json.dumps(config))
    monkeypatch.setenv("AZUREML_MDC_CONFIG_PATH", str(tmp_path / "mdc.json"))
    headers = [("Content-Type", "image/png")]
    with capture() as captured:
        send(lambda body: Answer(headers=headers, chunks=(PNG,)), Call(chunks=(b'{"a":\n1}',)))
        assert captured.events == []
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [(name, text) for _, name, _, text in lines] == [("request", '{"a": 1}'), ("response", "(10 bytes)")]


@pytest.mark.parametrize("middleware", [ASGIMiddleware, WSGIMiddleware])
def test_names_are_loaded_from_the_module_that_is_documented(middleware: type) -> None:
    from otel_modeldata import payload

    assert getattr(payload, middleware.__name__) is middleware
    with pytest.raises(AttributeError, match="has no attribute 'Middleware'"):
        payload.Middleware  # noqa: B018
