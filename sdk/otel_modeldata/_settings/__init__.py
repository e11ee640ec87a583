"""The SDK's environment variables: their table, and the frozen values that are read from them."""
