"""What ProxySQL keeps for itself: its ports and its accounts."""

ADMIN_PORT = 6032
METRICS_PORT = 6070
PGSQL_ADMIN_PORT, PGSQL_PORT = 6132, 6133
"""Open on loopback alone."""
OWN_PORTS = {
    ADMIN_PORT: "admin",
    METRICS_PORT: "metrics",
    PGSQL_ADMIN_PORT: "PostgreSQL",
    PGSQL_PORT: "PostgreSQL",
}
"""Where it cannot listen for clients of MySQL, and what each is for."""

ADMIN, STATS, MONITOR = "admin", "stats", "monitor"
"""Accounts that ProxySQL confines to loopback (lib/MySQL_Session.cpp); this program's monitor has
another name."""
CLUSTER = "cluster"
"""The account by which peers read each other; so it is none of those."""
STATS_READER = "stats_reader"
"""The account that reads statistics from other Pods, where `proxy.stats_readers` says who."""
OWN_ACCOUNTS = (ADMIN, STATS, MONITOR, CLUSTER)
