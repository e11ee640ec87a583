"""Bodies: what is collected of them, and as what."""

from __future__ import annotations

import gzip

import pytest
from payload_client import JSON, Answer, Call, Send
from payload_events import PNG, REQUEST_BODY, RESPONSE_BODY, by_collection

from otel_modeldata.testing import capture


def test_a_request_of_unknown_length_has_no_total(send: Send) -> None:
    """S51: `bytes 0-59/*`."""
    call = Call(chunks=(REQUEST_BODY[:5], REQUEST_BODY[5:]), declares_length=False)
    with capture() as captured:
        send(lambda body: Answer(), call)
        request = by_collection(captured)["request"]
    assert request.payload == REQUEST_BODY.decode()
    assert request.attributes["azureml.data.total_bytes"] == "*"


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
