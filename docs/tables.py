"""Keeps the tables of README.md and docs/configuration.md true: they are made from the code.

`python -m docs.tables` writes every section between `<!-- begin:x -->` and `<!-- end:x -->`;
`--check` writes nothing and fails when a section is not what the code says.
"""

import argparse
import ast
import inspect
import re
import sys
import textwrap
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import yaml
from annotated_types import Ge, Le, MaxLen
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from components import outputs
from components.config.checks.rules import RESERVED_VARIABLES
from components.config.load import Loaded, Stack, resolve
from components.config.presets import ENGINES, SIZES
from components.config.stack import StackConfig
from components.credentials import GENERATED_KEY, ResolvedCredential
from components.engines import mariadb, percona
from components.guards import immutable
from components.names import credential_secret
from local import go, toolchain

ROOT = Path(__file__).parents[1]
FILES = ("README.md", "docs/configuration.md")
FIGURES = (ROOT / "bench" / "results.md", ROOT / "bench" / "cold.md")

CHECKED_TEXT = {
    "_dns_label": "DNS label",
    "_namespace": "namespace name",
    "_object_name": "object name",
    "_secret_key": "Secret key",
    "_quantity": "quantity above 0 (`500m`, `2`, `10Gi`)",
    "_duration": "duration (`90s`, `20m`, `1h30m`)",
    "_user_name": "1 to 80 of `A-Z a-z 0-9 _ . -`",
    "_label_map": "mapping of annotation key to text",
    "_label_values": "mapping of label key to label value",
    "_pod_labels": "mapping of label key to label value; none of `app.kubernetes.io/`, "
    "`statefulset.kubernetes.io/`, `k8s.mariadb.com/`",
    "_interfaces": "`address:port`, several with `;`; not 6032, 6070, 6132, 6133",
    "_regex": "regular expression without a double quote",
    "_replacement": "text without a double quote, at most 2000 characters",
    "_sql_text": "text without a double quote, at most 2000 characters",
    "_client_address": "address, or its start and `%`",
    "_granted": "`readonly`, `readwrite`, `owner` or list of privileges",
    "_schema_name": "1 to 64 of `A-Z a-z 0-9 _ $ -`",
    "_tag": "version tag, not `latest`, `main` or `master`",
}
"""What a field's validator accepts, by the name of the validator in components/fields.py."""

