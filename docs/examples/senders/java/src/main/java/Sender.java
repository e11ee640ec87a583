import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.time.Instant;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * Sends model data with OpenTelemetry's SDK for Java.
 *
 * <p>Each record gets its event id here, before the SDK queues it: a request that the SDK sends again has the same ids,
 * and the receiver stores each of them once.
 */
public final class Sender {
  private static final AttributeKey<String> COLLECTION = AttributeKey.stringKey("azureml.collection.name");
  private static final AttributeKey<String> CORRELATION_ID = AttributeKey.stringKey("azureml.correlation.id");
  private static final AttributeKey<String> EVENT_ID = AttributeKey.stringKey("cloudevents.event_id");

  /** Emits one record: {@code rows} is a JSON array with an object per row. Returns its event id. */
  static String collect(Logger logger, String collection, String correlationId, String rows) {
    String eventId = UUID.randomUUID().toString();
    logger
        .logRecordBuilder()
        .setTimestamp(Instant.now())
        .setBody(rows)
        .setAttribute(COLLECTION, collection)
        .setAttribute(CORRELATION_ID, correlationId)
        .setAttribute(EVENT_ID, eventId)
        .emit();
    return eventId;
  }

  public static void main(String[] arguments) {
    int count = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 1;
    // OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and the other variables of OpenTelemetry set the rest.
    OpenTelemetrySdk sdk =
        AutoConfiguredOpenTelemetrySdk.builder().disableShutdownHook().build().getOpenTelemetrySdk();
    Logger logger = sdk.getLogsBridge().loggerBuilder("score").setInstrumentationVersion("1.0.0").build();
    for (int number = 0; number < count; number++) {
      System.out.println(collect(logger, "model_inputs", "order-4711", "[{\"age\":41,\"income\":1.5}]"));
    }
    sdk.shutdown().join(60, TimeUnit.SECONDS);
  }

  private Sender() {}
}
