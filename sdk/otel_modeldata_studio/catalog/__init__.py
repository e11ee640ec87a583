"""What listings, manifests and seals say: nothing here reads a row."""
