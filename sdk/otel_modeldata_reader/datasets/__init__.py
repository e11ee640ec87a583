"""Rows as datasets of MLflow, which a run logs with the store and the window that they come from."""
