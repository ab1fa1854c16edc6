"""When the kubelet asks servers, in the words of Kubernetes."""

from components.config.database import Probe


def probe(chosen: Probe) -> dict[str, int]:
    """What of a probe a stack sets; both operators merge it with their own."""
    fields = {
        "initialDelaySeconds": chosen.initial_delay_seconds,
        "periodSeconds": chosen.period_seconds,
        "timeoutSeconds": chosen.timeout_seconds,
        "failureThreshold": chosen.failure_threshold,
    }
    return {field: value for field, value in fields.items() if value is not None}
