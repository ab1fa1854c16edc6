"""Tier 6: the rendered ProxySQL configuration in front of real MariaDB servers, on loopback."""
