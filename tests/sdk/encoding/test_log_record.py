from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, TraceFlags

from otel_modeldata import semconv
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.log_record import Record, RequestEnvelope, fixed_part
from otel_modeldata._encoding.otlp_messages import AnyValue, ExportLogsServiceRequest, KeyValue, LogRecord
from otel_modeldata._version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

SPAN = SpanContext(trace_id=0xABC << 100, span_id=0xDEF, is_remote=False, trace_flags=TraceFlags(1))


def _record(span: SpanContext | None = SPAN) -> Record:
    frame = pd.DataFrame({"a": [1], "b": pd.Series(["é"], dtype=object)})
    return Record(
        collection="model_inputs",
        event_id="event-1",
        fixed=fixed_part("model_inputs", 0.25),
        time_ns=1_700_000_000_123_456_789,
        attributes={semconv.AZUREML_CORRELATION_ID: "test"},
        span_context=span,
        body=Rows(frame, ColumnNameCache("test")),
        sequence=7,
    )


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def test_a_record_has_every_field_of_the_wire_contract() -> None:
    expected = LogRecord(
        time_unix_nano=1_700_000_000_123_456_789,
        observed_time_unix_nano=1_700_000_000_123_456_789,
        body=AnyValue(string_value='[{"a":1,"b":"é"}]'),
        trace_id=(0xABC << 100).to_bytes(16, "big"),
        span_id=(0xDEF).to_bytes(8, "big"),
        flags=1,
        event_name="azureml.inference.model_inputs",
        attributes=[
            _text("azureml.collection.name", "model_inputs"),
            _text("cloudevents.event_type", "azureml.inference.model_inputs"),
            _text("azureml.model.version", "default"),
            _text("azureml.data.type", "pandas.core.frame.DataFrame"),
            _text("azureml.data.content_type", "application/json"),
            _text("azureml.agent", f"otel-modeldata/{VERSION}"),
            KeyValue(key="azureml.sampling.rate", value=AnyValue(double_value=0.25)),
            _text("cloudevents.event_id", "event-1"),
            KeyValue(key="azureml.producer.sequence", value=AnyValue(int_value=7)),
            _text("azureml.correlation.id", "test"),
            _text("azureml.data.types", "i8,O"),
        ],
    )
    assert LogRecord.FromString(_record().encode()) == expected


def test_outside_of_a_span_a_record_has_no_trace() -> None:
    record = LogRecord.FromString(_record(span=None).encode())
    assert (record.trace_id, record.span_id, record.flags) == (b"", b"", 0)


@given(st.lists(st.integers(0, 40_000), max_size=8))
def test_a_request_is_the_concatenation_of_its_records(sizes: Sequence[int]) -> None:
    records = [LogRecord(body=AnyValue(string_value="x" * size)) for size in sizes]
    request = ExportLogsServiceRequest.FromString(
        RequestEnvelope({}, "p").request([(r.SerializeToString(),) for r in records])
    )
    (resource,) = request.resource_logs
    (scope,) = resource.scope_logs
    assert list(scope.log_records) == records
    assert (scope.scope.name, scope.scope.version) == ("otel-modeldata", VERSION)


def test_the_resource_of_a_request_names_the_deployment_and_the_process() -> None:
    attributes = {
        "azureml.endpoint.name": "e",
        "service.name": "s",
        "process.pid": 7,
        "x": 0.5,
        "service.instance.id": "",
        "yes": True,
    }
    envelope = RequestEnvelope(attributes, "producer-1")
    request = ExportLogsServiceRequest.FromString(envelope.request([]))
    assert envelope.deployment == "e/default"
    assert {item.key: item.value for item in request.resource_logs[0].resource.attributes} == {
        "azureml.endpoint.name": AnyValue(string_value="e"),
        "azureml.deployment.name": AnyValue(string_value="default"),
        "service.name": AnyValue(string_value="s"),
        "process.pid": AnyValue(int_value=7),
        "x": AnyValue(double_value=0.5),
        "yes": AnyValue(bool_value=True),
        "service.instance.id": AnyValue(string_value="producer-1"),
    }


def test_a_large_frame_is_encoded_later_with_the_same_text() -> None:
    frame = pd.DataFrame({"a": range(5000)})
    record = _record()
    record.body = Rows(frame, ColumnNameCache("test"))
    body = LogRecord.FromString(record.encode()).body.string_value
    assert json.loads(body) == [{"a": n} for n in range(5000)]
