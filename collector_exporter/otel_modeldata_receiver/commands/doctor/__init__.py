"""The command `doctor`: follows a record to the endpoint and the store, and reports each step."""
