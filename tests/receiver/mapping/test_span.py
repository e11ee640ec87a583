"""A span as a line: the shape is OpenTelemetry's own, the rules are those of Azure's reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from genai_preprocessor import KEYS, preprocess
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from otlp_requests import NOON, key_values, span, span_request

from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import signal
from otel_modeldata_receiver.mapping.attributes import MAX_ATTRIBUTES, MAX_ID_CHARS
from otel_modeldata_receiver.mapping.request import Mapped, decode, map_records
from otel_modeldata_receiver.mapping.span import MAX_RESOURCE_BYTES, MAX_SCHEMA_CHARS

TRACE_ID, SPAN_ID = (b"t" * 16).hex(), (b"s" * 8).hex()
ADDED = {"inputs", "output", "span_type", "framework"}
FOLDER = "credit/blue/app_spans/2026/11/22/12"
WITH_CONTENT = "credit/blue/app_traces/2026/11/22/12"


def read(request: bytes, kept: KeptSpans = KeptSpans.ALL) -> Mapped:
    return map_records(decode(request, signal.spans(kept)), arrival_ns=NOON, destinations=Destinations())


def lines_of(mapped: Mapped) -> list[dict[str, Any]]:
    assert mapped.rejected == ()
    return [json.loads(line.data) for lines in mapped.lines.values() for line in lines]


def stored(one: Span) -> dict[str, Any]:
    """The span of the only line that `one` becomes."""
    (line,) = lines_of(read(span_request(one)))
    (shape,) = line["data"]
    return dict(shape)


def without_additions(shape: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in shape["attributes"].items() if key not in ADDED}
    return {**shape, "attributes": own}


def test_a_span_becomes_one_line_of_the_hour_it_ended_in_with_its_ids_as_the_events_id() -> None:
    mapped = read(
        span_request(
            span(
                attributes={
                    "azureml.correlation.id": "order-7",
                    "azureml.request.id": "req-1",
                    "gen_ai.input.messages": "question",
                    "gen_ai.output.messages": "answer",
                },
                status=Status(code=Status.STATUS_CODE_OK),
                flags=1,
            ),
            resource_values={
                "azureml.endpoint.name": "credit",
                "azureml.deployment.name": "blue",
                "service.instance.id": "p",
            },
        )
    )
    assert list(mapped.lines) == [WITH_CONTENT]
    ((line,),) = mapped.lines.values()
    event = json.loads(line.data)
    data = line.data[line.data.index(b'"data":') + 7 : line.data.index(b',"contentrange"')]
    assert line.id == event["id"] == f"{TRACE_ID}-{SPAN_ID}"
    assert event == {
        "specversion": "1.0",
        "id": f"{TRACE_ID}-{SPAN_ID}",
        "source": "/endpoints/credit/deployments/blue",
        "type": "azureml.inference.app_traces",
        "datacontenttype": "application/json",
        "time": "2026-11-22T12:00:01Z",
        "data": json.loads(data),
        "contentrange": f"bytes 0-{len(data) - 1}/{len(data)}",
        "correlationid": "order-7",
        "xrequestid": "req-1",
        "modelversion": "default",
        "collectdatatype": "pandas.core.frame.DataFrame",
        "agent": "test-sdk/1.0",
        "timens": str(NOON + 1_000_000_000),
        "producer": "p",
        "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01",
    }
    assert list(event)[:7] == ["specversion", "id", "source", "type", "datacontenttype", "time", "data"]
    assert json.loads(data) == [
        {
            "name": "POST /score",
            "context": {"trace_id": f"0x{TRACE_ID}", "span_id": f"0x{SPAN_ID}", "trace_state": "[]"},
            "kind": "SpanKind.SERVER",
            "parent_id": None,
            "start_time": "2026-11-22T12:00:00.000000Z",
            "end_time": "2026-11-22T12:00:01.000000Z",
            "status": {"status_code": "OK"},
            "attributes": {
                "azureml.correlation.id": "order-7",
                "azureml.request.id": "req-1",
                "gen_ai.input.messages": "question",
                "gen_ai.output.messages": "answer",
                "inputs": "question",
                "output": "answer",
                "span_type": "Function",
                "framework": "test-sdk",
            },
            "events": [],
            "links": [],
            "resource": {
                "attributes": {
                    "azureml.endpoint.name": "credit",
                    "azureml.deployment.name": "blue",
                    "service.instance.id": "p",
                },
                "schema_url": "",
            },
        }
    ]


SCALARS = st.text(max_size=5) | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = SCALARS | st.booleans() | st.lists(st.text(max_size=3), max_size=3) | st.lists(st.integers(0, 9), max_size=3)
NAMES = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=6)
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=5)
MICROSECONDS = st.integers(NOON // 1000, NOON // 1000 + 10**9).map(lambda microseconds: microseconds * 1000)
"""Whole microseconds: opentelemetry-python rounds smaller parts, in floating point."""


def recorded(attributes: dict[str, Any], kind: SpanKind, times: list[int], status: StatusCode) -> ReadableSpan:
    """A span of opentelemetry-python with everything that a span can have."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "credit", **attributes}, "https://schema"))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    state = TraceState([("vendor", "1"), ("other", "2")])
    caller = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    started = provider.get_tracer("test").start_span(
        "POST /score",
        context=set_span_in_context(NonRecordingSpan(caller)),
        kind=kind,
        attributes=attributes,
        links=[Link(SpanContext(3, 4, is_remote=True), attributes), Link(SpanContext(1, 2, is_remote=False))],
        start_time=times[0],
    )
    started.add_event("first", attributes, timestamp=times[1])
    started.add_event("second", timestamp=times[1])
    started.set_status(status, "why" if status is StatusCode.ERROR else None)
    started.end(times[2])
    (finished,) = exporter.get_finished_spans()
    provider.shutdown()
    return finished


