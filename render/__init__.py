"""What a stack declares, without an engine or a cluster: `python -m render`.

The recorder, which runs the program for it, is what tests and benches run it on too. Nothing of the
program imports this package.
"""
