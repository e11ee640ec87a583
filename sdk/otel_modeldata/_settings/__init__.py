"""The SDK's environment variables: their table, and the frozen settings read from them."""
