"""The index of a store: small files that say in which lines an id is, so that a lookup does not read the blobs."""
