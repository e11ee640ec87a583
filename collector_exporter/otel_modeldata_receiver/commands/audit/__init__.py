"""The command `audit`: compares a store with what its producers sent."""
