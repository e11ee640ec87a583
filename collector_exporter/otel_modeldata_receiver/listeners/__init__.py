"""One module per protocol: turns bytes from the network into requests, and results or errors into answers."""
