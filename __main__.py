"""The Pulumi program: load the stack's config, compose its databases, export the contract."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components import adoption, identity, namespace, passwords
from components.config import load
from components.stack import DatabaseStack, DatabaseStackArgs, exports

stack = load()
facts = identity.guarded(stack)
settings = pulumi.Config("kubernetes")
cluster: dict[str, Any] = {"context": settings.get("context")}
cluster["kubeconfig"] = settings.get_secret("kubeconfig")  # it may hold a credential
# Reads before the provider that makes things, which waits until all that was read is accepted.
reads = any(one.config.adopting or passwords.stored(one.config) for one in stack.databases)
reader = passwords.reader(cluster, facts) if reads else None
given = {one.config.name: passwords.given(one, reader) for one in stack.databases}
adopting = [one for one in stack.databases if one.config.adopting]
adopted = [adoption.agreed(one.config, one.where, reader) for one in adopting]
accepted = pulumi.Output.all(facts, *adopted, *(t for one in given.values() for t in one.values()))
provider = k8s.Provider(
    "kubernetes",
    enable_secret_mutable=pulumi.Output.unsecret(accepted.apply(lambda _: True)),
    enable_config_map_mutable=True,
    **cluster,
)
opts = pulumi.ResourceOptions(provider=provider)
namespaces = namespace.create(stack, opts)
outputs: dict[str, dict[str, Any]] = {}
for config in (loaded.config for loaded in stack.databases):
    after = [namespaces[config.namespace]] if config.namespace in namespaces else []
    args = DatabaseStackArgs(config=config, given=given[config.name], after=after)
    outputs[config.name] = DatabaseStack(config.name, args, opts).outputs
for key, value in exports(outputs, several=stack.several).items():
    pulumi.export(key, value)
# Only once the passwords are accepted too: after a refused edit the old identity stays.
pulumi.export(identity.OUTPUT, pulumi.Output.unsecret(accepted.apply(lambda known: known[0])))
