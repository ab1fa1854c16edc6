"""Side-by-side timings. `python -m bench` writes bench/results.md; nothing asserts a time."""
