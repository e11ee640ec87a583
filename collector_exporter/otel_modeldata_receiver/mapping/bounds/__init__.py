"""Bounds on what one deployment may have in a request, and on its records, their times and their numbers."""
