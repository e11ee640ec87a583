"""Samples of rows as profiles of their columns, and profiles of a window and a baseline as facets."""
