"""OTLP over HTTP: both encodings, both signals, the statuses of the specification."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from http_posts import HTTP, http_receiver
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import NOON, decoded, record, request

from otel_modeldata_receiver.listeners import otlp_json

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
LOGS, TRACES = "/v1/logs", "/v1/traces"
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALUES = [None, True, 1, 2**62, -1, 0.5, float("inf"), "text", b"\xff\x00", [1, ["a"]], {"a": {"b": [None]}}]


def one(event_id: str, **fields: Any) -> bytes:
    return request(record(event_id=event_id, time_ns=NOON, **fields))


def in_json(message: Message) -> dict[str, Any]:
    """`message` in OTLP's JSON encoding: ids in hexadecimal, the rest as Protocol Buffers prints it."""

    def hexadecimal(value: Any) -> Any:
        if isinstance(value, list):
            return [hexadecimal(item) for item in value]
        if not isinstance(value, dict):
            return value
        ids = {"traceId", "spanId", "parentSpanId"}
        return {key: b64decode(item).hex() if key in ids else hexadecimal(item) for key, item in value.items()}

    encoded: dict[str, Any] = hexadecimal(MessageToDict(message, use_integers_for_enums=True))
    return encoded


# --- The two encodings ------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
@pytest.mark.parametrize("media_type", [PROTOBUF, JSON | {"Content-Type": "application/json; charset=utf-8"}])
async def test_a_request_becomes_the_same_line_in_either_encoding_compressed_or_not(
    tmp_path: Path, media_type: dict[str, str], packing: str | None
) -> None:
    spans = {"trace_id": bytes.fromhex(TRACE_ID), "span_id": bytes.fromhex(SPAN_ID), "flags": 1}
    raw = one("1", **spans)
    body = raw if media_type is PROTOBUF else json.dumps(in_json(decoded(raw))).encode()
    headers = dict(media_type)
    if packing is not None:
        headers["Content-Encoding"] = packing
        body = gzip.compress(body) if packing == "gzip" else zlib.compress(body)
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(HTTP, LOGS, body, headers)
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (
            200,
            media_type["Content-Type"].partition(";")[0],
        )
        assert answer.body == (b"" if media_type is PROTOBUF else b"{}")
        (line,) = receiver.live.lines()
    assert line["data"] == [{"age": 42, "income": 1234.5}]
    assert (line["id"], line["traceparent"]) == ("1", f"00-{TRACE_ID}-{SPAN_ID}-01")


def test_every_kind_of_value_is_the_same_in_json() -> None:
    """With 64-bit integers as text, as Protocol Buffers prints them, and as numbers, as JavaScript does."""
    raw = request(*(record(value, {"value": value}, time_ns=NOON, flags=1) for value in VALUES))
    encoded = in_json(decoded(raw))
    assert decoded(otlp_json._request_of(json.dumps(encoded).encode(), otlp_json.JSON_LOGS)) == decoded(raw)
    for one_record in encoded["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        one_record["timeUnixNano"] = int(one_record["timeUnixNano"])
    assert decoded(otlp_json._request_of(json.dumps(encoded).encode(), otlp_json.JSON_LOGS)) == decoded(raw)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.text(st.characters(codec="utf-8")))
@settings(max_examples=50)
def test_any_ids_and_text_survive_json(trace_id: bytes, span_id: bytes, text: str) -> None:
    raw = request(record(text, trace_id=trace_id, span_id=span_id, time_ns=NOON))
    body = json.dumps(in_json(decoded(raw))).encode()
    assert decoded(otlp_json._request_of(body, otlp_json.JSON_LOGS)) == decoded(raw)


def test_spans_in_json_keep_the_ids_of_their_parents_and_links() -> None:
    export = ExportTraceServiceRequest()
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, parent_span_id=b"p" * 8, name="POST", kind=Span.SPAN_KIND_SERVER)
    span.links.add(trace_id=b"T" * 16, span_id=b"S" * 8)
    export.resource_spans.add().scope_spans.add().spans.append(span)
    body = json.dumps(in_json(export)).encode()
    assert ExportTraceServiceRequest.FromString(otlp_json._request_of(body, otlp_json.JSON_SPANS)) == export


@pytest.mark.parametrize("number", ["1e300", "-1e300", "9223372036854775808", "1e19"])
def test_an_integer_that_is_out_of_range_becomes_a_double(number: str) -> None:
    """As OpenTelemetry's JavaScript SDK writes large numbers; `1e400` would not be a number at all."""
    values = f'{{"arrayValue":{{"values":[{{"intValue":{number}}},{{"intValue":1e3}}]}}}}'
    body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{values}}}]}}]}}]}}'
    made = decoded(otlp_json._request_of(body.encode(), otlp_json.JSON_LOGS))
    large, small = made.resource_logs[0].scope_logs[0].log_records[0].body.array_value.values
    assert (large.double_value, small.int_value) == (float(number), 1000)


def test_fields_that_are_not_in_the_schema_are_ignored() -> None:
    """OTLP: receivers MUST ignore message fields with unknown names."""
    body = b'{"new":1,"resourceLogs":[{"new":{},"scopeLogs":[{"logRecords":[{"new":[]}]},{}]},{"resource":{}}]}'
    made = ExportLogsServiceRequest.FromString(otlp_json._request_of(body, otlp_json.JSON_LOGS))
    assert [len(one_scope.log_records) for one_scope in made.resource_logs[0].scope_logs] == [1, 0]


