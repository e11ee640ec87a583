"""The command `doctor`: walks the configured way of a record and reports each step."""
