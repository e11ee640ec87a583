"""Converts names and times to paths in a store, and back."""
