"""`compact`: the lines of closed folders as Parquet, with a manifest that proves that nothing was lost."""
