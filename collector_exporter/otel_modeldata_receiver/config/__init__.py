"""What the operator sets."""
