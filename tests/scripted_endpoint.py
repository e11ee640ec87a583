"""An endpoint that answers as a script says, and records that are nothing but a name and a size."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_modeldata import semconv
from otel_modeldata._export import Answer, Delivered

if TYPE_CHECKING:
    from collections.abc import Callable

FAST = {"first_retry_seconds": 0.001, "max_retry_seconds": 0.01, "linger_seconds": 0.001}


class _Body:
    """Stands for the rows of a frame, of which the queue reads only the size."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


class FakeRecord:
    """A record of a chosen size that encodes to its name, or fails to."""

    def __init__(self, name: str, size: int = 10, *, encodable: bool = True, collection: str = "model_inputs") -> None:
        self.collection = collection
        self.event_id = name
        self.sequence = 0
        self.body = _Body(size)
        self._encodable = encodable
        self._size = size

    def encode(self) -> bytes:
        if not self._encodable:
            raise ValueError("cannot be encoded")
        filler = "x" * max(0, self._size - len(self.event_id) - 10)
        # Not `event_name`: the older line of OpenTelemetry has none.
        message = LogRecord(severity_text=self.event_id, body=AnyValue(string_value=filler))
        for key, value in (
            (semconv.AZUREML_COLLECTION_NAME, self.collection),
            (semconv.CLOUDEVENTS_EVENT_ID, self.event_id),
        ):
            message.attributes.add(key=key, value=AnyValue(string_value=value))
        return message.SerializeToString()

    def parts(self) -> tuple[bytes, ...]:
        return (self.encode(),)


class Endpoint:
    """Answers each request as `script` says, and keeps what it answered with OK."""

    def __init__(self, script: Callable[[list[str]], Answer] = lambda _: Delivered()) -> None:
        self.script = script
        self.requests: list[list[str]] = []
        self.messages: list[ExportLogsServiceRequest] = []
        self.stored: list[str] = []
        self.tried = threading.Event()
        self.closed = threading.Event()

    def send(self, request: bytes) -> Answer:
        message = ExportLogsServiceRequest.FromString(request)
        names = [r.severity_text for logs in message.resource_logs for s in logs.scope_logs for r in s.log_records]
        self.requests.append(names)
        answer = self.script(names)
        if isinstance(answer, Delivered):
            self.stored += names
            self.messages.append(message)
        self.tried.set()
        return answer

    def close(self) -> None:
        self.closed.set()
