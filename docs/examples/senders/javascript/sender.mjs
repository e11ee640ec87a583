// Sends model data with OpenTelemetry's SDK for JavaScript.
//
// Each record gets its event id here, before the SDK queues it: a request that the SDK sends again has the same ids,
// and the receiver stores each of them once.
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-grpc";
import { detectResources, envDetector } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { randomUUID } from "node:crypto";

// Emits one record: `rows` is an array with an object per row. Returns its event id.
function collect(logger, collection, correlationId, rows) {
  const eventId = randomUUID();
  logger.emit({
    timestamp: new Date(),
    body: rows,
    attributes: {
      "azureml.collection.name": collection,
      "azureml.correlation.id": correlationId,
      "cloudevents.event_id": eventId,
    },
  });
  return eventId;
}

const count = Number(process.argv[2] ?? 1);
// OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and the other variables of OpenTelemetry set the rest.
const provider = new LoggerProvider({
  resource: detectResources({ detectors: [envDetector] }),
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })],
});
const logger = provider.getLogger("score", "1.0.0");
for (let number = 0; number < count; number++) {
  console.log(collect(logger, "model_inputs", "order-4711", [{ age: 41, income: 1.5 }]));
}
await provider.shutdown();
