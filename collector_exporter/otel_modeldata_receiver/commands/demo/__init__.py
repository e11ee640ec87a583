"""The command `demo`: runs and verifies the whole path of a record on this machine."""
