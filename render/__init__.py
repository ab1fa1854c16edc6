"""The recorder, which tests and benches run the program on. Nothing of the program imports it."""
