"""A stack on real nodes: what clients see of it, what is done to it, and the rows that are left."""
