"""The Secret of each role's password: made by this program, with a generated or given password, or
an existing one."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components import names
from components.config import credentials as declared
from components.config.credentials import Credential, Login
from components.config.password_sources import Holder, Role

GENERATED_KEY = "password"
"""The key under which a generated Secret holds its password."""

WATCH_LABEL = {"k8s.mariadb.com/watch": ""}
"""mariadb-operator follows edits only of Secrets with this label (docs/sql_resources.md)."""


@dataclass(frozen=True, kw_only=True)
class ResolvedCredential:
    """Where one role's password is, and the password itself where the program needs it."""

    secret: str
    key: str
    password: pulumi.Output[str]
    """Secret."""
    resource: pulumi.Resource | None
    """What makes the Secret; None when it exists already."""


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """`roles`: which credentials this database needs; `protect`: which of them nothing may delete.

    `alternating`: by role, the alternating accounts, the current one first. `given`: passwords
    that are not generated, by holder. `after`: what every object waits for.
    """

    database: str
    namespace: str
    credentials: declared.Credentials
    given: Mapping[Holder, pulumi.Output[str]]
    alternating: Mapping[str, Sequence[Login]]
    roles: Sequence[str]
    protect: frozenset[str]
    after: Sequence[pulumi.Resource]


def generated(name: str, rotation: int, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """32 letters and digits, which no part of the stack must escape; by `rotation`."""
    # Constants: a change of any of them would replace the password.
    constants = pulumi.ResourceOptions(ignore_changes=["length", "special"])
    return random.RandomPassword(
        name,
        length=32,
        special=False,
        keepers={"rotation": str(rotation)},
        opts=pulumi.ResourceOptions.merge(opts, constants),
    ).result


def encoded(texts: pulumi.Input[Mapping[str, pulumi.Input[str]]]) -> pulumi.Output[dict[str, str]]:
    """Texts by key, as `data` of a Secret holds them.

    Not `stringData`, which the provider moves into `data`: an edit would be shown as a removal of
    the one and an addition of the other (pulumi-kubernetes, `provider/pkg/provider/util.go`,
    normalizeSecret).
    """

    def encode(known: Mapping[str, str]) -> dict[str, str]:
        return {key: base64.b64encode(text.encode()).decode() for key, text in known.items()}

    return pulumi.Output.secret(cast(Any, texts)).apply(encode)


def account_annotations(account: str) -> dict[str, str]:
    """The annotation of a Secret with an account's password.

    It is a constant, but a Secret needs one: Percona's operator treats a Secret without annotations
    as unchanged, and an existing account would keep its old password
    (pkg/controller/pxc/users_custom.go, userPasswordChanged).
    """
    return {"mysql-ha/account": account}


class Credentials(pulumi.ComponentResource):
    """One Secret per role: `<name>-<role>` with the key `password`, unless the role names its own.

    A generated password changes only when the role's `rotation` does.
    """

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mysql-ha:index:Credentials", name, None, opts)
        self._args = args
        by_role = dict(args.credentials.items())
        self.resolved = {role: self._resolve(name, role, by_role[role]) for role in args.roles}
        self.register_outputs({})

    def __getitem__(self, role: str) -> ResolvedCredential:
        return self.resolved[role]

    def _resolve(self, name: str, role: str, source: Credential) -> ResolvedCredential:
        protect = role in self._args.protect
        if source.existing_secret:
            return ResolvedCredential(
                secret=source.existing_secret.name,
                key=source.existing_secret.key,
                password=self._args.given[Role(role)],
                resource=None,
            )
        given = self._args.given.get(Role(role))
        opts = pulumi.ResourceOptions(parent=self, protect=protect)
        once = (Login(role, source.rotation, GENERATED_KEY),)
        texts = {
            login.key: given or generated(f"{name}-{role}{login.suffix}", login.generation, opts)
            for login in self._args.alternating.get(role, once)
        }
        key, password = next(iter(texts.items()))
        database = self._args.database
        secret = names.credential_secret(database, role)
        resource = k8s.core.v1.Secret(
            f"{name}-{role}",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=secret,
                namespace=self._args.namespace,
                labels=names.labels(database, "credentials") | WATCH_LABEL,
                annotations=account_annotations(role),
            ),
            type="Opaque",
            data=encoded(texts),
            opts=pulumi.ResourceOptions(
                parent=self, protect=protect, depends_on=list(self._args.after)
            ),
        )
        return ResolvedCredential(secret=secret, key=key, password=password, resource=resource)
