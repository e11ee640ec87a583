"""The messages of the SDK are those of the generated classes: same numbers, same types, same bytes."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from otel_modeldata._encoding import otlp_messages

GENERATED: dict[str, Any] = {"RetryInfo": RetryInfo, "Status": Status, "Any": AnyMessage, "Duration": Duration}
for module in (common_pb2, logs_pb2, logs_service_pb2, resource_pb2):
    GENERATED |= {name: value for name, value in vars(module).items() if hasattr(value, "DESCRIPTOR")}
ENUM_IS_INT32 = {14: 5}
"""Both are varints (FieldDescriptorProto.Type)."""
NEWER = {("LogRecord", "event_name")}
"""The oldest release that is tested lacks it."""


def shape(message: Any) -> dict[str, tuple[object, ...]]:
    """Name to number, type, repetition, message type and group of each field."""
    return {
        field.name: (
            field.number,
            ENUM_IS_INT32.get(field.type, field.type),
            field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED,
            None if field.message_type is None else field.message_type.name,
            None if field.containing_oneof is None else field.containing_oneof.name,
        )
        for field in message.DESCRIPTOR.fields
    }


@pytest.mark.parametrize("name", sorted(otlp_messages._made))
def test_each_field_is_that_of_the_generated_class(name: str) -> None:
    ours, theirs = shape(otlp_messages._made[name]), shape(GENERATED[name])
    known = {field: value for field, value in ours.items() if field in theirs or (name, field) not in NEWER}
    assert known == {field: theirs[field] for field in known}


def test_a_record_has_the_bytes_of_the_generated_class() -> None:
    def record(messages: Any, logs: Any) -> bytes:
        value = messages.AnyValue(
            kvlist_value={
                "values": [
                    messages.KeyValue(key="text", value=messages.AnyValue(string_value="Zoë")),
                    messages.KeyValue(key="number", value=messages.AnyValue(int_value=-(2**63))),
                    messages.KeyValue(key="float", value=messages.AnyValue(double_value=0.1)),
                    messages.KeyValue(
                        key="list", value=messages.AnyValue(array_value={"values": [messages.AnyValue()]})
                    ),
                    messages.KeyValue(key="bytes", value=messages.AnyValue(bytes_value=b"\xff")),
                    messages.KeyValue(key="flag", value=messages.AnyValue(bool_value=False)),
                ]
            }
        )
        made = logs.LogRecord(
            time_unix_nano=2**63,
            observed_time_unix_nano=1,
            severity_number=9,
            severity_text="INFO",
            body=value,
            attributes=[messages.KeyValue(key="a", value=value)],
            flags=1,
            trace_id=bytes(range(16)),
            span_id=bytes(range(8)),
        )
        encoded: bytes = made.SerializeToString()
        return encoded

    assert record(otlp_messages, otlp_messages) == record(common_pb2, logs_pb2)


def test_fields_that_a_later_protocol_adds_are_kept() -> None:
    resource = resource_pb2.Resource(dropped_attributes_count=7)
    logs = logs_pb2.ResourceLogs(resource=resource, schema_url="https://example.com")
    request = logs_service_pb2.ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
    assert otlp_messages.ExportLogsServiceRequest.FromString(request).SerializeToString() == request
