"""The command `demo`: the whole way of a record on this machine, verified."""
