"""From a request to the rows that are erased."""
