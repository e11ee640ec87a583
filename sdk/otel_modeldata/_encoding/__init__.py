"""DataFrames and contexts to encoded OTLP log records."""
