"""What a screen shows: a function of the store and typed parameters for each."""