@given(
    ATTRIBUTES,
    st.sampled_from(SpanKind),
    st.lists(MICROSECONDS, min_size=3, max_size=3).map(sorted),
    st.sampled_from(StatusCode),
)
def test_a_span_is_what_opentelemetry_python_prints(
    attributes: dict[str, Any], kind: SpanKind, times: list[int], status: StatusCode
) -> None:
    finished = recorded(attributes, kind, times, status)
    (line,) = lines_of(read(encode_spans([finished]).SerializeToString()))
    (shape,) = line["data"]
    assert list(shape) == KEYS
    assert without_additions(shape) == without_additions(json.loads(finished.to_json()))


@pytest.mark.parametrize(
    "fields",
    [
        {"parent_span_id": b""},
        {"parent_span_id": b"p" * 8},
        {"parent_span_id": b"p" * 8, "flags": 0x300},
        {"kind": Span.SPAN_KIND_CLIENT, "name": "chat gpt-4o-mini"},
        {"kind": Span.SPAN_KIND_CONSUMER},
        {"attributes": key_values({"http.request.method": "POST", "http.response.status_code": 200})},
        {"attributes": key_values({"gen_ai.input.messages": "question"})},
        {"attributes": key_values({"output": "answer"})},
    ],
)
def test_a_span_without_an_input_and_an_output_is_kept_where_no_monitor_reads_it_and_nothing_is_made_up(
    fields: dict[str, Any],
) -> None:
    one = span(**{key: value for key, value in fields.items() if key != "attributes"})
    one.attributes.extend(fields.get("attributes", ()))
    mapped = read(span_request(one))
    assert list(mapped.lines) == [FOLDER]
    (line,) = lines_of(mapped)
    assert line["type"] == "azureml.inference.app_spans"
    sent = {pair.key: pair.value.string_value or pair.value.int_value for pair in one.attributes}
    added = {"span_type": "Function", "framework": "test-sdk"}
    if "gen_ai.input.messages" in sent:
        added["inputs"] = "question"
    assert line["data"][0]["attributes"] == {**sent, **added}


def test_values_are_flat_so_that_each_is_one_column() -> None:
    values = {"map": {"a": [1]}, "bytes": b"\xff", "mixed": [1, {"b": 2}], "words": ["a", "b"], "nothing": None}
    kept = {key: value for key, value in stored(span(attributes=values))["attributes"].items() if key in values}
    assert kept == {
        "map": '{"a":[1]}',
        "bytes": '"/w=="',
        "mixed": '[1,{"b":2}]',
        "words": ["a", "b"],
        "nothing": None,
    }


