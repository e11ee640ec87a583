"""One module per protocol: bytes from the network to requests, results and errors to answers."""
