"""Sends model data with OpenTelemetry's SDK for Python, without otel-modeldata.

Each record gets its event id here, before the SDK queues it: a request that the SDK sends again has the same ids, and
the receiver stores each of them once.
"""

import sys
import time
import uuid

from opentelemetry._logs import Logger, LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor


def collect(logger: Logger, collection: str, correlation_id: str, rows: str) -> str:
    """Emit one record and return its event id; `rows` is a JSON array with an object per row."""
    event_id = str(uuid.uuid4())
    logger.emit(
        LogRecord(
            timestamp=time.time_ns(),
            body=rows,
            attributes={
                "azureml.collection.name": collection,
                "azureml.correlation.id": correlation_id,
                "cloudevents.event_id": event_id,
            },
        )
    )
    return event_id


def main() -> None:
    """Send as many equal events as the argument says, and print their ids."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    # OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and the other variables of OpenTelemetry set the rest.
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logger = provider.get_logger("score", "1.0.0")
    for _ in range(count):
        print(collect(logger, "model_inputs", "order-4711", '[{"age":41,"income":1.5}]'))
    provider.shutdown()


if __name__ == "__main__":
    main()