def test_secrets_in_an_address_are_hidden() -> None:
    values = {
        "url.full": "https://a.test/score?size=1&api_key=S#end",
        "url.query": "sig=S&size=1",
        "http.target": "/score?access_token=S",
        "note": "token=kept",
    }
    attributes = stored(span(attributes=values))["attributes"]
    assert {key: attributes[key] for key in values} == {
        "url.full": "https://a.test/score?size=1&api_key=REDACTED#end",
        "url.query": "sig=REDACTED&size=1",
        "http.target": "/score?access_token=REDACTED",
        "note": "token=kept",
    }


def test_names_that_are_equal_up_to_case_and_too_many_names_are_left_out_and_counted() -> None:
    many = {f"key{number}": number for number in range(MAX_ATTRIBUTES + 10)}
    assert (
        stored(span(attributes={"User": 1, "user": 2, "USER": 3}))["attributes"]["otel.dropped_attributes_count"] == 2
    )
    attributes = stored(span(attributes=many, dropped_attributes_count=5))["attributes"]
    assert attributes["otel.dropped_attributes_count"] == 15
    assert sum(key.startswith("key") for key in attributes) == MAX_ATTRIBUTES
    events = [Span.Event(name="e", attributes=key_values({"A": 1, "a": 2}))]
    shape = stored(span(events=events, links=[Span.Link(attributes=key_values({"B": 1, "b": 2}))]))
    assert shape["events"][0]["attributes"] == {"A": 1, "otel.dropped_attributes_count": 1}
    assert shape["links"][0]["attributes"] == {"B": 1, "otel.dropped_attributes_count": 1}
    talking = span(attributes={"User": 1, "user": 2, "inputs": "i", "output": "o"})
    assert len(preprocess(lines_of(read(span_request(talking))))) == 1


def test_a_large_resource_is_not_repeated_in_every_line() -> None:
    names = {"azureml.endpoint.name": "credit", "azureml.deployment.name": "blue"}
    large = {"command": "x" * (1 << 20), "arguments": ["y"] * 5000}
    (line,) = lines_of(read(span_request(span(), resource_values={**large, **names})))
    assert line["data"][0]["resource"]["attributes"] == {**names, "otel.dropped_attributes_count": 2}
    many = {f"key{number:03}": "x" * 100 for number in range(300)}
    (line,) = lines_of(read(span_request(span(), resource_values={**names, **many})))
    attributes = line["data"][0]["resource"]["attributes"]
    assert attributes["otel.dropped_attributes_count"] + len(attributes) - 1 == 302
    assert len(json.dumps(attributes)) < MAX_RESOURCE_BYTES + 500
    assert names.items() <= attributes.items()


def test_a_schema_url_that_is_too_long_is_left_out() -> None:
    export = ExportTraceServiceRequest.FromString(span_request(span()))
    export.resource_spans[0].schema_url = "x" * (MAX_SCHEMA_CHARS + 1)
    (line,) = lines_of(read(export.SerializeToString()))
    assert line["data"][0]["resource"]["schema_url"] == ""


def test_a_repeated_name_has_its_last_value() -> None:
    twice = span()
    twice.attributes.extend([*key_values({"a": 1}), *key_values({"a": 2})])
    attributes = stored(twice)["attributes"]
    assert (attributes["a"], "otel.dropped_attributes_count" in attributes) == (2, False)


@pytest.mark.parametrize("bad", ["", "x" * (MAX_ID_CHARS + 1), "a\nb", 7])
def test_an_invalid_correlation_id_is_replaced_by_the_trace_id(bad: object) -> None:
    (line,) = lines_of(read(span_request(span(attributes={"azureml.correlation.id": bad}))))
    assert (line["correlationid"], line["xrequestid"]) == (TRACE_ID, TRACE_ID)


def test_a_span_without_times_gets_the_next_known_time() -> None:
    started = stored(span(end_time_unix_nano=0))
    never = stored(span(start_time_unix_nano=0, end_time_unix_nano=0, events=[Span.Event(name="e")]))
    noon = "2026-11-22T12:00:00.000000Z"
    assert (started["start_time"], started["end_time"]) == (noon, noon)
    assert (never["start_time"], never["end_time"], never["events"][0]["timestamp"]) == (noon, noon, noon)


