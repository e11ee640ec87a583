"""The receiver: OTLP log records in, CloudEvents lines in rolled JSONL blobs out."""
