"""What tests and benches run the program's output on: real servers, proxies and nodes, and clients.

Its packages are those of tiers 5 to 7. It imports neither tests nor benches, and the program never
imports it.
"""
