"""The cluster that a stack goes to, looked at before anything is made: is it there, is it the same,
has it what the stack names, and does nobody else have what the stack would make.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import pulumi

from components import names, owner
from components.config import password_sources
from components.config.engine import ENGINES
from components.config.errors import Fault, format_fault, refuse, reject
from components.config.load import Loaded, Stack
from components.engines import mariadb_exporter
from components.engines.live import at
from components.guards import api, secrets
from components.guards.api import Cluster, Object, Refused, Unanswered
from components.guards.edits.facts import is_scraped
from components.operations import monitors

IDENTITY = "/api/v1/namespaces/kube-system"
"""Its `uid` is what tells clusters apart: it lives as long as the cluster does."""


def seen(
    stack: Stack, known: pulumi.Output[Mapping[str, Any]], settings: Mapping[str, Any]
) -> pulumi.Output[str | None]:
    """What tells the cluster from others (None if the user may not see it), once it was looked at.

    Fails with a ConfigError if the cluster cannot be asked or is another one than before, if a
    namespace, an existing Secret or a kind of prometheus-operator's is not there, if that of a
    store lacks a key, if a new database has the name of somebody else's, or if one that gets an
    exporter has one of people's. `known`: the facts at the last update; `settings`: those of the
    provider.
    """

    def everything(known: Mapping[str, Any]) -> tuple[Stack, Mapping[str, Any]]:
        return stack, known

    return api.look(known, settings, everything, _ask, _unanswered)


class _Seen:
    """What is in the cluster. What the user may not read is taken for nothing."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._answers: dict[tuple[str, bool], Object | None] = {}
        self.hidden: list[str] = []

    def get(
        self, path: str, otherwise: Object | None = None, *, whole: bool = False
    ) -> Object | None:
        """Metadata unless `whole`; `otherwise` if the user may not see it."""
        if path in self.hidden:
            return otherwise
        asked = path, whole
        try:
            if asked not in self._answers:
                self._answers[asked] = self._cluster.get(path, whole=whole)
        except Refused:
            self.hidden.append(path)
            return otherwise
        return self._answers[asked]


def _ask(cluster: Cluster, subject: tuple[Stack, Mapping[str, Any]]) -> str | None:
    seen = _Seen(cluster)
    identity = at(seen.get(IDENTITY), "metadata", "uid")
    refuse([*_faults(*subject, identity, seen)])
    for fault in dict.fromkeys(_warnings(subject[0], seen)):
        pulumi.log.warn(format_fault(*fault))
    if hidden := [path for path in dict.fromkeys(seen.hidden) if path != IDENTITY]:
        pulumi.log.warn(f"not looked at, as this user may not: GET {', '.join(hidden)}")
    return identity


def _unanswered(error: Unanswered, _: Any) -> NoReturn:
    reject(
        "kubernetes:context",
        f"the cluster cannot be asked: {error}",
        "name a context of the kubeconfig whose API server can be reached",
    )


def _faults(
    stack: Stack, known: Mapping[str, Any], identity: str | None, cluster: _Seen
) -> Iterator[Fault]:
    yield from another_cluster(known, identity)
    yield from _missing_kinds(stack, cluster)
    made = {one.config.namespace for one in stack.databases if one.config.create_namespace}
    before = {facts.get("namespace") for facts in known.values() if facts.get("create_namespace")}
    stores: list[secrets.Wanted] = []
    for one in stack.databases:
        config = one.config
        new = config.name not in known
        live = cluster.get(_namespace(one), {})
        if live is None and config.namespace not in made:
            yield (
                one.at("namespace"),
                f"namespace '{config.namespace}' is not in the cluster",
                "create it, set create_namespace to true, or check kubernetes:context",
            )
        if config.create_namespace and config.namespace not in before and _is_of_others(live):
            yield (
                one.at("create_namespace"),
                f"namespace '{config.namespace}' is there already, and this stack did not make it",
                "remove create_namespace, or choose another namespace",
            )
        if live is not None:
            yield from _missing_secrets(one, cluster)
            stores += secrets.wanted(one, new=new)
            if new and not config.adopting:
                yield from _owners(one, cluster)
            if not is_scraped(known.get(config.name, {})):
                yield from _exporters(one, cluster)
        elif config.namespace in made and new:
            yield from secrets.too_early(one)
    yield from secrets.missing(stores, lambda path: cluster.get(path, {}, whole=True))


def _namespace(one: Loaded) -> str:
    """Where the API has the namespace of a database."""
    return f"/api/v1/namespaces/{one.config.namespace}"


def _warnings(stack: Stack, cluster: _Seen) -> Iterator[Fault]:
    for one in stack.databases:
        if cluster.get(_namespace(one), {}) is None:  # else it would have been refused
            yield from secrets.afterwards(one)


