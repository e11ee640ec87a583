"""The receiver's settings."""
