"""Encoded requests to CloudEvents lines, without input or output."""
