"""Admission, mapping, commit, answer: the same for every protocol."""
