"""An endpoint of OTLP/gRPC that stores nothing, as the sink of azureml-ai-monitoring in `official.py`.

Requests are kept, and what is in them is checked when all have come: to compare it before would take time from the
answers.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_modeldata import semconv
from otel_modeldata_receiver.mapping.signal import LOGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arrivals import Arrivals
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

_THREADS: Final = 4
"""More than the requests that a process has under way."""


class KeptRequests:
    """Answers every export request of logs with success.

    Args:
        arrivals: what checks the rows of each event.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._requests: list[bytes] = []
        self._texts: dict[bytes, bytes] = {}
        """Rows of the same frame are kept once."""
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.max_receive_message_length", -1)])

    def __enter__(self) -> Self:
        methods = {"Export": grpc.unary_unary_rpc_method_handler(self._export)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(LOGS.service, methods),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def _export(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        self._requests.append(request)
        return b""

    def check(self, sent: int) -> None:
        """Every event that was sent has arrived once, under its number, with its rows."""
        for collection, sequence, rows in sorted(self._events()):
            assert sequence == self._arrivals.counts[collection], (collection, sequence)
            self._arrivals.add(collection, rows)
        assert self._arrivals.counts.total() == sent, (self._arrivals.counts, sent)

    def _events(self) -> Iterator[tuple[str, int, bytes]]:
        while self._requests:
            for resource in ExportLogsServiceRequest.FromString(self._requests.pop()).resource_logs:
                for scope in resource.scope_logs:
                    yield from map(self._event, scope.log_records)

    def _event(self, record: LogRecord) -> tuple[str, int, bytes]:
        """Collection, number and rows of a log record."""
        values = {one.key: one.value for one in record.attributes}
        rows = record.body.string_value.encode()
        return (
            values[semconv.AZUREML_COLLECTION_NAME].string_value,
            values[semconv.AZUREML_PRODUCER_SEQUENCE].int_value,
            self._texts.setdefault(rows, rows),
        )
