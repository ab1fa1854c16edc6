"""Backups, and what is made from them."""
