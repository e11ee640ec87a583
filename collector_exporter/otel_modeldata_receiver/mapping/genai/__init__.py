"""OpenTelemetry's GenAI conventions: the content of spans, and log records that carry messages."""
