"""From a store to the bytes of its blobs: listing, names and windows, reading ahead."""