NOTES = {
    "size": "The preset that everything else overrides.",
    "engine": "`mariadb`: servers run by mariadb-operator; `percona`: a Percona XtraDB Cluster run "
    "by Percona's operator. Fixed.",
    "name": "Name of the database and prefix of every object. At most 40 characters, with engine "
    "`percona` 22. Fixed.",
    "namespace": "Namespace of every object. Fixed.",
    "create_namespace": "Make the namespace too, with Pod Security `restricted`. It is protected "
    "and stays when the stack goes.",
    "await_sql": "Wait until mariadb-operator has applied databases, users and grants.",
    "adopt": "For a database that exists already: `import` puts the operator's object into the "
    "state and changes nothing of it; `take_over` applies this config to it "
    "([steps](migration.md#adopt-a-database-that-exists)).",
    "database.topology": "How the servers relate. Fixed. A Percona cluster is `galera` in every "
    "size.",
    "database.replicas": "Servers. Standalone: 1; replication: 2 or more, and no more later; "
    "Galera: odd, 3 or more; Percona: 1, 3 or 5.",
    "database.storage.size": "Size of each server's volume. Never shrinks.",
    "database.storage.storage_class": "Unset: the cluster's default. Fixed.",
    "database.pod_annotations": "Annotations of the database Pods.",
    "database.pod_labels": "Labels of the database Pods.",
    "database.failover_delay_seconds": "Topology `replication` only. How long the operator waits "
    "before it promotes another server; a crash costs so much longer "
    "([why](adr/0017-a-primary-that-nobody-follows-gets-no-writes.md)).",
    "database.semi_sync_timeout": "Topology `replication` only. How long a commit waits for a "
    "replica before it goes on without. Unset: `10s` with `proxy.min_semi_sync_replicas`, "
    "otherwise `2s`, as a promotion takes as long there.",
    "proxy.enabled": "Whether there are proxies at all.",
    "proxy.managed_by": "`mysql-ha`: proxies of this program; `operator`: those that Percona's "
    "operator runs, with its own configuration. Only a Percona cluster has a choice. Fixed while "
    "there are proxies.",
    "proxy.routing": "Topology `replication` only. `primary_service`: the proxies connect to the "
    "operator's Service of the primary; `monitor`: they find it by `read_only`, and a switchover "
    "loses writes on replicas.",
    "proxy.replicas": "Proxies.",
    "proxy.service.type": "Type of the client Service.",
    "proxy.service.annotations": "Annotations of the client Service.",
    "proxy.service.port": "Port of the client Service.",
    "proxy.service.node_port": "Unset: Kubernetes chooses one where the type has any.",
    "proxy.service.expose_admin": "Make a ClusterIP Service of the admin port, for the account "
    "`cluster`; needs `clustering`. It is full control.",
    "proxy.service.admin_port": "Port of the admin Service.",
    "proxy.service.admin_node_port": "Makes the admin Service a NodePort. Needs `expose_admin`.",
    "proxy.hostgroups.writer": "Where writes go, and every user by default.",
    "proxy.hostgroups.reader": "Where servers with `read_only=1` are.",
    "proxy.hostgroups.backup_writer": "Galera: servers that could take over.",
    "proxy.hostgroups.offline": "Galera: servers that have left the cluster.",
    "proxy.hostgroups.comment": "Text in ProxySQL's hostgroup table, without quotes.",
    "proxy.monitor.username": "The monitor's account in the database; made by this program. "
    "Fixed while there are proxies.",
    "proxy.monitor.connect_interval": "Between connects; ms.",
    "proxy.monitor.connect_timeout": "Of a connect; ms.",
    "proxy.monitor.ping_interval": "Between pings; ms.",
    "proxy.monitor.ping_timeout": "Of a ping; ms.",
    "proxy.monitor.ping_max_failures": "Failed pings in a row that shun a server. Unset: 3, or 10 "
    "behind the primary's Service, which statements wait for.",
    "proxy.monitor.read_only_interval": "Replication: between looks at `read_only`; ms.",
    "proxy.monitor.read_only_timeout": "Replication: of such a look; ms.",
    "proxy.monitor.read_only_max_timeout_count": "Replication: timeouts in a row that make the "
    "server a reader.",
    "proxy.monitor.galera_interval": "Galera: between looks at the wsrep status; ms.",
    "proxy.monitor.galera_timeout": "Galera: of such a look; ms.",
    "proxy.monitor.galera_max_timeout_count": "Galera: timeouts in a row that take the server out.",
    "proxy.interfaces": "Where the client port listens, in the Pod.",
    "proxy.clustering": "`membership`: proxies know each other and never copy config. `runtime`: "
    "they copy admin changes. `off`: they do not know each other.",
    "proxy.min_semi_sync_replicas": "How many semi-sync replicas must follow the primary, or "
    "statements for the writer wait. Unset: 1, where `switchover_wait` is possible and "
    "`database.semi_sync` on; 0: they do not wait.",
    "proxy.switchover_wait": "Seconds for which new statements wait while the primary is "
    "read-only, as in a planned switchover; then they are sent there, and writes are refused. "
    "0: at once. Routing `primary_service`, and not with clustering `runtime`.",
    "proxy.users[].username": "Login name.",
    "proxy.users[].password": "Secret config value: `pulumi config set --secret --path`.",
    "proxy.users[].existing_secret.name": "Existing Secret.",
    "proxy.users[].existing_secret.key": "Key in it.",
    "proxy.users[].active": "False: the login is refused.",
    "proxy.users[].default_schema": "Schema of a client that names none.",
    "proxy.users[].default_hostgroup": "Unset: the writer hostgroup. With the reader's, a login "
    "for reads.",
    "proxy.query_rules[].active": "False: ProxySQL keeps the rule and skips it.",
    "proxy.query_rules[].username": "Condition: the login.",
    "proxy.query_rules[].schemaname": "Condition: the current schema.",
    "proxy.query_rules[].flag_in": "Condition: 0, or the `flag_out` of a rule that matched before.",
    "proxy.query_rules[].client_addr": "Condition: where the client comes from.",
    "proxy.query_rules[].proxy_port": "Condition: the port of `proxy.interfaces` it connected to.",
    "proxy.query_rules[].digest": "Condition: the statement's digest, as "
    "`stats_mysql_query_digest` lists it. In quotes: YAML reads it as a number.",
    "proxy.query_rules[].match_digest": "Condition: matches the statement without its values and "
    "comments.",
    "proxy.query_rules[].match_pattern": "Condition: matches the statement's text.",
    "proxy.query_rules[].negate_match_pattern": "The pattern must not match.",
    "proxy.query_rules[].re_modifiers": "How the patterns match.",
    "proxy.query_rules[].flag_out": "Goes on with the rules of this `flag_in`; needs "
    "`apply: false`.",
    "proxy.query_rules[].replace_pattern": "Text that replaces what the pattern matched.",
    "proxy.query_rules[].destination_hostgroup": "Where the statement goes: the writer's or the "
    "reader's.",
    "proxy.query_rules[].delay": "Milliseconds that the statement waits first.",
    "proxy.query_rules[].error_msg": "The statement is refused with this text.",
    "proxy.query_rules[].multiplex": "0: the session keeps its connection to the server from here "
    "on; 1: no longer; 2: a variable in the statement does not make it keep it.",
    "proxy.query_rules[].log": "Writes the statement to ProxySQL's query log, if there is one.",
    "proxy.query_rules[].apply": "No later rule is looked at. ProxySQL's own default is false.",
    "proxy.query_rules[].comment": "Text in ProxySQL's table, without quotes.",
    "proxy.read_write_split": "Adds rules that send plain reads to the reader hostgroup "
    "([pitfalls](proxysql.md#readwrite-split-and-query-rules)).",
    "proxy.tls.secret": "Existing Secret with the certificate that clients see: `tls.crt`, "
    "`tls.key` and `ca_key`. Not with `issuer`. Unset, too: each Pod makes its own.",
    "proxy.tls.ca_key": "Key of the CA's certificate in that Secret.",
    "*.tls.issuer.name": "cert-manager's issuer of the certificate.",
    "*.tls.issuer.kind": "An `Issuer` is in the database's namespace.",
    "*.tls.issuer.group": "Of an issuer that is not cert-manager's own.",
    "proxy.storage.persistent": "A volume per proxy instead of an emptyDir. Fixed while on.",
    "proxy.storage.storage_class": "Unset: the cluster's default.",
    "proxy.pod_annotations": "Annotations of the proxy Pods.",
    "proxy.pod_labels": "Labels of the proxy Pods.",
    "proxy.admin_variables": "ProxySQL `admin-` variables, without the prefix.",
    "proxy.mysql_variables": "ProxySQL `mysql-` variables, without the prefix.",
    "apps[].name": "Name in the outputs and of its Secret; the account, unless `username` is set.",
    "apps[].username": "The account. A second one, with `_b` at its end, takes turns with it when "
    "a generated password is rotated. Unset: the app's name.",
    "apps[].databases": "What it may do, by database: a role or a list of privileges "
    "([roles](apps.md#privileges)). Databases are made as utf8mb4.",
    "apps[].default_database": "The one that it is connected to unless it names another. Required "
    "with several, since a mapping has no order.",
    "apps[].existing_secret.name": "Existing Secret in the database's namespace. Neither this nor "
    "`password`: the password is generated.",
    "apps[].existing_secret.key": "Key in it.",
    "apps[].password": "Secret config value: `pulumi config set --secret --path`.",
    "apps[].rotation": "Bump it for a new login with a new generated password; the last one works "
    "until the next bump ([rotation](apps.md#rotation)).",
    "apps[].active": "False: the proxies refuse its logins; everything else stays.",
    "apps[].cleanup": "What becomes of its accounts and databases when they leave the config: "
    "`keep` leaves them in the servers. `delete` is for MariaDB only.",
    "credentials.<role>.existing_secret.name": "Existing Secret in the database's namespace.",
    "credentials.<role>.existing_secret.key": "Key in it.",
    "credentials.<role>.password": "Secret config value: `pulumi config set --secret --path`.",
    "*.resources.requests.cpu": "Cores.",
    "*.resources.requests.memory": "Bytes.",
    "*.resources.limits.cpu": "Cores.",
    "*.resources.limits.memory": "Bytes.",
    "scheduling.<tier>.node_selector": "Labels that a node must have.",
    "scheduling.<tier>.tolerations[].key": "Unset with `Exists`: every taint.",
    "scheduling.<tier>.tolerations[].operator": "How `value` is compared.",
    "scheduling.<tier>.tolerations[].value": "The taint's value.",
    "scheduling.<tier>.tolerations[].effect": "Unset: every effect.",
    "scheduling.<tier>.tolerations[].toleration_seconds": "`NoExecute`: seconds until eviction.",
    "scheduling.<tier>.affinity": "Kubernetes affinity terms; `podAffinity` for the proxies only. "
    "A `podAntiAffinity` here replaces the one made by `spread`.",
    "scheduling.<tier>.priority_class": "An existing PriorityClass.",
    "security.tls.enabled": "TLS between proxies and servers, and among servers.",
    "security.tls.secret": "Existing Secret with `tls.crt`, `tls.key` and `ca.crt` for the names "
    "of all servers. Not with `issuer`. Unset, too: the operator makes certificates.",
    "security.tls.required": "With TLS on: servers refuse plain connections; not with proxies of "
    "Percona's operator. TLS goes on or off in two steps, by way of false.",
    "security.network_policy.enabled": "A NetworkPolicy for the proxies of this program.",
    "security.protect": "Pulumi refuses to delete or replace the database's object and the "
    "passwords of root and replication with their Secrets.",
    "security.allow_vulnerable_images": "Accept a ProxySQL without the fix of CVE-2026-48773.",
    "security.<tier>.run_as_non_root": "Cannot be switched off.",
    "security.<tier>.run_as_user": "User id.",
    "security.<tier>.run_as_group": "Group id.",
    "security.<tier>.fs_group": "Group id of the volumes.",
    "images.<image>.registry": "Registry host.",
    "images.<image>.repository": "Path in the registry.",
    "images.<image>.tag": "Version.",
    "images.<image>.digest": "Pins the bytes, beside the tag.",
    "images.<image>.pull_policy": "When a node pulls.",
    "percona.cr_version": "The version of the operator whose behaviour is wanted, 1.18.0 or later; "
    "the installed one must not be older.",
    "percona.log_collector": "A container beside each server that sends its log to standard "
    "output.",
    "images.pull_secrets": "Secrets of type `kubernetes.io/dockerconfigjson`. Fixed.",
}
"""The meaning of a field, by config path; one that is not here has a docstring of its own."""

