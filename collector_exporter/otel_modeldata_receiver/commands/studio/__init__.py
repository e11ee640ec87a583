"""The command `studio`: a web page for the data of a store."""
