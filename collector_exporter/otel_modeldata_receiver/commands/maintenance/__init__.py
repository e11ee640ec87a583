"""Commands that change what a store has already, or write about it: one at a time in a store."""
