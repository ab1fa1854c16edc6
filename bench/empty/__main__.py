"""The baseline: a Pulumi program with this project's SDKs and nothing else."""

import pulumi
import pulumi_kubernetes
import pulumi_random

_ = (pulumi, pulumi_kubernetes, pulumi_random)
