"""The rows of collections in DuckDB: Parquet files as they are, lines as Parquet files of the cache."""
