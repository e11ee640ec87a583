"""Sends 600 records of 100 KB (or as many as the argument) in one burst to a gRPC server with default settings.

First with our SDK, then with OTel's own log pipeline.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from concurrent import futures

import grpc
import pandas as pd
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

import otel_modeldata

RECORDS, SIZE = int(sys.argv[1]) if len(sys.argv) > 1 else 600, 100_000


class _Counting(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self) -> None:
        self.bodies: Counter[str] = Counter()

    def Export(  # noqa: N802 - the name of the RPC
        self, request: logs_service_pb2.ExportLogsServiceRequest, _: grpc.ServicerContext
    ) -> logs_service_pb2.ExportLogsServiceResponse:
        scopes = [scope for logs in request.resource_logs for scope in logs.scope_logs]
        self.bodies.update(record.body.string_value for scope in scopes for record in scope.log_records)
        return logs_service_pb2.ExportLogsServiceResponse()


def main() -> None:
    """Print how many records of each side arrived."""
    logging.disable(logging.CRITICAL)
    server = grpc.server(futures.ThreadPoolExecutor(4))
    counting = _Counting()
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(counting, server)
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    arrived = {}

    collector = otel_modeldata.Collector(name="model_inputs")
    for _ in range(RECORDS):
        collector.collect(pd.DataFrame({"s": ["x" * SIZE]}))
    otel_modeldata.flush(60)
    rows = json.dumps([{"s": "x" * SIZE}], separators=(",", ":"))
    arrived["ours"] = counting.bodies.pop(rows, 0)
    assert not counting.bodies, "expected the rows that were collected, got others"

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logger = provider.get_logger("stock")
    for _ in range(RECORDS):
        logger.emit(LogRecord(body="x" * SIZE))
    provider.shutdown()
    arrived["stock"] = counting.bodies.pop("x" * SIZE, 0)
    assert not counting.bodies, "expected the texts that were emitted, got others"
    server.stop(None)
    print(json.dumps(arrived))


if __name__ == "__main__":
    main()
