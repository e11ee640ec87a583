"""Log records of the GenAI conventions: lines of `app_events`, which join with their spans by id."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import NOON, ROWS, record, request, span, span_request

from otel_modeldata import semconv
from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import signal
from otel_modeldata_receiver.mapping.request import Mapped, decode, map_records

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

TRACE, SPAN = b"t" * 16, b"s" * 8
FOLDER = "credit/blue/app_events/2026/11/22/12"


def mapped(*records: LogRecord) -> Mapped:
    return map_records(decode(request(*records)), arrival_ns=NOON, destinations=Destinations())


def lines_of(found: Mapped) -> list[dict[str, Any]]:
    assert found.rejected == ()
    return [json.loads(line.data) for lines in found.lines.values() for line in lines]


def message(name: str = "gen_ai.user.message", body: object = None, **fields: Any) -> LogRecord:
    known: dict[str, Any] = {"attributes": {"gen_ai.system": "openai"}, "trace_id": TRACE, "span_id": SPAN}
    known |= {"time_ns": NOON + 1_500, "event_name": name, "flags": 1}
    return record(body, collection=None, **(known | fields))


def test_a_message_is_a_line_with_the_ids_of_its_span() -> None:
    found = mapped(message(body={"content": "what is a loan?", "parts": [1, {"a": None}]}))
    assert list(found.lines) == [FOLDER]
    ((line,),) = found.lines.values()
    event = json.loads(line.data)
    data = line.data[line.data.index(b'"data":') + 7 : line.data.index(b',"contentrange"')]
    assert event == {
        "specversion": "1.0",
        "id": line.id,
        "source": "/endpoints/credit/deployments/blue",
        "type": "azureml.inference.app_events",
        "datacontenttype": "application/json",
        "time": "2026-11-22T12:00:00Z",
        "data": [
            {
                "name": "gen_ai.user.message",
                "context": {"trace_id": f"0x{TRACE.hex()}", "span_id": f"0x{SPAN.hex()}"},
                "timestamp": "2026-11-22T12:00:00.000001Z",
                "attributes": {"gen_ai.system": "openai"},
                "body": '{"content":"what is a loan?","parts":[1,{"a":null}]}',
            }
        ],
        "contentrange": f"bytes 0-{len(data) - 1}/{len(data)}",
        "correlationid": TRACE.hex(),
        "xrequestid": TRACE.hex(),
        "modelversion": "default",
        "collectdatatype": "pandas.core.frame.DataFrame",
        "agent": "test-sdk/1.0",
        "timens": str(NOON + 1_500),
        "traceparent": f"00-{TRACE.hex()}-{SPAN.hex()}-01",
    }
    spans = signal.spans(KeptSpans.ALL)
    ((of_span,),) = map_records(
        decode(span_request(span(trace_id=TRACE, span_id=SPAN)), spans), arrival_ns=NOON, destinations=Destinations()
    ).lines.values()
    context = json.loads(of_span.data)["data"][0]["context"]
    assert event["data"][0]["context"].items() <= context.items()


@pytest.mark.parametrize(
    ("body", "text"),
    [(None, None), ("words", "words"), ("", ""), (7, "7"), (["a", {"b": 1}], '["a",{"b":1}]'), (b"\xff", '"/w=="')],
)
def test_a_body_is_text_whatever_its_type(body: object, text: str | None) -> None:
    (line,) = lines_of(mapped(message(body=body)))
    assert line["data"][0]["body"] == text


SCALARS = st.text(max_size=5) | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(VALUES)
def test_every_body_comes_back(body: object) -> None:
    (line,) = lines_of(mapped(message(body=body)))
    text = line["data"][0]["body"]
    read = text if isinstance(body, str) else json.loads(text)
    infinite = json.loads(json.dumps(body), parse_constant=lambda _: None)  # JSON has no infinity
    assert read == infinite


def test_the_messages_of_the_newer_convention_are_attributes_as_json_text() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    one = message("gen_ai.client.inference.operation.details", attributes={"gen_ai.input.messages": messages})
    (line,) = lines_of(mapped(one))
    assert json.loads(line["data"][0]["attributes"]["gen_ai.input.messages"]) == messages


def test_the_event_name_may_be_an_attribute() -> None:
    (line,) = lines_of(mapped(message("", attributes={"event.name": "gen_ai.choice"})))
    assert line["data"][0]["name"] == "gen_ai.choice"


def test_ids_of_the_sender_are_taken() -> None:
    ids = {semconv.CLOUDEVENTS_EVENT_ID: "event-1", semconv.AZUREML_CORRELATION_ID: "order-7"}
    (line,) = lines_of(mapped(message(attributes=ids)))
    assert (line["id"], line["correlationid"], line["xrequestid"]) == ("event-1", "order-7", "order-7")
    too_long = mapped(message(attributes={semconv.CLOUDEVENTS_EVENT_ID: "x" * 129}))
    assert [one.kind for one in too_long.rejected] == ["event id"]


def test_a_message_without_a_span_has_an_id_of_its_own() -> None:
    (line,) = lines_of(mapped(message(trace_id=b"", span_id=b"")))
    assert line["data"][0]["context"] == {"trace_id": None, "span_id": None}
    assert line["correlationid"] == line["id"]
    assert "traceparent" not in line


def test_equal_messages_are_different_lines_in_one_request_and_in_two() -> None:
    lines = [line for _ in range(2) for line in lines_of(mapped(message(), message()))]
    assert len({line["id"] for line in lines}) == 4


@pytest.mark.parametrize(
    "attributes",
    [
        {semconv.AZUREML_COLLECTION_NAME: "prompts"},
        {semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.prompts"},
    ],
)
def test_a_record_that_names_a_collection_is_model_data_of_that_collection(attributes: dict[str, object]) -> None:
    (line,) = lines_of(mapped(message(body=ROWS, attributes=attributes)))
    assert line["type"] == "azureml.inference.prompts"
    assert line["data"] == json.loads(ROWS)


@pytest.mark.parametrize("name", ["", "genai.choice", "session.start", "my.gen_ai.choice"])
def test_other_log_records_are_no_model_data_as_before(name: str) -> None:
    found = mapped(message(name, body="user logged in"))
    assert (found.lines, [one.kind for one in found.rejected]) == ({}, ["not model data"])


def test_a_large_message_is_stored_beside_its_line() -> None:
    (large,) = mapped(message(body="x" * (5 << 20))).large
    assert large.event.folder == FOLDER
    assert len(json.loads(large.content)[0]["body"]) == 5 << 20
