"""Encodes DataFrames and contexts as OTLP log records."""
