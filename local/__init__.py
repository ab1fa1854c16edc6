"""The embedded default: the real Pulumi engine and a real control plane on this machine."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


class LocalError(Exception):
    """Something a person can fix; shown as its message alone, without a traceback."""
