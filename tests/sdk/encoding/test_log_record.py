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
from otel_modeldata._encoding.log_record import PayloadBody, Record, RequestEnvelope, fixed_part
from otel_modeldata._encoding.otlp_messages import AnyValue, ExportLogsServiceRequest, KeyValue, LogRecord
from otel_modeldata._encoding.wire_fields import any_value
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


@given(
    st.integers(0, 2**63 - 1),
    st.dictionaries(
        st.text(min_size=1, max_size=40),
        st.text(max_size=300) | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans(),
        max_size=4,
    ),
    st.none() | st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255)),
    st.integers(0, 2**40),
    st.builds(
        PayloadBody,
        st.binary(max_size=300) | st.sampled_from([bytes(4_096), bytes(4_097), bytes(20_000)]),
        st.booleans(),
    ),
)
def test_a_record_has_the_bytes_that_the_protobuf_library_makes(
    time_ns: int,
    attributes: dict[str, str | float],
    span: tuple[int, int, int] | None,
    sequence: int,
    content: PayloadBody,
) -> None:
    context = None if span is None else SpanContext(span[0], span[1], is_remote=False, trace_flags=TraceFlags(span[2]))
    record = Record("c", b"", time_ns, attributes, context, content, "event-1", sequence)
    expected = LogRecord(
        time_unix_nano=time_ns,
        observed_time_unix_nano=time_ns,
        attributes=[
            _text(semconv.CLOUDEVENTS_EVENT_ID, "event-1"),
            KeyValue(key=semconv.AZUREML_PRODUCER_SEQUENCE, value=AnyValue(int_value=sequence)),
            *[KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()],
        ],
    )
    if span is not None:
        expected.trace_id, expected.span_id = span[0].to_bytes(16, "big"), span[1].to_bytes(8, "big")
        expected.flags = span[2]
    body = LogRecord(body=AnyValue(bytes_value=content.content)).SerializeToString()
    if content.is_text:
        as_bytes, as_text = LogRecord(body=AnyValue(bytes_value=b"")), LogRecord(body=AnyValue(string_value=""))
        body = body.replace(as_bytes.SerializeToString()[-2:-1], as_text.SerializeToString()[-2:-1], 1)
    assert record.encode() == expected.SerializeToString() + body
