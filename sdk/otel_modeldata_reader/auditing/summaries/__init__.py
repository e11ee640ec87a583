"""Lines of a store, part by part, as the counts, faults and references that an audit needs."""
