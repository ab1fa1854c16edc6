"""The Pulumi program: load the stack's config, compose its databases, export the contract."""

import gc
import signal
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components import namespace
from components.config.load import load
from components.guards import fingerprints, immutable, preflight, settings
from components.outputs import exports
from components.stack import DatabaseStack, DatabaseStackArgs

if __name__ == "__main__":
    # Run by Pulumi's language host, which interrupts the program of a deployment that failed: that
    # is no reason for a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
# What a run makes it needs to its end. Python would look through all of it for garbage again and
# again, which takes longer for each app the more there are.
gc.disable()
stack = load()
accepted = preflight.checked(stack, settings.read())
# Every resource waits for its provider, and so for all checks.
provider = k8s.Provider(
    "kubernetes",
    enable_secret_mutable=accepted.immutable.apply(lambda _: True),
    enable_config_map_mutable=True,
    **accepted.provider,
)
opts = pulumi.ResourceOptions(provider=provider)
namespaces = namespace.create(stack, opts)
outputs: dict[str, dict[str, Any]] = {}
for config in (loaded.config for loaded in stack.databases):
    after = [namespaces[config.namespace]] if config.namespace in namespaces else []
    args = DatabaseStackArgs(config=config, given=accepted.given[config.name], after=after)
    outputs[config.name] = DatabaseStack(config.name, args, opts).outputs
for key, value in exports(outputs, several=stack.several).items():
    pulumi.export(key, value)
# After a refused edit the old facts stay.
pulumi.export(immutable.OUTPUT, accepted.immutable)
if accepted.fingerprints:
    pulumi.export(fingerprints.OUTPUT, accepted.fingerprints)
