"""Names and times to paths in a store."""
