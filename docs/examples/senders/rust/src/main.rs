//! Sends model data with OpenTelemetry's SDK for Rust.
//!
//! Each record gets its event id here, before the SDK queues it: a request that the SDK sends again has the same ids,
//! and the receiver stores each of them once.

use std::time::SystemTime;

use opentelemetry::logs::{LogRecord, Logger, LoggerProvider};
use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use uuid::Uuid;

/// Emits one record: `rows` is a JSON array with an object per row. Returns its event id.
fn collect(logger: &impl Logger, collection: &str, correlation_id: &str, rows: &str) -> String {
    let event_id = Uuid::new_v4().to_string();
    let mut record = logger.create_log_record();
    record.set_timestamp(SystemTime::now());
    record.set_body(rows.to_owned().into());
    record.add_attribute("azureml.collection.name", collection.to_owned());
    record.add_attribute("azureml.correlation.id", correlation_id.to_owned());
    record.add_attribute("cloudevents.event_id", event_id.clone());
    logger.emit(record);
    event_id
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let count = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    // OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and the other variables of OpenTelemetry set the rest.
    let exporter = LogExporter::builder().with_tonic().build()?;
    let provider = SdkLoggerProvider::builder().with_batch_exporter(exporter).build();
    let scope = InstrumentationScope::builder("score").with_version("1.0.0").build();
    let logger = provider.logger_with_scope(scope);
    for _ in 0..count {
        println!("{}", collect(&logger, "model_inputs", "order-4711", r#"[{"age":41,"income":1.5}]"#));
    }
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}
