"""The Protocol Buffers messages that the SDK reads and writes: OTLP's logs, and the details of a gRPC status.

They are made here (`validation/message_classes.py`): the packages that hold the generated classes,
`opentelemetry-proto` and `googleapis-common-protos`, require recent releases of `protobuf`.

The tables are those of `opentelemetry/proto/**/*.proto` 1.5, `google/rpc/status.proto` and
`google/rpc/error_details.proto`; a test compares them with the generated classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..validation.message_classes import ATTRIBUTE_TABLES, STATUS_DETAIL_TABLES, message_classes

if TYPE_CHECKING:
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
    )
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

__all__ = [
    "AnyValue",
    "ExportLogsServiceRequest",
    "ExportLogsServiceResponse",
    "InstrumentationScope",
    "KeyValue",
    "LogRecord",
    "Resource",
    "ResourceLogs",
    "RetryInfo",
    "ScopeLogs",
    "Status",
]

_TABLES = {
    **ATTRIBUTE_TABLES,
    "InstrumentationScope": ("name=1 string", "version=2 string", "attributes=3 KeyValue*"),
    "Resource": ("attributes=1 KeyValue*",),
    "LogRecord": (
        "time_unix_nano=1 fixed64",
        "observed_time_unix_nano=11 fixed64",
        "severity_number=2 int32",
        "severity_text=3 string",
        "body=5 AnyValue",
        "attributes=6 KeyValue*",
        "flags=8 fixed32",
        "trace_id=9 bytes",
        "span_id=10 bytes",
        "event_name=12 string",
    ),
    "ScopeLogs": ("scope=1 InstrumentationScope", "log_records=2 LogRecord*"),
    "ResourceLogs": ("resource=1 Resource", "scope_logs=2 ScopeLogs*"),
    "ExportLogsServiceRequest": ("resource_logs=1 ResourceLogs*",),
    "ExportLogsPartialSuccess": ("rejected_log_records=1 int64", "error_message=2 string"),
    "ExportLogsServiceResponse": ("partial_success=1 ExportLogsPartialSuccess",),
    **STATUS_DETAIL_TABLES,
    "Status": ("code=1 int32", "message=2 string", "details=3 Any*"),
}

if not TYPE_CHECKING:
    _made = message_classes("otel_modeldata.wire", _TABLES)
    AnyValue = _made["AnyValue"]
    ExportLogsServiceRequest = _made["ExportLogsServiceRequest"]
    ExportLogsServiceResponse = _made["ExportLogsServiceResponse"]
    InstrumentationScope = _made["InstrumentationScope"]
    KeyValue = _made["KeyValue"]
    LogRecord = _made["LogRecord"]
    Resource = _made["Resource"]
    ResourceLogs = _made["ResourceLogs"]
    RetryInfo = _made["RetryInfo"]
    ScopeLogs = _made["ScopeLogs"]
    Status = _made["Status"]
