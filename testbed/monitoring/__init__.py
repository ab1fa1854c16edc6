"""Real programs that read metrics: Prometheus, its tool, and the exporter of the servers."""
