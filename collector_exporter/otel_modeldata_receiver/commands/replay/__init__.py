"""The command `replay`: recorded requests to another endpoint, and its answers compared."""
