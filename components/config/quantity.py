"""Kubernetes resource quantities, compared as numbers.

Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

import re
from decimal import Decimal

PATTERN = r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?"
CORES = r"[0-9]{1,6}(\.[0-9]{1,3})?|[0-9]{1,9}m"
"""Of `cpu`, which counts in thousandths (k8s.io/kubernetes pkg/apis/core/validation)."""
BYTES = r"[0-9]{1,19}(\.[0-9]{1,9})?(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)"
"""Of memory and volumes. Not thousandths of bytes, and not bytes without a unit, which are rarely
meant."""
MAX_BYTES = 2**63 - 1
"""What Kubernetes counts with (apimachinery pkg/api/resource, int64Amount)."""
_SCALE = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** (n + 1) for n, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Decimal(1024) ** (n + 1) for n, unit in enumerate("KMGTPE")},
}


def parse(text: str) -> Decimal:
    """The value of a quantity such as `500m`, `2` or `10Gi`, in its base unit (cores or bytes).

    Raises ValueError when `text` is not a quantity.
    """
    match = re.fullmatch(PATTERN, text)
    if match is None:
        raise ValueError(f"not a Kubernetes quantity: {text}")
    return Decimal(match[1]) * _SCALE[match[2] or ""]


def twice(text: str) -> str:
    """Twice a number of bytes with a unit, in that unit.

    Raises ValueError when `text` is none.
    """
    match = re.fullmatch(BYTES, text)
    if match is None:
        raise ValueError(f"not a number of bytes: {text}")
    unit = match[2]
    return f"{(Decimal(text.removesuffix(unit)) * 2).normalize():f}{unit}"
