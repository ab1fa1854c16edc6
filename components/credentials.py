"""Where each role's password is: a Secret made for it, generated or given, or one that exists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

from components import names, schema

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
    """`roles`: which credentials this database needs.

    `given`: passwords that are not generated, by config path (`credentials.<role>`). `after`:
    what every object waits for.
    """

    database: str
    namespace: str
    credentials: schema.Credentials
    given: Mapping[str, pulumi.Output[str]]
    roles: Sequence[str]
    protect: bool
    after: Sequence[pulumi.Resource]


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
        # The others can be made anew at any time, and must be able to: a protected password cannot
        # be rotated, nor can another source take its place.
        protect = self._args.protect and role in schema.KNOWN_TO_SERVERS
        path = f"credentials.{role}"
        if source.existing_secret:
            return ResolvedCredential(
                secret=source.existing_secret.name,
                key=source.existing_secret.key,
                password=self._args.given[path],
                resource=None,
            )
        password = self._args.given.get(path)
        if password is None:
            password = random.RandomPassword(
                f"{name}-{role}",
                # Constants: a change of any of them would replace the password.
                length=32,
                special=False,
                keepers={"rotation": str(source.rotation)},
                opts=pulumi.ResourceOptions(
                    parent=self,
                    protect=protect,
                    ignore_changes=["length", "special"],
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
            opts=pulumi.ResourceOptions(
                parent=self, protect=protect, depends_on=list(self._args.after)
            ),
        )
        return ResolvedCredential(
            secret=secret, key=GENERATED_KEY, password=password, resource=resource
        )
