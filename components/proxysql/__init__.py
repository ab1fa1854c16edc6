"""The ProxySQL tier."""
