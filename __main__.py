"""The Pulumi program: load the stack's config, compose its databases, export the contract."""

import pulumi
import pulumi_kubernetes as k8s

from components import identity
from components.config import load
from components.stack import DatabaseStack, exports

stack = load()
facts = identity.guarded(stack)
cluster = pulumi.Config("kubernetes")
provider = k8s.Provider(
    "kubernetes",
    context=cluster.get("context"),
    kubeconfig=cluster.get("kubeconfig"),
    # Every resource waits for its provider, hence for the identity check.
    enable_secret_mutable=facts.apply(lambda _: True),
    enable_config_map_mutable=True,
)
databases = {
    loaded.config.name: DatabaseStack(
        loaded.config.name, loaded, pulumi.ResourceOptions(providers=[provider])
    )
    for loaded in stack.databases
}
outputs = exports(
    {name: database.outputs for name, database in databases.items()}, several=stack.several
)
for key, value in outputs.items():
    pulumi.export(key, value)
pulumi.export(identity.OUTPUT, facts)
