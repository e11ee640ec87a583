"""One command at a time changes what a store has already: a lock that ends with its holder."""