def test_the_last_nanosecond_of_otlp_is_a_valid_time() -> None:
    last = 2**64 - 1
    assert stored(span(start_time_unix_nano=last, end_time_unix_nano=last))["end_time"] == "2554-07-21T23:34:33.709551Z"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b""}, "expected a trace_id of 16 bytes that are not all zero, got '' (0 bytes)"),
        (
            {"trace_id": b"\0" * 16},
            f"expected a trace_id of 16 bytes that are not all zero, got '{'00' * 16}' (16 bytes)",
        ),
        ({"span_id": b"s" * 9}, f"expected a span_id of 8 bytes that are not all zero, got '{'73' * 9}' (9 bytes)"),
        (
            {"span_id": b"\0" * 8},
            "expected a span_id of 8 bytes that are not all zero, got '0000000000000000' (8 bytes)",
        ),
        ({"parent_span_id": b"p"}, "expected a parent_span_id of 8 bytes or none, got 1 bytes"),
    ],
)
def test_a_span_without_ids_is_rejected_and_the_others_are_stored(fields: dict[str, Any], reason: str) -> None:
    bad = span(**fields)
    mapped = read(span_request(span(), bad, span(span_id=b"2" * 8)))
    (rejected,) = mapped.rejected
    assert rejected.reason == f"span ids: {reason}; correct the sender"
    assert (rejected.record, rejected.endpoint, rejected.collection, rejected.time_ns) == (
        bad.SerializeToString(),
        "credit",
        "app_traces",
        NOON + 1_000_000_000,
    )
    assert [line.id for line in mapped.lines[FOLDER]] == [f"{TRACE_ID}-{SPAN_ID}", f"{TRACE_ID}-{(b'2' * 8).hex()}"]


def test_unknown_kinds_and_states_are_read_as_unspecified() -> None:
    later = span(kind=99, status=Status(code=99))  # type: ignore[arg-type]
    shape = stored(later)
    assert (shape["kind"], shape["status"]) == ("SpanKind.INTERNAL", {"status_code": "UNSET"})


def test_an_invalid_trace_state_is_empty() -> None:
    assert stored(span(trace_state="\x00,,=;"))["context"]["trace_state"] == "[]"


def test_the_data_of_a_span_above_4_mib_is_stored_as_an_object() -> None:
    mapped = read(span_request(span(attributes={"inputs": "x" * (4 << 20), "output": "y"})))
    (large,) = mapped.large
    assert mapped.lines == {}
    line = json.loads(large.line_at("https://account.blob.core.windows.net/container/x.json"))
    assert line["dataref"] == "https://account.blob.core.windows.net/container/x.json"
    assert json.loads(large.content)[0]["attributes"]["output"] == "y"


def test_with_the_setting_content_only_spans_with_content_become_lines() -> None:
    talking = span(span_id=b"2" * 8, attributes={"gen_ai.input.messages": "q", "gen_ai.output.messages": "a"})
    half = span(span_id=b"3" * 8, attributes={"gen_ai.input.messages": "q"})
    mapped = read(span_request(span(), talking, half), KeptSpans.CONTENT)
    assert [line.id for line in mapped.lines[WITH_CONTENT]] == [f"{TRACE_ID}-{(b'2' * 8).hex()}"]
    assert (mapped.records, mapped.left_out, mapped.rejected) == (3, 2, ())


def test_successful_calls_of_a_language_model_without_content_are_counted() -> None:
    call = {"gen_ai.operation.name": "chat"}
    content = {"gen_ai.input.messages": "q", "gen_ai.output.messages": "a"}
    failed = Status(code=Status.STATUS_CODE_ERROR)
    spans = [
        span(span_id=b"1" * 8, attributes=call),
        span(span_id=b"2" * 8, attributes={"openinference.span.kind": "LLM", "input.value": "q"}),
        span(span_id=b"3" * 8, attributes=call | content),
        span(span_id=b"4" * 8, attributes=call, status=failed),  # it has no answer, whatever is captured
        span(span_id=b"5" * 8, attributes={"gen_ai.operation.name": "embeddings"}),
        span(span_id=b"6" * 8),
    ]
    assert read(span_request(*spans)).calls_without_content == 2
    assert read(span_request(*spans), KeptSpans.CONTENT).calls_without_content == 2
