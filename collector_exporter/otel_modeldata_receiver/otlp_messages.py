"""The Protocol Buffers messages of OTLP: the generated classes, or the same messages made here.

The package with the generated classes, `opentelemetry-proto`, comes with the extra `receiver`. The image of a scoring
container may not have it, because it requires a recent release of `protobuf`, or an old release. There `doctor`,
`audit` and `OTEL_MODELDATA_STORE` use the classes that are made here (`message_classes`).

The tables are those of `opentelemetry/proto/**/*.proto` 1.5, `google/rpc/status.proto` and
`google/rpc/error_details.proto`; a test compares them with the generated classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from otel_modeldata.validation.message_classes import ATTRIBUTE_TABLES, STATUS_DETAIL_TABLES, message_classes

__all__ = [
    "AnyValue",
    "ExportLogsPartialSuccess",
    "ExportLogsServiceResponse",
    "ExportTracePartialSuccess",
    "ExportTraceServiceRequest",
    "ExportTraceServiceResponse",
    "InstrumentationScope",
    "KeyValue",
    "LogRecord",
    "Resource",
    "RetryInfo",
    "RpcStatus",
    "Span",
]

_TABLES: Final = {
    **ATTRIBUTE_TABLES,
    "InstrumentationScope": (
        "name=1 string",
        "version=2 string",
        "attributes=3 KeyValue*",
        "dropped_attributes_count=4 uint32",
    ),
    "Resource": ("attributes=1 KeyValue*", "dropped_attributes_count=2 uint32"),
    "LogRecord": (
        "time_unix_nano=1 fixed64",
        "severity_number=2 int32",
        "severity_text=3 string",
        "body=5 AnyValue",
        "attributes=6 KeyValue*",
        "dropped_attributes_count=7 uint32",
        "flags=8 fixed32",
        "trace_id=9 bytes",
        "span_id=10 bytes",
        "observed_time_unix_nano=11 fixed64",
        "event_name=12 string",
    ),
    "ExportLogsPartialSuccess": ("rejected_log_records=1 int64", "error_message=2 string"),
    "ExportLogsServiceResponse": ("partial_success=1 ExportLogsPartialSuccess",),
    "Event": (
        "time_unix_nano=1 fixed64",
        "name=2 string",
        "attributes=3 KeyValue*",
        "dropped_attributes_count=4 uint32",
    ),
    "Link": (
        "trace_id=1 bytes",
        "span_id=2 bytes",
        "trace_state=3 string",
        "attributes=4 KeyValue*",
        "dropped_attributes_count=5 uint32",
        "flags=6 fixed32",
    ),
    "Status": ("message=2 string", "code=3 int32"),
    "Span": (
        "trace_id=1 bytes",
        "span_id=2 bytes",
        "trace_state=3 string",
        "parent_span_id=4 bytes",
        "name=5 string",
        "kind=6 int32",
        "start_time_unix_nano=7 fixed64",
        "end_time_unix_nano=8 fixed64",
        "attributes=9 KeyValue*",
        "dropped_attributes_count=10 uint32",
        "events=11 Event*",
        "dropped_events_count=12 uint32",
        "links=13 Link*",
        "dropped_links_count=14 uint32",
        "status=15 Status",
        "flags=16 fixed32",
    ),
    "ScopeSpans": ("scope=1 InstrumentationScope", "spans=2 Span*", "schema_url=3 string"),
    "ResourceSpans": ("resource=1 Resource", "scope_spans=2 ScopeSpans*", "schema_url=3 string"),
    "ExportTraceServiceRequest": ("resource_spans=1 ResourceSpans*",),
    "ExportTracePartialSuccess": ("rejected_spans=1 int64", "error_message=2 string"),
    "ExportTraceServiceResponse": ("partial_success=1 ExportTracePartialSuccess",),
    **STATUS_DETAIL_TABLES,
    "RpcStatus": ("code=1 int32", "message=2 string", "details=3 Any*"),
}


def made_classes() -> dict[str, Any]:
    """The classes of all messages, by name."""
    return message_classes("otel_modeldata_receiver.wire", _TABLES)


try:
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status as RpcStatus
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsPartialSuccess,
        ExportLogsServiceResponse,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTracePartialSuccess,
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    if "event_name" not in LogRecord.DESCRIPTOR.fields_by_name:
        raise ImportError  # noqa: TRY301 (of a release before OTLP 1.5)
except ImportError:
    if not TYPE_CHECKING:
        _made = made_classes()
        AnyValue = _made["AnyValue"]
        ExportLogsPartialSuccess = _made["ExportLogsPartialSuccess"]
        ExportLogsServiceResponse = _made["ExportLogsServiceResponse"]
        ExportTracePartialSuccess = _made["ExportTracePartialSuccess"]
        ExportTraceServiceRequest = _made["ExportTraceServiceRequest"]
        ExportTraceServiceResponse = _made["ExportTraceServiceResponse"]
        InstrumentationScope = _made["InstrumentationScope"]
        KeyValue = _made["KeyValue"]
        LogRecord = _made["LogRecord"]
        Resource = _made["Resource"]
        RetryInfo = _made["RetryInfo"]
        RpcStatus = _made["RpcStatus"]
        Span = _made["Span"]
