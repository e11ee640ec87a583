"""Reads a collection in other engines: Spark, Dask, Daft, Polars and DuckDB.

Under all of them is one function: some ranges of blobs to Arrow record batches with a known schema
(`Partition.batches`). Planning reads the collection once, and finds the schema, the lines that repeat an event, and the
partitions. A partition can be sent to another process: it has the URL of the store, and no credentials.

An engine is what the user has installed; nothing here is imported before it is used.
"""