OUTPUTS = {
    "schema_version": "Version of this contract.",
    "engine": "The database engine.",
    "size": "The preset.",
    "namespace": "Namespace of every object.",
    "name": "Name of the database.",
    "host": "Where applications connect: the proxies, or the database's Service without them.",
    "port": "Its port.",
    "reader_host": "Where readers connect. With proxies the same host: the user decides.",
    "reader_port": "Its port.",
    "MYSQL_HOST": "`host` again, under the usual environment variable's name.",
    "MYSQL_PORT": "`port` as text.",
    "admin_secret": "Name and key of the Secret with root's password.",
    "ca_secret": "Name and key of the Secret with the CA of the certificate that `host` shows. "
    "Absent when proxies make their own certificate, which nobody can verify, and without TLS.",
    "apps": "By app: `secret` (the name of the Secret it connects by), `database`, `username`, "
    "`host`, `port`, `reader_host`, `reader_port` ([keys of the Secret](docs/apps.md#the-secret)).",
    "proxysql": "Proxies and their admin interface. From other Pods only the account `cluster` "
    "can log in there (`credentials.proxy_cluster`), or `proxyadmin` of Percona's. Absent without "
    "a proxy.",
    "status": "Percona only: what the operator said last. `ready` and `size` count Pods of servers "
    "and of the operator's proxies; `details` are its messages.",
    immutable.OUTPUT: "What cannot change, by database name. Read back by the next preview.",
}

