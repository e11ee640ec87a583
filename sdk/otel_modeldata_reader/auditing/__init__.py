"""Audits a store: compares what it has with what its producers sent."""
