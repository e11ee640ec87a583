from __future__ import annotations

import gzip
import json
import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import yaml
from payload_client import JSON, Answer, Call, run_asgi, scope_of, send_by_asgi, send_by_wsgi

from otel_modeldata import Collector, semconv
from otel_modeldata._version import AGENT
from otel_modeldata.context import BasicCorrelationContext, CorrelationContext, use_correlation_context
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.payload import ASGIMiddleware, WSGIMiddleware
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from payload_client import Send

    from otel_modeldata.testing import Captured, CollectedEvent

REQUEST_BODY = b'{"data": [[1, 2]]}'
RESPONSE_BODY = b'{"prediction": [1]}'


@pytest.fixture(params=[send_by_asgi, send_by_wsgi], ids=["asgi", "wsgi"])
def send(request: pytest.FixtureRequest) -> Send:
    chosen: Send = request.param
    return chosen


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a deployment YAML: `configured(request=True, capture_headers=[..])`."""

    def write(rate: float = 1.0, capture_headers: tuple[str, ...] = (), **collections: object) -> None:
        block: dict[str, Any] = {"collections": {name: {"enabled": str(on)} for name, on in collections.items()}}
        block["sampling_rate"] = rate
        block["request_logging"] = {"capture_headers": list(capture_headers)}
        file = tmp_path / "deployment.yml"
        file.write_text(yaml.safe_dump({"name": "blue", "endpoint_name": "credit", "data_collector": block}))
        monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(file))

    return write


def by_collection(captured: Captured) -> dict[str, CollectedEvent]:
    events = captured.events
    found = {event.collection: event for event in events}
    assert len(found) == len(events)
    return found


def about(event: CollectedEvent) -> dict[str, Any]:
    """The attributes of an event that depend on its exchange."""
    other = (
        semconv.AZUREML_COLLECTION_NAME,
        semconv.AZUREML_CORRELATION_ID,
        semconv.AZUREML_PRODUCER_SEQUENCE,
        semconv.AZUREML_RESPONSE_LATENCY_MS,
        semconv.AZUREML_SAMPLING_RATE,
        semconv.AZUREML_MODEL_VERSION,
        semconv.AZUREML_AGENT,
        semconv.CLOUDEVENTS_EVENT_ID,
        semconv.CLOUDEVENTS_EVENT_TYPE,
    )
    return {key: value for key, value in event.attributes.items() if key not in other}


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


def test_a_request_of_unknown_length_has_no_total(send: Send) -> None:
    """S51: `bytes 0-59/*`."""
    call = Call(chunks=(REQUEST_BODY[:5], REQUEST_BODY[5:]), declares_length=False)
    with capture() as captured:
        send(lambda body: Answer(), call)
        request = by_collection(captured)["request"]
    assert request.payload == REQUEST_BODY.decode()
    assert request.attributes["azureml.data.total_bytes"] == "*"


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


def test_a_body_beyond_the_limit_is_cut_and_its_size_is_collected(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_PAYLOAD_BYTES", "10")
    with capture() as captured:
        answer = send(lambda body: Answer(chunks=iter([RESPONSE_BODY[:4], RESPONSE_BODY[4:]])))
        events = by_collection(captured)
    assert answer[2] == RESPONSE_BODY
    assert events["request"].payload == REQUEST_BODY[:10].decode()
    assert events["response"].payload == RESPONSE_BODY[:10].decode()
    assert events["request"].attributes["azureml.data.total_bytes"] == len(REQUEST_BODY)
    assert events["response"].attributes["azureml.data.total_bytes"] == len(RESPONSE_BODY)


def test_with_a_limit_of_zero_everything_but_the_bodies_is_collected(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_PAYLOAD_BYTES", "0")
    with capture() as captured:
        send(lambda body: Answer())
        payloads = {event.payload for event in captured.events}
    assert payloads == {""}


def test_a_body_that_the_application_does_not_read_stays_unread(send: Send) -> None:
    with capture() as captured:
        send(lambda body: Answer(status=413), reads=False)
        request = by_collection(captured)["request"]
    assert request.payload == ""
    assert request.attributes["azureml.data.total_bytes"] == len(REQUEST_BODY)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("DELETE", 204), ("GET", 304)])
def test_a_response_without_a_body_is_complete_with_any_declared_length(send: Send, method: str, status: int) -> None:
    headers = [("ETag", "1")] if status == 204 else [("ETag", "1"), ("Content-Length", "100")]
    headers += [("Content-Type", "text/plain")] if status == 200 else []
    call = Call(method=method, chunks=(b"",), headers=[], declares_length=True)
    with capture() as captured:
        send(lambda body: Answer(status=status, headers=headers, chunks=()), call)
        events = by_collection(captured)
    assert (events["request"].payload, events["response"].payload) == ("", "")
    assert "azureml.data.total_bytes" not in events["request"].attributes
    assert "azureml.data.total_bytes" not in events["response"].attributes


PNG = bytes.fromhex("89504e470d0a1a0a0000")


@pytest.mark.parametrize(
    ("content_type", "content", "collected"),
    [
        ("application/json; charset=utf-8", '{"ü": 1}'.encode(), '{"ü": 1}'),
        ("application/problem+json", b"{}", "{}"),
        ("Text/CSV", "ä,ö".encode(), "ä,ö"),
        ("text/plain", b"\xff\xfe", b"\xff\xfe"),
        ("application/json", b'{"cut', '{"cut'),
        ("application/json", b"\xef\xbb\xbf{}", "{}"),
        ("application/json; charset=utf-16", "{}".encode("utf-16"), "{}"),
        ("application/json; charset=latin-1", '{"ü": 1}'.encode(), '{"ü": 1}'),
        ("application/x-ndjson", b'{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":2}\n'),
        ("application/jsonlines", b'{"a":1}\n', '{"a":1}\n'),
        ("application/json-seq", b'\x1e{"a":1}\n', '\x1e{"a":1}\n'),
        ("application/soap+xml; charset=utf-8", "<ñ/>".encode(), "<ñ/>"),
        ("application/yaml", b"a: 1", "a: 1"),
        ("application/graphql", b"{a}", "{a}"),
        ("application/x-www-form-urlencoded", b"a=1&b=2", "a=1&b=2"),
        ("text/event-stream", b"data: 1\n\n", "data: 1\n\n"),
        ("text/csv; charset=ISO-8859-1", "año".encode("latin-1"), "año"),
        ("text/plain; charset=utf-16", "año".encode("utf-16"), "año"),
        ("text/plain; charset=utf-16le", "ano".encode("utf-16-le"), "ano"),
        ("image/svg+xml", b"<svg/>", b"<svg/>"),
        ("application/octet-stream", b"{}", b"{}"),
        ("application/x-npy", b"\x93NUMPY", b"\x93NUMPY"),
        ("image/png", PNG, PNG),
        ("application/msgpack", b"\x81\xa1a\x01", b"\x81\xa1a\x01"),
        ("multipart/form-data; boundary=x", b"--x", b"--x"),
    ],
)
def test_json_and_text_are_collected_as_text_and_all_else_as_bytes(
    send: Send, content_type: str, content: bytes, collected: str | bytes
) -> None:
    """S50: a payload need not be a table."""
    headers = [("Content-Type", content_type)]
    with capture() as captured:
        send(lambda body: Answer(headers=headers, chunks=(content,)), Call(headers=headers, chunks=(content,)))
        events = captured.events
    assert [event.payload for event in events] == [collected, collected]
    assert {event.attributes["azureml.data.content_type"] for event in events} == {content_type}


@pytest.mark.parametrize("declared", ["", "json", "application/x-www-form-urlencoded"])
def test_json_is_json_without_a_usable_type_and_under_the_type_that_curl_sends_by_default(
    send: Send, declared: str
) -> None:
    """KServe's models, Flask's `get_json(force=True)` and Azure's `run(raw_data)` read such a body as JSON, too."""
    headers = [("Content-Type", declared)] if declared else []
    with capture() as captured:
        send(lambda body: Answer(), Call(headers=headers))
        request = by_collection(captured)["request"]
    assert (request.payload, request.attributes["azureml.data.content_type"]) == (
        REQUEST_BODY.decode(),
        "application/json",
    )