TIERS = ("database", "proxy")
SIDECARS = ("data_plane", "log_collector")
SHARED = {
    **{f"scheduling.{tier}": "scheduling.<tier>" for tier in TIERS},
    **{f"security.{tier}": "security.<tier>" for tier in TIERS},
    **{f"images.{image}": "images.<image>" for image in (*TIERS, *SIDECARS)},
    **{f"credentials.{role}": "credentials.<role>" for role, _ in resolve({}).credentials.items()},
}
"""Parts of the tree with one shape; one table each, with a placeholder in the path."""


# --- the config tree ---------------------------------------------------------------------------


def rows() -> Iterator[tuple[str, str, str, str]]:
    """(path, type, default, meaning) of every config key, in declaration order."""
    found: dict[str, tuple[str, str]] = {}
    defaults: dict[str, dict[str, str]] = {}
    for real, path, field, owner in _leaves(StackConfig, "", ""):
        found[path] = type_text(field), _meaning(path, owner)
        defaults.setdefault(path, {})[real.split(".")[-2] if "." in real else real] = _default(
            real, field
        )
    for path, (kind, meaning) in found.items():
        yield path, kind, _joined(defaults[path]), meaning


def _joined(by_part: Mapping[str, str]) -> str:
    """One default, or one for each part that shares the path."""
    if len(set(by_part.values())) == 1:
        return next(iter(by_part.values()))
    return "; ".join(f"{part}: {default}" for part, default in by_part.items())


