"""Tier 5: what the program asks of a database, against real MariaDB servers on loopback."""
