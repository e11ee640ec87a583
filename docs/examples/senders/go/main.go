// Sends model data with OpenTelemetry's SDK for Go.
//
// Each record gets its event id here, before the SDK queues it: a request that the SDK sends again has the same ids,
// and the receiver stores each of them once.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// collect emits one record: `rows` is a JSON array with an object per row.
func collect(ctx context.Context, logger otellog.Logger, collection, correlationID, rows string) string {
	eventID := uuid.NewString()
	var record otellog.Record
	record.SetTimestamp(time.Now())
	record.SetBody(attribute.StringValue(rows))
	record.AddAttributes(
		attribute.String("azureml.collection.name", collection),
		attribute.String("azureml.correlation.id", correlationID),
		attribute.String("cloudevents.event_id", eventID),
	)
	logger.Emit(ctx, record)
	return eventID
}

func main() {
	ctx := context.Background()
	count := 1
	if len(os.Args) > 1 {
		count, _ = strconv.Atoi(os.Args[1])
	}
	// OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and the other variables of OpenTelemetry set the rest.
	exporter, err := otlploggrpc.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	logger := provider.Logger("score", otellog.WithInstrumentationVersion("1.0.0"))
	for range count {
		fmt.Println(collect(ctx, logger, "model_inputs", "order-4711", `[{"age":41,"income":1.5}]`))
	}
	if err := provider.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}
