"""Lines to durable blobs, each exactly once."""