def _exporters(one: Loaded, cluster: _Seen) -> Iterator[Fault]:
    """Whether people run an exporter of a database that gets one. An update would end half way."""
    config, engine = one.config, ENGINES[one.config.engine]
    if not (config.monitoring.enabled and engine.exports):
        return
    live = cluster.get(engine.api.path(config.namespace, config.name), whole=True)
    account = [*mariadb_exporter.of_another_account(config, at(live, "spec") or {})]
    for path, rule, fix in account or mariadb_exporter.of_others(config, cluster.get):
        yield one.at(path), rule, fix


def _missing_kinds(stack: Stack, cluster: _Seen) -> Iterator[Fault]:
    """Of prometheus-operator's. Without, mariadb-operator would only say so in its log, every ten
    seconds, and an update would end half way."""
    wanted = [(one, kinds) for one in stack.databases if (kinds := monitors.kinds(one.config))]
    if not wanted:
        return
    # Which kinds there are, every user may see (kubernetes.io/docs, "Discovery Roles").
    served = cluster.get(f"/apis/{monitors.API}", {}, whole=True)
    known = {resource["kind"] for resource in at(served, "resources") or ()}
    for one, kinds in wanted:
        if served != {} and (missing := kinds - known):
            yield (
                one.at("monitoring.scrape"),
                f"needs the kinds {', '.join(sorted(missing))}, which the cluster does not have",
                "install the CRDs of prometheus-operator first, or set it to annotations",
            )


def another_cluster(known: Mapping[str, Any], identity: str | None) -> Iterator[Fault]:
    """Whether the databases of the last update were in another cluster than the one seen."""
    for name, facts in known.items():
        if identity and facts.get("cluster", identity) != identity:
            yield (
                "kubernetes:context",
                f"leads to another cluster than the one with database '{name}'",
                "name that one; a database for another cluster is another stack",
            )


def _is_of_others(live: Object | None) -> bool:
    """Whether an object is there that this stack did not make. `{}`: nobody can tell."""
    return bool(live) and _owner(live) != owner.this_stack()


def _owner(live: Object | None) -> str | None:
    return at(live, "metadata", "annotations", owner.ANNOTATION)


def _missing_secrets(one: Loaded, cluster: _Seen) -> Iterator[Fault]:
    for source in password_sources.sources(one.config):
        if ref := source.declared.existing_secret:
            path = f"/api/v1/namespaces/{one.config.namespace}/secrets/{ref.name}"
            if cluster.get(path, {}) is None:
                yield (
                    one.at(f"{source.path}.existing_secret"),
                    f"Secret '{ref.name}' is not in namespace '{one.config.namespace}'",
                    "create it there, or name another",
                )


def _owners(one: Loaded, cluster: _Seen) -> Iterator[Fault]:
    """Whether somebody has a database of this name, or a neighbour that would be harmed."""
    config, path, namespace = one.config, one.place, one.config.namespace
    for engine, facts in ENGINES.items():
        live = cluster.get(facts.api.path(namespace, config.name))
        if fault := owner_fault(path, engine, config.name, namespace, live):
            yield fault
    for service in ENGINES[config.engine].unasked(config.name):
        if cluster.get(f"/api/v1/namespaces/{namespace}/services/{service}"):
            yield (
                path,
                f"its operator would delete the Service '{service}' of somebody else in namespace "
                f"'{namespace}'",
                "choose another name or namespace",
            )
    for facts in ENGINES.values():
        for end in facts.deleted_ends:
            other = config.name.removesuffix(end)
            beside = other not in ("", config.name)
            if beside and cluster.get(facts.api.path(namespace, other)):
                yield (
                    path,
                    f"a {facts.api.kind} '{other}' is in namespace '{namespace}': its operator "
                    f"would delete the Service '{config.name}'",
                    "choose another name or namespace",
                )


def owner_fault(
    path: str, engine: str, name: str, namespace: str, live: Object | None
) -> Fault | None:
    """The refusal of a new database, if `live` has its name and is not of this stack.

    One of this program's labels without an owner may be of a first update that did not end.
    """
    if live is None or (stack := _owner(live)) == owner.this_stack():
        return None
    kind = ENGINES[engine].api.kind
    if stack:
        return (
            path,
            f"{kind} '{name}' in namespace '{namespace}' belongs to stack '{stack}'",
            "choose another name or namespace, or work with that stack",
        )
    ours: Mapping[str, str] = at(live, "metadata", "labels") or {}
    if ours.items() >= names.labels(name, engine).items():
        return None
    return (
        path,
        f"namespace '{namespace}' has a {kind} '{name}' already, which this stack did not make",
        "set adopt: import (docs/migration.md), or choose another name",
    )
