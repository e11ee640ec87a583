"""Validation: from unchecked mappings to typed values, or to all problems with their paths."""