def _leaves(
    model: type[BaseModel], real: str, shown: str
) -> Iterator[tuple[str, str, FieldInfo, type[BaseModel]]]:
    """(real path, shown path, field, its model) of every leaf below `model`."""
    for name, field in model.model_fields.items():
        path = f"{real}.{name}" if real else name
        text = SHARED.get(path, f"{shown}.{name}" if shown else name)
        below, listed = _model_of(field.annotation)
        if below is None:
            yield path, text, field, model
        else:
            mark = "[]" if listed else ""
            yield from _leaves(below, f"{path}{mark}", f"{text}{mark}")


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field holds, and whether it holds a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        return _model_of(arguments[0])[0], True
    if get_origin(annotation) in (Union, types.UnionType):
        found = [_model_of(argument) for argument in arguments]
        return next((pair for pair in found if pair[0]), (None, False))
    return None, False


def type_text(field: FieldInfo) -> str:
    """What a value of the field may be, with its range."""
    return _type(field.annotation, field.metadata)


def _type(annotation: Any, metadata: list[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0], [*_flat(arguments[1:]), *metadata])
    for item in metadata:
        if isinstance(item, AfterValidator | BeforeValidator):
            function = cast(types.FunctionType, item.func).__name__
            if isinstance(item, AfterValidator) or function in CHECKED_TEXT:
                return CHECKED_TEXT[function]
    if origin in (Union, types.UnionType):
        kinds = [_type(a, metadata) for a in arguments if a is not type(None)]
        return " or ".join(dict.fromkeys(kinds))
    if origin is Literal:
        if arguments == ("(secret)",):
            return "secret text"
        return ", ".join(f"`{_yaml(argument)}`" for argument in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0], [])}"
    if origin is dict:
        if arguments[0] is str:
            return "mapping of name to value"
        values = f" to {_type(arguments[1], [])}" if get_origin(arguments[1]) is Annotated else ""
        return f"mapping of {_type(arguments[0], [])}{values}"
    if annotation is bool:
        return "`true`, `false`"
    if annotation is int:
        low = next((cast(Any, item.ge) for item in metadata if isinstance(item, Ge)), None)
        high = next((cast(Any, item.le) for item in metadata if isinstance(item, Le)), None)
        return "integer" if low is None else f"integer, {low} to {high}"
    patterns = [item.pattern for item in metadata if getattr(item, "pattern", None)]
    if patterns:
        return "text: `" + patterns[0].replace("|", "\\|") + "`"
    longest = [item.max_length for item in metadata if isinstance(item, MaxLen)]
    return f"text, at most {longest[0]} characters" if longest else "text"


