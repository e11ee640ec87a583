from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, TraceFlags

from otel_modeldata import semconv
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.log_record import Record, RequestEnvelope, fixed_part
from otel_modeldata._encoding.otlp_messages import AnyValue, ExportLogsServiceRequest, KeyValue, LogRecord
from otel_modeldata._version import VERSION
from otel_modeldata.config import CollectorConfig
from otel_modeldata.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

SPAN = SpanContext(trace_id=0xABC << 100, span_id=0xDEF, is_remote=False, trace_flags=TraceFlags(1))


def _record(span: SpanContext | None = SPAN) -> Record:
    frame = pd.DataFrame({"a": [1], "b": ["é"]})
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
        RequestEnvelope(CollectorConfig(), "p").request([(r.SerializeToString(),) for r in records])
    )
    (resource,) = request.resource_logs
    (scope,) = resource.scope_logs
    assert list(scope.log_records) == records
    assert (scope.scope.name, scope.scope.version) == ("otel-modeldata", VERSION)


def _resource(config: CollectorConfig) -> dict[str, str]:
    request = ExportLogsServiceRequest.FromString(RequestEnvelope(config, "producer-1").request([]))
    return {item.key: item.value.string_value for item in request.resource_logs[0].resource.attributes}


def test_without_any_name_the_endpoint_is_local_and_the_deployment_default() -> None:
    resource = _resource(CollectorConfig())
    assert resource[semconv.AZUREML_ENDPOINT_NAME] == "local"
    assert resource[semconv.AZUREML_DEPLOYMENT_NAME] == "default"
    assert resource[semconv.SERVICE_INSTANCE_ID] == "producer-1"
    assert semconv.AZUREML_ROLLING_RATE not in resource


def test_the_service_name_is_the_endpoint_of_a_host_that_is_not_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "scorer")
    assert _resource(CollectorConfig())[semconv.AZUREML_ENDPOINT_NAME] == "scorer"


def test_precedence_of_names_is_yaml_then_resource_attributes_then_service_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "scorer")
    monkeypatch.setenv(
        "OTEL_RESOURCE_ATTRIBUTES",
        "azureml.endpoint.name=e,azureml.deployment.name=d,cloud.resource_id=/subscriptions/1",
    )
    resource = _resource(CollectorConfig())
    assert (resource[semconv.AZUREML_ENDPOINT_NAME], resource[semconv.AZUREML_DEPLOYMENT_NAME]) == ("e", "d")
    assert resource[semconv.CLOUD_RESOURCE_ID] == "/subscriptions/1"
    resource = _resource(CollectorConfig(endpoint="my_endpoint", deployment="blue", rolling_rate="Day"))
    assert (resource[semconv.AZUREML_ENDPOINT_NAME], resource[semconv.AZUREML_DEPLOYMENT_NAME]) == (
        "my_endpoint",
        "blue",
    )
    assert resource[semconv.AZUREML_ROLLING_RATE] == "Day"


def test_a_service_name_that_cannot_be_a_folder_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "../other")
    with pytest.raises(
        ConfigError, match=r"azureml\.endpoint\.name: expected 1 to 128 characters .*, got '\.\./other'"
    ):
        RequestEnvelope(CollectorConfig(), "p")


def test_a_large_frame_is_encoded_later_with_the_same_text() -> None:
    frame = pd.DataFrame({"a": range(5000)})
    record = _record()
    record.body = Rows(frame, ColumnNameCache("test"))
    body = LogRecord.FromString(record.encode()).body.string_value
    assert json.loads(body) == [{"a": n} for n in range(5000)]
