// A scoring service in JavaScript: model data with nothing but OpenTelemetry's own packages.
//
// Reads a JSON array of events from standard input, emits one log record for each, flushes and exits.
// Where to and how are OpenTelemetry's own settings, OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL.
import { ROOT_CONTEXT, TraceFlags, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { text } from "node:stream/consumers";

const way = process.env.OTEL_EXPORTER_OTLP_PROTOCOL === "http/json" ? "http" : "grpc";
const { OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${way}`);

const provider = new LoggerProvider({
  resource: resourceFromAttributes({ "service.name": "credit-scoring-js" }),
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })],
});
const logger = provider.getLogger("score", "1.0.0");

for (const event of JSON.parse(await text(process.stdin))) {
  logger.emit({
    timestamp: new Date(event.time),
    body: event.rows, // structured: objects, arrays, numbers, null
    attributes: {
      "azureml.collection.name": event.collection,
      "azureml.correlation.id": event.correlationId,
    },
    context: trace.setSpanContext(ROOT_CONTEXT, {
      traceId: event.traceId,
      spanId: event.spanId,
      traceFlags: TraceFlags.SAMPLED,
    }),
  });
}
await provider.shutdown();
