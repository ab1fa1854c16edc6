"""The smallest program that needs both plugins: one password and one ConfigMap."""

import pulumi_kubernetes as k8s
import pulumi_random as random

random.RandomPassword("one", length=32)
k8s.core.v1.ConfigMap("one", metadata=k8s.meta.v1.ObjectMetaArgs(name="bench"), data={"a": "b"})
