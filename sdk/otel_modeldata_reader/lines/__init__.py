"""From the bytes of blobs to events: each once, inside the window, with its payload."""
