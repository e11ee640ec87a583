"""An OTLP backend that records what arrives: the far end of the gateway wherever a test looks at requests, not blobs.

It stands for the tracing and logging backends of a real installation, and for a receiver that refuses: `refuse`
scripts the status of the next calls, so that a test decides when an outage begins and ends.
"""

from __future__ import annotations

import threading
from concurrent import futures
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

DEADLINE_SECONDS = 60.0
"""How long a wait may last before the test fails; only ever reached by a failing test."""
MAX_MESSAGE_BYTES = 72 * 1024 * 1024
"""What the receiver takes as one request by default."""


class RecordingBackend:
    """A gRPC server on a free loopback port that keeps every request it answered with OK, in order.

    Use it as a context manager. `stop` and `start` are an outage: the port stays the same.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._logs: list[logs_service_pb2.ExportLogsServiceRequest] = []
        self._traces: list[trace_service_pb2.ExportTraceServiceRequest] = []
        self._refused = 0
        self._refusal: Callable[[grpc.ServicerContext], None] | None = None
        self._server: grpc.Server | None = None
        self._port = 0

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen: on a free port at first, on the same one afterwards."""
        server = grpc.server(
            futures.ThreadPoolExecutor(4),
            options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)],
        )
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Logs(self), server)  # type: ignore[no-untyped-call]
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(self), server)  # type: ignore[no-untyped-call]
        self._port = server.add_insecure_port(f"127.0.0.1:{self._port}")
        server.start()
        self._server = server

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.stop(grace=None).wait()
            self._server = None

    def refuse(self, refusal: Callable[[grpc.ServicerContext], None] | None) -> None:
        """Answer every further call with `refusal` (see `unavailable_with_retry_info`), None ends that."""
        with self._changed:
            self._refusal = refusal

    def answer(self, kept: list[Any], request: Any, context: grpc.ServicerContext) -> None:
        """Keep a request, or refuse it: what both services do."""
        with self._changed:
            refusal = self._refusal
            if refusal is None:
                kept.append(request)
            else:
                self._refused += 1
            self._changed.notify_all()
        if refusal is not None:
            refusal(context)

    def log_requests(self) -> list[logs_service_pb2.ExportLogsServiceRequest]:
        with self._changed:
            return list(self._logs)

    def records(self) -> list[LogRecord]:
        """Every log record that was answered with OK, in order of arrival."""
        return [
            record
            for request in self.log_requests()
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def spans(self) -> list[Span]:
        with self._changed:
            requests = list(self._traces)
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_until(self, condition: Callable[[Self], bool], timeout: float = DEADLINE_SECONDS) -> None:
        """Return when `condition(self)` holds; it is looked at after every call that arrived."""
        with self._changed:
            held = self._changed.wait_for(lambda: condition(self), timeout)
        assert held, f"not true within {timeout} s: {len(self.records())} records, {self.refused} calls refused"

    @property
    def refused(self) -> int:
        """How many calls were refused so far."""
        return self._refused


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, backend: RecordingBackend) -> None:
        self._backend = backend

    def Export(  # noqa: N802 (the name of the RPC)
        self, request: logs_service_pb2.ExportLogsServiceRequest, context: grpc.ServicerContext
    ) -> logs_service_pb2.ExportLogsServiceResponse:
        self._backend.answer(self._backend._logs, request, context)
        return logs_service_pb2.ExportLogsServiceResponse()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, backend: RecordingBackend) -> None:
        self._backend = backend

    def Export(  # noqa: N802 (the name of the RPC)
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        self._backend.answer(self._backend._traces, request, context)
        return trace_service_pb2.ExportTraceServiceResponse()


def unavailable_with_retry_info(context: grpc.ServicerContext) -> None:
    """Refuse as the receiver does in an outage: UNAVAILABLE and, in OTLP's form, when to come back."""
    _refuse(context, code_pb2.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)


def exhausted_with_retry_info(context: grpc.ServicerContext) -> None:
    """Refuse as the receiver does under overload; without RetryInfo this code would drop the batch."""
    _refuse(context, code_pb2.RESOURCE_EXHAUSTED, grpc.StatusCode.RESOURCE_EXHAUSTED)


def _refuse(context: grpc.ServicerContext, number: int, code: grpc.StatusCode) -> None:
    status = status_pb2.Status(code=number, message="come back later")
    delay = Duration(nanos=200_000_000)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, status.message)
