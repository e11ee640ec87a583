"""The command `why`: says why a store has no data, and what to do."""
