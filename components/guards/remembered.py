"""What an earlier update exported of a stack, as it is read back: checked before it is trusted."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import pulumi
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from components import owner
from components.config import quantity
from components.config.errors import reject

READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
"""A function of the engine itself (pulumi, pkg/resource/deploy/builtins.go)."""

Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
"""The engine hands whole numbers back as floats."""


def _size(text: str) -> str:
    quantity.parse(text)
    return text


class _Facts(BaseModel):
    """What is missing an earlier version did not know; what is more, a later one did."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Storage(_Facts):
    size: Annotated[str, AfterValidator(_size)]
    storage_class: str | None = None


class _Proxies(_Facts):
    replicas: Number
    connections: Number
    budget: Number


class _App(_Facts):
    account: str
    accounts: list[str]
    databases: list[str]
    cleanup: str
    password: str
    rotation: Number
    privileges: list[str] = []
    inactive: bool = False


class _Database(_Facts):
    engine: str = ""
    namespace: str = ""
    create_namespace: bool = False
    cluster: str = ""
    topology: str = ""
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")] = "0"
    storage: _Storage | None = None
    root: str = ""
    replication: str = ""
    replicas: Number = 0
    nodes: Number = 0
    clients: str = ""
    paused: str = ""
    backup: str = ""
    heartbeat: str = ""
    restored: str = ""
    scrape: str = ""
    release: str = ""
    tls: str = ""
    tls_source: str = ""
    pull_secrets: str = ""
    accounts: str = ""
    proxy_managed_by: str = ""
    monitor: str = ""
    monitor_rotation: Number = 0
    proxies: _Proxies | None = None
    proxy_volumes: str = ""
    apps: dict[str, _App] = {}


class _Fingerprint(_Facts):
    scrypt: str
    rotation: Number


DATABASES = TypeAdapter(dict[str, _Database])
FINGERPRINTS = TypeAdapter(dict[str, dict[str, _Fingerprint]])


def outputs() -> pulumi.Output[Mapping[str, Any]]:
    """What the stack's last update exported, by name; not secret, whatever is in it.

    A StackReference would be a resource of the stack, and different at each refresh after an update
    that changed an output.
    """
    root = pulumi.runtime.get_root_resource()
    # The first resource of every update. While the engine writes it to a file, that file may be
    # read as empty.
    name = root and root.urn.apply(lambda _: owner.this_stack())
    answer = pulumi.runtime.invoke_async(READ_OUTPUTS, {"name": name})
    return pulumi.Output.from_input(answer).apply(lambda stack: stack["outputs"])


def checked(
    output: str, value: Any, shape: TypeAdapter[Any] = DATABASES
) -> Mapping[str, Mapping[str, Any]]:
    """What a stack's output holds by database name; None is a stack without any.

    Raises a ConfigError where the output is not of the shape that this program writes: what an edit
    must not do could not be told then. Its values are not repeated.
    """
    if value is None:
        return {}
    try:
        shape.validate_python(value)
    except ValidationError as error:
        places = sorted({".".join(map(str, detail["loc"])) for detail in error.errors()})
        where = ", ".join(filter(None, places)) or "the whole"
        reject(
            output,
            "the stack's output of that name, which the last update left, is not as this program "
            f"writes it ({where}): what must not change cannot be told",
            "restore the state of the last good update (`pulumi stack export --version`, then "
            "`pulumi stack import`)",
        )
    return value
