"""`operator`: where the engine's operator runs, which this program does not install."""

from components.config.model import Model
from components.config.types import Labels, Namespace


class Operator(Model):
    """The Pods of the operator, which a NetworkPolicy of the servers must let through."""

    namespace: Namespace | None = None
    """Where the operator runs. Unset: anywhere; a Pod of any namespace that has its labels passes
    for it."""
    pod_labels: Labels = {}
    """Labels of the operator's Pods. Empty: those that its own chart or manifest gives them."""
