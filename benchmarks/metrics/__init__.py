"""One metric a file: the protocol is the name of the number."""
