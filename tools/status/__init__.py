"""One screen of the state of a deployed database: what `make status STACK=…` prints."""
