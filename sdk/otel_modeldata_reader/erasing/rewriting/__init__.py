"""Takes rows out of what has them: lines, payloads, records in quarantine, Parquet files."""
