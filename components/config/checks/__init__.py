"""Rules between config keys."""
