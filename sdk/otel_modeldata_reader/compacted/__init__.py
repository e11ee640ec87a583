"""Compacted folders: Parquet files with the rows of lines, and the manifests that vouch for them."""
