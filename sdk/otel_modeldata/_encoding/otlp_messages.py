"""The Protocol Buffers messages that the SDK reads and writes: OTLP's logs, and the details of a gRPC status.

They are made here, with whatever release of `protobuf` is installed. The packages that hold the generated classes,
`opentelemetry-proto` and `googleapis-common-protos`, require recent releases of `protobuf`: installing them would
replace the one that a working image has. The descriptor pool is an own one, so these classes and the generated ones
can be loaded by one process.

The tables are those of `opentelemetry/proto/**/*.proto` 1.5, `google/rpc/status.proto` and
`google/rpc/error_details.proto`; a test compares them with the generated classes. A field that is not in them is kept
as an unknown field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

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

_MESSAGES = {
    "AnyValue": (
        "string_value=1 string",
        "bool_value=2 bool",
        "int_value=3 int64",
        "double_value=4 double",
        "array_value=5 ArrayValue",
        "kvlist_value=6 KeyValueList",
        "bytes_value=7 bytes",
    ),
    "ArrayValue": ("values=1 AnyValue*",),
    "KeyValueList": ("values=1 KeyValue*",),
    "KeyValue": ("key=1 string", "value=2 AnyValue"),
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
    # google.rpc: the details of a status are messages of google.protobuf.Any.
    "Any": ("type_url=1 string", "value=2 bytes"),
    "Duration": ("seconds=1 int64", "nanos=2 int32"),
    "Status": ("code=1 int32", "message=2 string", "details=3 Any*"),
    "RetryInfo": ("retry_delay=1 Duration",),
}
"""Fields of each message: name, number, type, `*` for repeated ones. An enumeration is an int32 on the wire."""

_ONE_OF = {"AnyValue": "value"}
"""Messages of which one field is set: the name of that group."""

_PACKAGE = "otel_modeldata.wire"


def _field(message: descriptor_pb2.DescriptorProto, text: str) -> None:
    name, _, rest = text.partition("=")
    number, _, kind = rest.partition(" ")
    is_repeated, kind = kind.endswith("*"), kind.rstrip("*")
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if is_repeated else field.LABEL_OPTIONAL
    if kind in _MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    if message.name in _ONE_OF:
        field.oneof_index = 0


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name in _ONE_OF:
            message.oneof_decl.add(name=_ONE_OF[name])
        for text in fields:
            _field(message, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    try:
        class_of: Any = message_factory.GetMessageClass
    except AttributeError:  # protobuf before 4.22
        factory: Any = message_factory.MessageFactory(pool)
        class_of = factory.GetPrototype
    return {name: class_of(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


if not TYPE_CHECKING:
    _made = _classes()
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
