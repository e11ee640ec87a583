"""The command `otel-modeldata report`."""
