"""From events to Arrow tables: the envelope's columns, and rows with exact or inferred types."""
