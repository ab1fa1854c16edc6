"""Passwords: generated once and kept in state, or read from a Secret that exists already."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components import names, proxysql_cnf, schema
from components.errors import refuse

GENERATED_KEY = "password"
"""The key under which a generated Secret holds its password."""

WATCH_LABEL = {"k8s.mariadb.com/watch": ""}
"""mariadb-operator follows edits only of Secrets with this label (docs/sql_resources.md)."""


@dataclass(frozen=True, kw_only=True)
class ResolvedCredential:
    """Where one role's password is, and the password itself where the program needs it."""

    secret: str
    key: str
    password: pulumi.Output[str] | None
    """Secret; None when the password stays in an existing Secret that only the operator reads."""
    resource: pulumi.Resource | None
    """What makes the Secret; None when it exists already."""


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """`roles`: which credentials this database needs; `readable`: those that the program reads.

    `passwords`: secret config values by config path (`credentials.<role>.password`).
    """

    database: str
    namespace: str
    credentials: schema.Credentials
    passwords: Mapping[str, pulumi.Output[str]]
    roles: Sequence[str]
    readable: Sequence[str]
    protect: bool


class Credentials(pulumi.ComponentResource):
    """One Secret per role: `<name>-<role>` with the key `password`, unless the role names its own.

    A generated password has 32 letters and digits, which every part of the stack carries
    unescaped, and changes only when the role's `rotation` does.
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

    def _resolve(self, name: str, role: str, source: schema.Credential) -> ResolvedCredential:
        path = f"credentials.{role}"
        if source.existing_secret:
            password = None
            if role in self._args.readable:
                password = read_secret(
                    f"{name}-{role}-existing",
                    self._args.namespace,
                    source.existing_secret,
                    f"{path}.existing_secret",
                    pulumi.ResourceOptions(parent=self),
                ).apply(lambda text: _safe(text, f"{path}.existing_secret"))
            return ResolvedCredential(
                secret=source.existing_secret.name,
                key=source.existing_secret.key,
                password=password,
                resource=None,
            )
        if source.password:
            given = self._args.passwords[f"{path}.password"]
            password = (
                given.apply(lambda text: _safe(text, f"{path}.password"))
                if role in self._args.readable
                else given
            )
        else:
            password = random.RandomPassword(
                f"{name}-{role}",
                # Constants: a change of any of them would replace the password.
                length=32,
                special=False,
                keepers={"rotation": str(source.rotation)},
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # A protected password could not be rotated. Its Secret stays protected.
                    protect=self._args.protect and source.rotation == 0,
                    ignore_changes=["length", "special"],
                    additional_secret_outputs=["result", "bcryptHash"],
                ),
            ).result
        database = self._args.database
        secret = names.credential_secret(database, role)
        resource = k8s.core.v1.Secret(
            f"{name}-{role}",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=secret,
                namespace=self._args.namespace,
                labels=names.labels(database, "credentials") | WATCH_LABEL,
            ),
            type="Opaque",
            string_data={GENERATED_KEY: pulumi.Output.secret(password)},
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protect),
        )
        return ResolvedCredential(
            secret=secret, key=GENERATED_KEY, password=password, resource=resource
        )


def read_secret(
    logical_name: str,
    namespace: str,
    ref: schema.SecretRef,
    path: str,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """The text under a key of an existing Secret, as a secret Output, already at preview.

    Raises ConfigError at `path` when the Secret has no such key; the provider itself reports a
    Secret that does not exist.
    """
    found = k8s.core.v1.Secret.get(logical_name, f"{namespace}/{ref.name}", opts=opts)

    def pick(data: Mapping[str, str] | None) -> str:
        if ref.key not in (data or {}):
            refuse(
                path, f"Secret '{ref.name}' has no key '{ref.key}'", "add the key or name another"
            )
        try:
            return base64.b64decode((data or {})[ref.key]).decode()
        except UnicodeDecodeError:
            refuse(path, f"key '{ref.key}' of Secret '{ref.name}' is not UTF-8 text", "store text")

    return pulumi.Output.secret(found.data).apply(pick)


def _safe(password: str, path: str) -> str:
    if not proxysql_cnf.is_safe_password(password):
        refuse(
            path,
            "must be at least 24 characters of A-Z, a-z, 0-9, '_' and '-', because ProxySQL's "
            "admin and monitor settings cannot carry others",
            "choose such a password, or remove the source to have one generated",
        )
    return password
