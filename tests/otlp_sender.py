"""A sender of OTLP that keeps at it: what it returned from was acknowledged. Requests are built without any SDK."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otlp_requests import NOON, ROWS, any_value, record, request

if TYPE_CHECKING:
    from collections.abc import Callable

SEND_SECONDS: Final = 60.0
"""How long one request may take; only ever reached by a failing test."""
LOGS: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
TRACES: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPAN: Final = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="POST /score", end_time_unix_nano=1, status=Status())


def model_data(event_id: str, body: str = ROWS) -> LogRecord:
    """A record of the hour 12 of 2026-11-22."""
    return record(body, event_id=event_id, time_ns=NOON)


def ordinary_log(text: str) -> LogRecord:
    """A line of an application's own log."""
    return LogRecord(body=any_value(text), time_unix_nano=NOON)


def send_once(endpoint: str, *records: LogRecord) -> None:
    """Send one request; returning means that it was acknowledged."""
    _call(endpoint, LOGS, request(*records))


def send(endpoint: str, *records: LogRecord) -> None:
    """Send until acknowledged, as every OTLP sender does: a gateway short of memory asks to come back."""
    _until_available(lambda: send_once(endpoint, *records))


def send_request(endpoint: str, encoded: bytes) -> None:
    """Send an encoded logs request until acknowledged."""
    _until_available(lambda: _call(endpoint, LOGS, encoded))


def send_span(endpoint: str, span: Span) -> None:
    """Send one span until acknowledged."""
    export = ExportTraceServiceRequest()
    export.resource_spans.add().scope_spans.add().spans.append(span)
    _until_available(lambda: _call(endpoint, TRACES, export.SerializeToString()))


def _call(endpoint: str, method: str, message: bytes) -> None:
    with grpc.insecure_channel(endpoint, options=[("grpc.max_send_message_length", -1)]) as channel:
        channel.unary_unary(method)(message, timeout=SEND_SECONDS)


def _until_available(call: Callable[[], None]) -> None:
    """Call again while the answer is UNAVAILABLE."""
    deadline = time.monotonic() + SEND_SECONDS
    while True:
        try:
            call()
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