def _flat(items: tuple[Any, ...]) -> Iterator[Any]:
    """Constraints; a `Field(...)` inside Annotated carries its own list."""
    for item in items:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def _default(path: str, field: FieldInfo) -> str:
    """The value by engine and size, or `required` inside a list or an optional mapping."""
    if path in ("size", "engine"):
        return _shown(getattr(resolve({}), path))
    by_engine: dict[str, str] = {}
    for engine in ENGINES:
        values = [_value(resolve({"size": size, "engine": engine}), path) for size in SIZES]
        if ... not in values:
            by_engine[engine] = _by_size(values)
    if not by_engine:
        return "required" if field.is_required() else _shown(field.default)
    if len(set(by_engine.values())) == 1:
        return next(iter(by_engine.values()))
    first, *others = by_engine.items()
    return f"{first[1]} ({', '.join(f'{engine}: {text}' for engine, text in others)})"


def _by_size(values: list[Any]) -> str:
    if all(value == values[0] for value in values):
        return _shown(values[0])
    return ", ".join(f"{size} {_shown(value)}" for size, value in zip(SIZES, values, strict=True))


def _value(model: Any, path: str) -> Any:
    """The value at a path; `...` below a list or an unset mapping."""
    for key in path.split("."):
        if key.endswith("[]") or model is None:
            return ...
        model = getattr(model, key)
    return model


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "unset"
    if isinstance(value, (dict, tuple)) and not value:
        return "empty"
    return f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _meaning(path: str, owner: type[BaseModel]) -> str:
    name = path.rpartition(".")[2]
    text = NOTES.get(path) or attribute_docs(owner).get(name)
    if text is None:
        text = NOTES.get("*." + path.partition(".")[2])
    if text is None:
        raise SystemExit(f"docs/tables.py: NOTES has no text for {path}")
    return text


def attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The texts that stand below the fields of a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = cast(ast.ClassDef, tree.body[0]).body
    found: dict[str, str] = {}
    for field, text in zip(body, body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = " ".join(inspect.cleandoc(text.value.value).split())
    return found


# --- sections ----------------------------------------------------------------------------------


def table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def needs() -> str:
    """What the two commands need."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    python = pyproject["project"]["requires-python"].removeprefix(">=")
    modules = go.TOOLS.glob("*/go.mod")
    lines = [re.search(r"^go (\S+)", file.read_text(), re.MULTILINE) for file in modules]
    found = [line[1] for line in lines if line]
    newest = max(found, key=lambda text: [int(part) for part in text.split(".")])
    programs = dict.fromkeys((toolchain.ENGINE, *toolchain.REAL))
    minutes = sum(program.minutes for program in programs)
    return table(
        ("needs", ""),
        [
            ("Python", f"{python} or later, with `venv`"),
            ("Go", f"{newest} or later; an earlier 1.21+ fetches it by itself"),
            ("make", "any"),
            (
                "network",
                "the Python and Go package registries, and a mirror of Debian for the images",
            ),
            (
                "for real nodes",
                "Linux, root, Debian or Ubuntu; elsewhere `kind`, or on Linux simulated ones",
            ),
            ("first build", f"about {minutes:g} minutes on 2 cores, {len(programs)} programs"),
        ],
    )


def sizes() -> str:
    """The presets side by side; a line that the engines do not share, once for each."""

    def line(title: str, show: Callable[[StackConfig], str]) -> Iterator[tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for engine in ENGINES:
            configs = (resolve({"size": size, "engine": engine}) for size in SIZES)
            found[engine] = tuple(show(config) for config in configs)
        if len(set(found.values())) == 1:
            yield (title, *next(iter(found.values())))
        else:
            for engine, values in found.items():
                if set(values) != {"-"}:
                    yield (f"{title}, {engine}", *values)

    def proxied(show: Callable[[StackConfig], str]) -> Callable[[StackConfig], str]:
        """What this program's own proxies have; Percona's operator configures its own itself."""
        return lambda config: show(config) if config.proxy.enabled else "-"

    def resources(value: Any) -> str:
        sides = [
            ", ".join(text for text in (amounts.cpu, amounts.memory) if text)
            for amounts in (value.requests, value.limits)
        ]
        return " / ".join(sides) if any(sides) else "none"

    def switch(on: bool) -> str:
        return "on" if on else "off"

    def seconds(value: int | None) -> str:
        return "the cluster's default" if value is None else str(value)

    def log_collector(config: StackConfig) -> str:
        return switch(config.percona.log_collector) if config.percona else "-"

    return table(
        ("", *SIZES),
        [
            *line("servers", lambda c: f"{c.database.replicas}, {c.database.topology}"),
            *line("proxies", lambda c: str(c.proxy.replicas) if c.proxy.enabled else "none"),
            *line("who runs the proxies", proxied(lambda c: RUN_BY[c.proxy.managed_by])),
            *line("storage per server", lambda c: c.database.storage.size),
            *line(
                "server cpu, memory: requests / limits",
                lambda c: resources(c.database.resources),
            ),
            *line(
                "proxy cpu, memory: requests / limits",
                proxied(lambda c: resources(c.proxy.resources)),
            ),
            *line("server `max_connections`", lambda c: str(c.database.max_connections)),
            *line(
                "connections from one proxy of this program to one server",
                proxied(lambda c: str(c.backend_max_connections)),
            ),
            *line("threads of such a proxy", proxied(lambda c: str(c.proxy.threads))),
            *line("TLS to and among servers", lambda c: switch(c.security.tls.enabled)),
            *line(
                "NetworkPolicy for such proxies",
                lambda c: switch(c.security.network_policy.enabled),
            ),
            *line("disruption budgets", lambda c: switch(c.scheduling.database.disruption_budget)),
            *line("spread over nodes and zones", lambda c: c.scheduling.database.spread),
            *line(
                "seconds until a proxy leaves a lost node",
                proxied(lambda c: seconds(c.scheduling.proxy.node_loss_seconds)),
            ),
            *line("Pulumi `protect`", lambda c: switch(c.security.protect)),
            *line("log collector", log_collector),
        ],
    )


RUN_BY = {"mysql-ha": "this program", "operator": "the operator"}
"""Who runs the proxies of a `proxy.managed_by`."""


def output_table() -> str:
    """The output contract, with the values of stacks of size small."""
    values = {engine: _outputs(engine) for engine in ENGINES}
    if missing := set[str]().union(*values.values()) ^ OUTPUTS.keys():
        raise SystemExit(f"docs/tables.py: OUTPUTS and the contract differ in {sorted(missing)}")

    def example(engine: str, key: str) -> str:
        if key not in values[engine]:
            return "absent"
        if engine != "mariadb" and values[engine][key] == values["mariadb"].get(key):
            return "the same"
        return _example(key, values[engine][key])

    return table(
        (
            "output",
            "meaning",
            "`size: small`, `name: orders`, one app",
            "and `engine: percona`",
        ),
        [
            (f"`{key}`", meaning, example("mariadb", key), example("percona", key))
            for key, meaning in OUTPUTS.items()
        ],
    )


def _outputs(engine: str) -> dict[str, Any]:
    apps = [{"name": "shop", "databases": {"shop": "owner"}}]
    config = resolve({"size": "small", "name": "orders", "engine": engine, "apps": apps})
    root = ResolvedCredential(
        secret=credential_secret(config.name, "root"),
        key=GENERATED_KEY,
        password=cast(Any, None),  # no output is a password
        resource=None,
    )
    shape = percona.topology(config) if engine == "percona" else mariadb.topology(config)
    values = outputs.outputs(config, shape, root)
    if engine == "percona":
        pods = percona.pods(config)
        values["status"] = percona.observed({"state": "ready", "ready": pods, "size": pods})
    loaded = Loaded(config=config, passwords={})
    values[immutable.OUTPUT] = immutable.of(Stack(databases=(loaded,), several=False, retire=()))
    return values


def _example(key: str, value: Any) -> str:
    if key == immutable.OUTPUT:
        return "`orders`: engine, namespace, topology, …"
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=1000).splitlines()[0]}`"


def overview() -> str:
    """The top-level keys, as Pulumi.yaml declares them."""
    project = cast(dict[str, Any], yaml.safe_load((ROOT / "Pulumi.yaml").read_text()))
    declared = cast(dict[str, dict[str, Any]], project["config"])
    return table(
        ("key", "type", "default", "meaning"),
        [
            (f"`{key}`", entry["type"], _shown_default(entry["default"]), entry["description"])
            for key, entry in declared.items()
        ],
    )


def _shown_default(value: Any) -> str:
    return "empty" if value in ({}, []) else f"`{_yaml(value)}`"


def reference() -> str:
    """Every config key, a table for each top-level key."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    used: set[str] = set()
    for path, kind, default, meaning in rows():
        top = path.partition(".")[0] if "." in path else "top level"
        groups.setdefault(top, []).append((f"`{path}`", kind, default, meaning))
        used |= {path, "*." + path.partition(".")[2]}
    if stale := NOTES.keys() - used:
        raise SystemExit(f"docs/tables.py: NOTES names no config key: {sorted(stale)}")
    head = ("key", "value", "default", "meaning")
    return "\n\n".join(f"### {top}\n\n{table(head, body)}" for top, body in groups.items())


def reserved() -> str:
    """ProxySQL variables that a stack cannot set."""
    return table(
        ("below", "refused"),
        [
            (f"`proxy.{kind}`", ", ".join(f"`{name}`" for name in sorted(names)))
            for kind, names in RESERVED_VARIABLES.items()
        ],
    )


def figures() -> str:
    """What the last committed bench runs printed, without their titles."""
    found = [file.read_text().partition("\n\n")[2].strip() for file in FIGURES if file.exists()]
    return "\n\n".join(found) or "No run yet: `make bench` writes `bench/results.md`."


SECTIONS: Mapping[str, Callable[[], str]] = {
    "needs": needs,
    "sizes": sizes,
    "outputs": output_table,
    "config": overview,
    "reference": reference,
    "reserved": reserved,
    "figures": figures,
}


def rendered(text: str) -> str:
    """`text` with every marked section made anew."""

    def section(match: re.Match[str]) -> str:
        name = match[1]
        if name not in SECTIONS:
            raise SystemExit(f"docs/tables.py: there is no section '{name}'")
        return f"<!-- begin:{name} -->\n\n{SECTIONS[name]()}\n\n<!-- end:{name} -->"

    return re.sub(r"<!-- begin:(\w+) -->.*?<!-- end:\1 -->", section, text, flags=re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail instead of writing")
    check = cast(bool, parser.parse_args().check)
    stale: list[str] = []
    for name in FILES:
        file = ROOT / name
        before = file.read_text()
        after = rendered(before)
        if before != after:
            stale.append(name)
            if not check:
                file.write_text(after)
    if check and stale:
        print(f"{', '.join(stale)}: tables are stale; run `python -m docs.tables`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
