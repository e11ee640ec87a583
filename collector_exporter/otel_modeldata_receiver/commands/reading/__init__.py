"""The commands that read rows, and their output."""
