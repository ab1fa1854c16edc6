"""The embedded default: the real Pulumi engine and a real control plane on this machine."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


class LocalError(Exception):
    """An error that a person can fix; only its message is shown, without a traceback."""