@pytest.mark.anyio
async def test_a_large_request_in_json_is_stored_whole(tmp_path: Path) -> None:
    raw = request(*(record(event_id=str(number), time_ns=NOON) for number in range(1000)))
    async with http_receiver(tmp_path) as receiver:
        assert (await receiver.post(HTTP, LOGS, json.dumps(in_json(decoded(raw))), JSON)).status == 200
        assert [line["id"] for line in receiver.live.lines()] == [str(number) for number in range(1000)]


@pytest.mark.anyio
async def test_spans_have_their_own_path(tmp_path: Path) -> None:
    export = ExportTraceServiceRequest()
    span = Span(trace_id=bytes.fromhex(TRACE_ID), span_id=bytes.fromhex(SPAN_ID), name="POST /score")
    span.start_time_unix_nano, span.end_time_unix_nano = NOON, NOON + 1
    export.resource_spans.add().scope_spans.add().spans.append(span)
    async with http_receiver(tmp_path) as receiver:
        assert (await receiver.post(HTTP, TRACES, export.SerializeToString(), PROTOBUF)).body == b""
        assert (await receiver.post(HTTP, TRACES, json.dumps(in_json(export)), JSON)).body == b"{}"
        (line,) = receiver.live.lines("*/*/app_spans/**/*.jsonl")
    assert (line["data"][0]["name"], line["data"][0]["context"]["trace_id"]) == ("POST /score", f"0x{TRACE_ID}")


# --- Bad input --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_bad_record_does_not_affect_the_others_in_either_encoding(tmp_path: Path) -> None:
    raw = request(record(event_id="1", time_ns=NOON), record("no json", event_id="2", time_ns=NOON))
    encoded = in_json(decoded(raw))
    records = encoded["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    records.append({"body": {"intValue": 10**400}})
    records[:0] = [5, {"timeUnixNano": "noon"}, {"traceId": "xyz"}, {"traceId": 7}, {"body": {"intValue": "x"}}]
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(HTTP, LOGS, raw, PROTOBUF)
        partial = ExportLogsServiceResponse.FromString(answer.body).partial_success
        assert (answer.status, partial.rejected_log_records) == (200, 1)
        assert partial.error_message.startswith("body not JSON: expected valid JSON")
        answer = await receiver.post(HTTP, LOGS, json.dumps(encoded), JSON)
        partial_json = json.loads(answer.text)["partialSuccess"]
        assert (answer.status, partial_json["rejectedLogRecords"]) == (200, "7")
        wrong = "undecodable record: expected OTLP in JSON, got a traceId that is not hexadecimal; write ids in hexadec"
        assert wrong in partial_json["errorMessage"]
        assert [line["id"] for line in receiver.live.lines()] == ["1"]
        assert len(receiver.live.quarantine()) == 7


NOT_JSON = [b"", b"[]", b"{", b'{"resourceLogs":{}}', b'{"resourceLogs":[1]}', b'{"resourceLogs":[{"scopeLogs":[2]}]}']
NOT_JSON += [
    b'{"resourceSpans":[]}',
    b'{"ResourceLogs":[{}]}',
    b'{"resourceLogs":[{"instrumentationLibraryLogs":[{}]}]}',
]
NOT_JSON += [
    b'{"resourceLogs":[{"scopeLogs":[{"logs":[{}]}]}]}',
    b'{"resourceLogs":[{"scopeLogs":[{"logRecords":{}}]}]}',
]
NOT_JSON += [b"\xff", b'{"resourceLogs":[{"resource":{"attributes":[{"key":"\\ud800"}]}}]}', b'{"a":' + b"[" * 100_000]


@pytest.mark.anyio
@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
async def test_json_that_is_not_a_request_is_quarantined_and_refused_permanently(tmp_path: Path, body: bytes) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(HTTP, LOGS, body, JSON)
        status = json.loads(answer.text)
        assert (answer.status, status["code"]) == (400, 3)
        assert status["message"].startswith(
            f"undecodable request: expected OTLP in JSON, got a body of {len(body)} bytes that is not ("
        )
        (kept,) = receiver.live.quarantine()
        assert b64decode(kept.get("request", "")) == body


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        (PROTOBUF, b"\xff", 400, "undecodable request: expected an OTLP export request, got"),
        (PROTOBUF | {"Content-Encoding": "gzip"}, b"no gzip", 400, "undecodable compression: expected whole gzip"),
        (
            PROTOBUF | {"Content-Encoding": "gzip"},
            gzip.compress(b"", mtime=0)[:-1],
            400,
            "undecodable compression: expected",
        ),
        (PROTOBUF | {"Content-Encoding": "br"}, b"", 415, "expected a body compressed with gzip or deflate, or not"),
        ({"Content-Type": "text/plain"}, b"", 415, "expected a Content-Type of application/x-protobuf or app"),
        ({}, b"", 415, "expected a Content-Type of application/x-protobuf or application/json, got ''"),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused_with_a_status_and_its_reason(
    tmp_path: Path, headers: dict[str, str], body: bytes, status: int, message: str
) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(HTTP, LOGS, body, headers)
        reason = Status.FromString(answer.body)
        assert (answer.status, reason.code, reason.message[: len(message)]) == (status, 3, message)
        assert "Retry-After" not in answer.headers
        assert len(receiver.live.quarantine()) == (status == 400)
