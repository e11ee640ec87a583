"""Stores lines in durable blobs, each exactly once."""