def test_a_body_without_a_type_that_is_not_json_is_bytes(send: Send) -> None:
    with capture() as captured:
        send(lambda body: Answer(), Call(headers=[], chunks=(b"1 2",)))
        request = by_collection(captured)["request"]
    assert request.payload == b"1 2"
    assert request.attributes["azureml.data.content_type"] == "application/octet-stream"


def test_a_compressed_body_is_collected_as_it_was_sent_with_the_name_of_its_coding(send: Send) -> None:
    packed = gzip.compress(RESPONSE_BODY)
    with capture() as captured:
        send(lambda body: Answer(headers=[*JSON, ("Content-Encoding", "gzip")], chunks=(packed,)))
        response = by_collection(captured)["response"]
    assert response.payload == packed
    assert response.attributes["cloudevents.extension.contentencoding"] == "gzip"


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


@pytest.mark.parametrize("given", ["", "\ud800"])
def test_a_current_context_whose_id_cannot_be_sent_affects_no_response(send: Send, given: str) -> None:
    class Own(CorrelationContext):
        def get_id(self) -> str:
            return given

    with capture() as captured, use_correlation_context(Own()):
        assert send(lambda body: Answer())[2] == RESPONSE_BODY
        events = captured.events
    assert [event.correlation_id for event in events] in ([], ["", ""])


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
        kind(_answer)
    assert "hunter2" not in str(caught.value)


def test_a_service_name_that_is_no_folder_is_one_line_at_the_start_and_none_per_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ms/payloads")
    with capture() as captured:
        app = ASGIMiddleware(_answer)
        at_start = len(caplog.messages)
        for _ in range(2):
            run_asgi(app, Call())
        events = captured.events
    assert len(events) == 4
    assert len(caplog.messages) == at_start == 1
    assert "'ms/payloads' cannot be a folder, so events are stored below 'ms-payloads'" in caplog.text


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
    inner = ASGIMiddleware(_answer)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        async def nothing(message: Any) -> None:
            """The inner answer is not used."""

        await inner(scope_of(Call(path="/inner")), receive, nothing)
        await _answer(scope, receive, send)

    with capture() as captured:
        run_asgi(ASGIMiddleware(outer), Call())
        paths = [event.attributes["url.path"] for event in captured.events if event.collection == "request"]
    assert paths == ["/inner", "/score"]


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_an_error_of_collecting_changes_nothing_for_the_client(
    send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("our own")

    for method in ("__init__", "take_request", "begin_response", "take_response", "end"):
        with monkeypatch.context() as patch:
            patch.setattr(f"otel_modeldata._payload.exchange.Exchange.{method}", broken)
            patch.setattr("otel_modeldata._payload.logger._throttle._quiet_until", {})
            caplog.clear()
            with capture():
                assert send(lambda body: Answer()) == (200, JSON, RESPONSE_BODY)
        lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert lines == ["payload logging: expected to collect a request, got ZeroDivisionError: our own"], method


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
