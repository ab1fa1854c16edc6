"""Proxies with the rendered configuration, their servers, an imitated operator, and clients."""
