"""Malformed configs: each is refused with one clear error before anything is made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from components.config.errors import path_of
from components.config.load import merge
from components.guards.remembered import READ_OUTPUTS
from render import recorder
from render.case import canary

pytestmark = pytest.mark.broad

INLINE = canary("inline")
STORED = canary("stored")
APP = {"username": "app", "existing_secret": {"name": "app", "key": "password"}}
EXISTING = {"default/app": {"password": STORED}, "default/given": {"pw": STORED}}


@dataclass(frozen=True)
class Bad:
    """A config and what its refusal says: the path, and a piece of the rule or the fix."""

    id: str
    config: Mapping[str, Any]
    path: str
    says: str
    secret_keys: tuple[str, ...] = ()
    existing: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: EXISTING)
    previous: Mapping[str, Any] = field(default_factory=dict[str, Any])


def database(**fields: Any) -> dict[str, Any]:
    return {"size": "small", "database": fields}


def proxy(**fields: Any) -> dict[str, Any]:
    return {"size": "small", "proxy": fields}


def users(*entries: Any) -> dict[str, Any]:
    return proxy(users=list(entries))


def rules(**fields: Any) -> dict[str, Any]:
    """One query rule, good but for these fields."""
    return proxy(enabled=True, query_rules=[{"rule_id": 1, "timeout": 100, **fields}])


def security(**fields: Any) -> dict[str, Any]:
    return {"size": "small", "security": fields}


SHOP: dict[str, Any] = {"name": "shop", "databases": {"shop": "owner"}}


def apps(*entries: Any, **fields: Any) -> dict[str, Any]:
    """A small stack of apps."""
    return {"size": "small", "apps": list(entries), **fields}


def app(**fields: Any) -> dict[str, Any]:
    """One app, good but for these fields."""
    return apps({**SHOP, **fields})


def on_percona(*entries: Any, **fields: Any) -> dict[str, Any]:
    """Apps of a cluster whose operator runs the proxies."""
    return apps(*entries, engine="percona", **fields)


def credential(role: str, **fields: Any) -> dict[str, Any]:
    return {"size": "small", "credentials": {role: fields}}


def given(name: str, key: str = "pw") -> dict[str, Any]:
    return {"existing_secret": {"name": name, "key": key}}


MONITOR, ROOT = "credentials.monitor", "credentials.root"
ROOT_SECRET = "credentials.root.existing_secret"
SAME = {"password": canary("same")}


def root(**fields: Any) -> dict[str, Any]:
    """A stack whose root has a password of the cluster."""
    return {"size": "small", "credentials": {"root": given("given")}, **fields}


def earlier(**facts: Any) -> dict[str, Any]:
    """The outputs of an earlier update of a small stack, with other facts."""
    known = {
        "engine": "mariadb",
        "namespace": "default",
        "topology": "replication",
        "storage": {"size": "10Gi", "storage_class": "standard"},
        "root": "generated",
        "replication": "generated",
        "proxy_volumes": "2Gi of class standard",
    }
    return {"immutable": {"mysql": {**known, **facts}}}


KNOWN_APP: dict[str, Any] = {
    "account": "shop",
    "accounts": ["shop", "shop_b"],
    "databases": ["shop"],
    "cleanup": "keep",
    "password": "generated",
    "rotation": 2.0,
}
"""An app of an earlier update; the engine gives numbers back as floats."""


def stored(**fields: Any) -> dict[str, Any]:
    """A small stack whose volumes have the class `standard`."""
    storage = {"size": "10Gi", "storage_class": "standard"}
    volumes = {"persistent": True, "size": "2Gi", "storage_class": "standard"}
    return {
        "size": "small",
        "database": {"storage": storage},
        "proxy": {"storage": volumes},
    } | fields


def placed(tier: str, **fields: Any) -> dict[str, Any]:
    return {"size": "small", "scheduling": {tier: fields}}


MEAN = "did you mean"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
TERM: dict[str, Any] = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}
ANTI = f"podAntiAffinity.{REQUIRED}[0]"
NODES = f"nodeAffinity.{REQUIRED}.nodeSelectorTerms[0]"


def node(**expression: Any) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "disk", **expression}]}
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}


def anti(**term: Any) -> dict[str, Any]:
    return {"podAntiAffinity": {REQUIRED: [term]}}


TOLERATIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "has no key"),
    ({"key": "a", "operator": "Exists", "value": "b"}, "has a value"),
    ({"key": "a", "toleration_seconds": 5}, "not effect NoExecute"),
]
AFFINITIES: list[tuple[dict[str, Any], str, str]] = [
    ({"nodeAffinity": {"required": []}}, "nodeAffinity.required", "known keys: req"),
    ({"nodeAffinity": {REQUIRED: {}}}, f"nodeAffinity.{REQUIRED}.nodeSelectorTerms", "required"),
    (
        {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}},
        f"nodeAffinity.{REQUIRED}.nodeSelectorTerms",
        "is empty",
    ),
    (node(operator="Is"), f"{NODES}.matchExpressions[0].operator", "must be 'In'"),
    (node(operator="In"), f"{NODES}.matchExpressions[0]", "In has no values"),
    (node(operator="Exists", values=["a"]), f"{NODES}.matchExpressions[0]", "takes no values"),
    (node(operator="Gt", values=["a"]), f"{NODES}.matchExpressions[0]", "an integer"),
    (node(operator="In", values=["a b"]), f"{NODES}.matchExpressions[0].values[0]", "of a label"),
    (anti(labelSelector={}), f"{ANTI}.topologyKey", "is required"),
    (anti(topologyKey="a", labelSelector=["a"]), f"{ANTI}.labelSelector", "must be a mapping"),
    (anti(topologyKey="a", matchLabelKeys=["a"]), ANTI, "no labelSelector"),
    (anti(**TERM, matchLabelKeys=["a"], mismatchLabelKeys=["a"]), ANTI, "keep it in one"),
    (
        {"podAntiAffinity": {PREFERRED: {"weight": 1, "podAffinityTerm": TERM}}},
        f"podAntiAffinity.{PREFERRED}",
        "must be a list",
    ),
    (
        {"podAffinity": {PREFERRED: [{"weight": 101, "podAffinityTerm": TERM}]}},
        f"podAffinity.{PREFERRED}[0].weight",
        "at most 100",
    ),
]
NODE_PORT = proxy(service={"type": "NodePort", "node_port": 30001})

MARIADBS: dict[str, dict[str, Any]] = {
    "images.data_plane": {"images": {"data_plane": {"tag": "1.2"}}},
    "credentials.replication": {"credentials": {"replication": {"rotation": 0}}},
    "database.probes.startup": {"database": {"probes": {"startup": {"period_seconds": 5}}}},
}
"""Config that means nothing to Percona's operator, by path."""
OWN_PROXIES: dict[str, dict[str, Any]] = {
    "users": {"users": [APP]},
    "threads": {"threads": 2},
    "query_rules": {"query_rules": []},
    "tls": {"tls": {"secret": "shown"}},
    "paused": {"paused": True},
    "service.port": {"service": {"port": 3306}},
    "storage.persistent": {"storage": {"persistent": True}},
}
"""Config below `proxy` that Percona's operator would not follow, by path."""
OWN_TIER: dict[str, dict[str, Any]] = {
    "credentials.monitor": {"credentials": {"monitor": {"rotation": 1}}},
    "credentials.proxy_admin": {"credentials": {"proxy_admin": {"rotation": 1}}},
    "security.proxy": {"security": {"proxy": {"run_as_user": 5}}},
    "security.network_policy": {"security": {"network_policy": {"enabled": True}}},
}
"""The same, elsewhere in the config."""

NOT_OFFERED_RULES = {
    "sticky_conn": "nothing in it uses the value",
    "reconnect": "nothing in it uses the value",
    "cache_timeout": "nothing in it uses the value",
    "mirror_hostgroup": "run statements twice",
    "mirror_flagOUT": "run statements twice",
    "mirror_flag_out": "run statements twice",
    "gtid_from_hostgroup": "no GTIDs",
    "proxy_addr": "address of a Pod",
    "attributes": "at random",
}
NOT_OFFERED_USERS = {
    "fast_forward": "acknowledged and lost",
    "transaction_persistent": "to several servers",
    "schema_locked": "nothing in it uses the value",
}
"""Keys of ProxySQL's with what their error says."""
SCRAPED: dict[str, Any] = {"size": "small", "monitoring": {"scrape": "prometheus_operator"}}

PLAIN = [
    # --- metrics that nobody would read ---
    Bad(
        "exporter-old",
        {**SCRAPED, "images": {"exporter": {"tag": "v0.14.0"}}},
        "images.exporter.tag",
        "has no /probe",
    ),
    Bad(
        "monitor-label",
        {**SCRAPED, "monitoring": {**SCRAPED["monitoring"], "labels": {"team": "db"}}},
        "monitoring.labels.team",
        "no label but release",
    ),
    Bad(
        "exporter-imported",
        {
            **SCRAPED,
            "adopt": "import",
            "credentials": {"root": given("r"), "replication": given("l")},
        },
        "monitoring.scrape",
        "leaves as it is",
    ),
    Bad(
        "exporter-account",
        {**app(username="mysql_ha_exporter"), **SCRAPED},
        "apps[0].username",
        "account",
    ),
    # --- keys that do not exist ---
    Bad("key-top", {"sise": "dev"}, "sise", f"{MEAN} 'size'"),
    Bad("key-top-far", {"quux": "1"}, "quux", "known: size, engine"),
    Bad("key-database", database(replica=3), "database.replica", f"{MEAN} 'replicas'"),
    Bad("key-storage", database(storage={"sizes": "1Gi"}), "database.storage.sizes", "'size'"),
    Bad("key-proxy", proxy(thread=1), "proxy.thread", f"{MEAN} 'threads'"),
    Bad("key-proxy-far", proxy(quux=1), "proxy.quux", "known keys: enabled, managed_by, routing"),
    Bad("key-service", proxy(service={"prot": 1}), "proxy.service.prot", f"{MEAN} 'port'"),
    Bad("key-hostgroups", proxy(hostgroups={"write": 1}), "proxy.hostgroups.write", "'writer'"),
    *(
        Bad(f"rule-{key}", rules(**{key: 1}), f"proxy.query_rules[0].{key}", harm)
        for key, harm in NOT_OFFERED_RULES.items()
    ),
    *(
        Bad(f"user-{key}", users({**APP, key: 1}), f"proxy.users[0].{key}", harm)
        for key, harm in NOT_OFFERED_USERS.items()
    ),
    Bad("key-scheduler", proxy(scheduler=[]), "proxy.scheduler", "admin password at hand"),
    Bad("key-monitor", proxy(monitor={"user": "x"}), "proxy.monitor.user", f"{MEAN} 'username'"),
    Bad("key-user", users({**APP, "active_": True}), "proxy.users[0].active_", "'active'"),
    Bad("key-drain", proxy(drain={"time_out": 1}), "proxy.drain.time_out", f"{MEAN} 'timeout'"),
    Bad(
        "key-limits",
        proxy(resources={"limits": {"cpus": "1"}}),
        "proxy.resources.limits.cpus",
        f"{MEAN} 'cpu'",
    ),
    Bad("key-role", credential("rot"), "credentials.rot", f"{MEAN} 'root'"),
    Bad("key-credential", credential("root", rotate=1), "credentials.root.rotate", "'rotation'"),
    Bad(
        "key-reference",
        credential("root", existing_secret={"name": "a", "key": "b", "nmae": "c"}),
        "credentials.root.existing_secret.nmae",
        f"{MEAN} 'name'",
    ),
    Bad(
        "key-scheduling",
        {"scheduling": {"proxy": {"node_selecter": {}}}},
        "scheduling.proxy.node_selecter",
        f"{MEAN} 'node_selector'",
    ),
    Bad(
        "key-affinity",
        {"scheduling": {"proxy": {"affinity": {"podAffinities": {}}}}},
        "scheduling.proxy.affinity.podAffinities",
        f"{MEAN} 'podAffinity'",
    ),
    Bad("key-security", {"security": {"protected": True}}, "security.protected", "'protect'"),
    Bad("key-image", {"images": {"proxy": {"tags": "1"}}}, "images.proxy.tags", f"{MEAN} 'tag'"),
    *(
        Bad(f"key-named-{key}", proxy(**{key: True}), f"proxy.{key}", "is not a config key")
        for key in ("bool", "int", "str")
    ),
    Bad("key-[key]", proxy(**{"[key]": 1}), 'proxy["[key]"]', "is not a config key"),
    Bad("key-index", {"databases": {"a": {"apps[0]": {}}}}, 'databases.a["apps[0]"]', "'apps'"),
    Bad("key-variable", proxy(mysql_variables={"int": [1]}), "proxy.mysql_variables.int", "whole"),
    Bad("key-lines", proxy(**{"a\nb": 1}), 'proxy["a\\nb"]', "is not a config key"),
    Bad("key-long", proxy(**{"x" * 999: 1}), f'proxy["{"x" * 79}\\u2026"]', "is not a config key"),
    # --- keys of others ---
    Bad("other-project", {"mysqlha:size": "small"}, "mysqlha:size", f"{MEAN} 'mysql-ha:size'"),
    Bad("other-provider", {"kubernets:context": "x"}, "kubernets:context", f"{MEAN} 'kubernetes:"),
    Bad("other-setting", {"kubernetes:contxt": "prod"}, "kubernetes:contxt", f"{MEAN} 'context'"),
    # --- JSON that YAML, a model or the state cannot hold ---
    Bad("json-huge", {"database": "1" * 5000}, "database", "must be a YAML mapping"),
    Bad("json-deep", {"proxy": "[" * 9999 + "]" * 9999}, "proxy", "nested more than 32 deep"),
    Bad("json-deep-key", {"proxy": '{"a":' * 99 + "1" + "}" * 99}, "proxy.a.a", "nested"),
    Bad("json-nan", {"proxy": '{"threads": NaN}'}, "proxy.threads", "is not a number"),
    Bad("json-infinite", {"proxy": '{"threads": 1e999}'}, "proxy.threads", "is not a number"),
    Bad(
        "json-surrogate",
        {"proxy": '{"pod_annotations": {"a": "\\ud800"}}'},
        "proxy.pod_annotations.a",
        "is not Unicode text",
    ),
    Bad("json-surrogate-key", {"proxy": '{"\\ud800": 1}'}, "proxy", "not Unicode text"),
    # --- what the API server refuses ---
    *(
        Bad(
            f"storage-{size}",
            database(storage={"size": size}),
            "database.storage.size",
            "more than Kubernetes can count" if "Ei" in size else "bytes with a unit",
        )
        for size in ("5", "500m", "\u0665Gi", "\uff11Gi", "9999999999999999999Ei", "8Ei")
    ),
    *(
        Bad(
            f"cpu-{cpu}",
            proxy(resources={"limits": {"cpu": cpu}}),
            "proxy.resources.limits.cpu",
            "number of cores",
        )
        for cpu in ("1Gi", "2k", "0.0001", "\u0661")
    ),
    Bad(
        "storage-class",
        database(storage={"size": "1Gi", "storage_class": "a..b"}),
        "database.storage.storage_class",
        "each part between dots",
    ),
    *(
        Bad(
            f"secret-key-{key}",
            {"credentials": {"root": given("given", key)}},
            "credentials.root.existing_secret.key",
            "key of a Secret",
        )
        for key in (".", "..", "..a")
    ),
    Bad("duration-go", database(ready_timeout="2562048h"), "database.ready_timeout", "2562047h"),
    Bad("version-digits", database(version="\u0661.\u0662"), "database.version", "must match"),
    Bad(
        "server-version-digits",
        proxy(server_version="\u0668.\u0660.\u0660"),
        "proxy.server_version",
        "must match",
    ),
    *(
        Bad(
            f"registry-{text}",
            {"images": {"database": {"registry": text}}},
            "images.database.registry",
            "host of a registry",
        )
        for text in ("registry", "-r.example.com", "r.example.com:\u0665", "r.example.com/a", "")
    ),
    *(
        Bad(
            f"repository-{text}",
            {"images": {"database": {"repository": text}}},
            "images.database.repository",
            "path of an image",
        )
        for text in ("a//b", "a___b", "A", "a/", "a:b", "x" * 201)
    ),
    *(
        Bad(f"tag-{tag}", {"images": {"database": {"tag": tag}}}, "images.database.tag", "floating")
        for tag in ("Latest", "11", "LTS", "v11")
    ),
    *(
        Bad(
            f"pulumi-{key}",
            proxy(service={"annotations": {key: "true"}}),
            "proxy.service.annotations",
            "of Pulumi's own",
        )
        for key in ("pulumi.com/skipAwait", "x.pulumi.com/a")
    ),
    Bad(
        "annotations-big",
        proxy(pod_annotations={"a": "x" * 300_000}),
        "proxy.pod_annotations",
        "more than 240 KiB",
    ),
    Bad("annotation-key", proxy(pod_annotations={"a..b/c": ""}), "proxy.pod_annotations", "a key"),
    *(
        Bad(
            f"namespace-own-{name}",
            {"namespace": name, "create_namespace": True},
            "create_namespace",
            "every cluster has",
        )
        for name in ("default", "kube-system")
    ),
    *(
        Bad(
            f"toleration-{number}",
            placed("proxy", tolerations=[fields]),
            "scheduling.proxy.tolerations[0]",
            says,
        )
        for number, (fields, says) in enumerate(TOLERATIONS)
    ),
    *(
        Bad(
            f"affinity-{number}",
            placed("proxy", affinity=fields),
            f"scheduling.proxy.affinity.{path}",
            says,
        )
        for number, (fields, path, says) in enumerate(AFFINITIES)
    ),
    Bad(
        "affinity-operators",
        placed(
            "database", affinity={"podAntiAffinity": {REQUIRED: [{**TERM, "namespaces": ["a"]}]}}
        ),
        f"scheduling.database.affinity.podAntiAffinity.{REQUIRED}[0].namespaces",
        "is not in the operator's MariaDB object",
    ),
    Bad(
        "affinity-no-spread",
        placed("database", spread="required", affinity={"podAntiAffinity": {}}),
        "scheduling.database.affinity.podAntiAffinity",
        "take the place of the one that spread makes",
    ),
    Bad("dev-proxy-users", {"proxy": {"users": [APP]}}, "proxy.users", "size dev has no proxies"),
    # --- wrong types ---
    Bad("type-database", {"database": [1]}, "database", "must be a mapping"),
    Bad("type-database-text", {"database": "small"}, "database", "must be a YAML mapping"),
    Bad("type-proxy-null", {"proxy": None}, "proxy", "must be a mapping"),
    Bad("type-replicas-text", database(replicas="3"), "database.replicas", "integer"),
    Bad("type-replicas-float", database(replicas=3.5), "database.replicas", "integer"),
    Bad("type-replicas-bool", database(replicas=True), "database.replicas", "integer"),
    Bad("type-my-cnf", database(my_cnf=["a"]), "database.my_cnf", "string"),
    Bad("type-version", database(version=11.8), "database.version", "string"),
    Bad("type-enabled", proxy(enabled="yes"), "proxy.enabled", "boolean"),
    Bad("type-users", proxy(users={"app": {}}), "proxy.users", "must be a list"),
    Bad("type-user", users("app"), "proxy.users[0]", "must be a mapping"),
    Bad("type-labels", proxy(pod_labels=["a"]), "proxy.pod_labels", "must be a mapping"),
    Bad("type-label-value", proxy(pod_labels={"a": 1}), "proxy.pod_labels.a", "string"),
    Bad(
        "type-cpu", proxy(resources={"limits": {"cpu": 1}}), "proxy.resources.limits.cpu", "string"
    ),
    Bad("type-create-namespace", {"create_namespace": "yes"}, "create_namespace", "true or false"),
    Bad("type-create-namespace-1", {"create_namespace": 1}, "create_namespace", "boolean"),
    Bad("type-await-sql", {"await_sql": "no"}, "await_sql", "true or false"),
    Bad("type-protect", {"security": {"protect": "no"}}, "security.protect", "boolean"),
    # --- numbers ---
    Bad("number-replicas-0", database(replicas=0), "database.replicas", "at least 1"),
    Bad("number-replicas-11", database(replicas=11), "database.replicas", "at most 9"),
    Bad("number-proxies-0", proxy(replicas=0), "proxy.replicas", "at least 1"),
    Bad("number-threads", proxy(threads=256), "proxy.threads", "at most 255"),
    Bad("number-negative", proxy(max_connections=-1), "proxy.max_connections", "at least 1"),
    Bad(
        "number-hostgroup",
        proxy(hostgroups={"writer": 2**31}),
        "proxy.hostgroups.writer",
        "at most",
    ),
    Bad(
        "number-reader-0", proxy(hostgroups={"reader": 0}), "proxy.hostgroups.reader", "at least 1"
    ),
    Bad("number-port-0", proxy(service={"port": 0}), "proxy.service.port", "at least 1"),
    Bad("number-port", proxy(service={"port": 70000}), "proxy.service.port", "at most 65535"),
    Bad(
        "number-node-port",
        proxy(service={"type": "NodePort", "node_port": 80}),
        "proxy.service.node_port",
        "at least 30000",
    ),
    Bad(
        "number-interval", proxy(monitor={"ping_interval": 5}), "proxy.monitor.ping_interval", "100"
    ),
    Bad("number-rotation", credential("monitor", rotation=-1), "credentials.monitor.rotation", "0"),
    *(
        Bad(
            f"ids-{tier}-{key}",
            {"size": "small", "security": {"set_user_ids": False, tier: {key: 1000}}},
            f"security.{tier}.{key}",
            "the cluster assigns ids",
        )
        for tier in ("database", "proxy")
        for key in ("run_as_user", "run_as_group", "fs_group")
    ),
    Bad(
        "number-uid-0",
        {"security": {"proxy": {"run_as_user": 0}}},
        "security.proxy.run_as_user",
        "1",
    ),
    Bad("number-drain", proxy(drain={"timeout": 9999}), "proxy.drain.timeout", "at most 3600"),
    # --- quantities, durations and other texts ---
    Bad("text-size", {"size": "medium"}, "size", "one of dev, small, large"),
    Bad("text-size-list", {"databases": {"a": {"size": []}}}, "databases.a.size", "one of dev"),
    Bad("text-engine", {"engine": "mysql"}, "engine", "one of mariadb, percona"),
    Bad("text-engine-list", {"engine": ["mariadb"]}, "engine", "one of mariadb, percona"),
    Bad("text-mode", proxy(managed_by="external"), "proxy.managed_by", "one of mysql-ha, operator"),
    Bad("text-routing", proxy(routing="service"), "proxy.routing", "'primary_service'"),
    Bad("text-storage", database(storage={"size": "10GB"}), "database.storage.size", "a unit"),
    Bad("text-storage-0", database(storage={"size": "0Gi"}), "database.storage.size", "than zero"),
    Bad(
        "text-memory",
        proxy(resources={"limits": {"memory": "lots"}}),
        "proxy.resources.limits.memory",
        "a unit",
    ),
    Bad("text-duration", database(ready_timeout="20"), "database.ready_timeout", "duration"),
    Bad("text-duration-empty", database(ready_timeout=""), "database.ready_timeout", "duration"),
    Bad("text-topology", database(topology="group"), "database.topology", "'galera'"),
    Bad("text-version", database(version="eleven"), "database.version", "must match"),
    Bad("text-clustering", proxy(clustering="on"), "proxy.clustering", "'membership'"),
    Bad(
        "text-service", proxy(service={"type": "ExternalName"}), "proxy.service.type", "'NodePort'"
    ),
    Bad(
        "text-spread",
        {"scheduling": {"proxy": {"spread": "yes"}}},
        "scheduling.proxy.spread",
        "'none'",
    ),
    Bad("text-interfaces", proxy(interfaces="6033"), "proxy.interfaces", "address:port"),
    *(
        Bad(f"text-interfaces-{name}", proxy(interfaces=text), "proxy.interfaces", "address:port")
        for name, text in (
            ("python-number", "0.0.0.0:6_033"),
            ("address", "999.1.1.1:6033"),
            ("ipv6", ":::6033"),
            ("ipv6-open", "[::6033"),
            ("ipv6-in-brackets", "[1.2.3.4]:6033"),
            ("host", "localhost:6033"),
            ("end", "0.0.0.0:6033;"),
        )
    ),
    *(
        Bad(f"interfaces-{name}", proxy(interfaces=text), "proxy.interfaces", says)
        for name, text, says in (
            ("port-0", "0.0.0.0:0", "from 1024 to 65535"),
            ("low-port", "0.0.0.0:80", "from 1024 to 65535"),
            ("big-port", "0.0.0.0:65536", "from 1024 to 65535"),
            ("loopback", "127.0.0.1:6033", "no probe and no Service"),
            ("loopback-first", "127.0.0.1:6034;0.0.0.0:6033", "no probe and no Service"),
            ("another-address", "0.0.0.0:6033;10.0.0.7:6034", "no probe and no Service"),
            ("loopback-ipv6", "[::1]:6033", "no probe and no Service"),
            ("another-ipv6", "[::]:6033;[fd00::7]:6034", "no probe and no Service"),
        )
    ),
    # ProxySQL cannot listen twice on a port, and the container would name one port twice.
    *(
        Bad(f"interfaces-{name}", proxy(interfaces=text), "proxy.interfaces", "a port twice")
        for name, text in (
            ("admin", "0.0.0.0:6032"),
            ("metrics", "0.0.0.0:6033;0.0.0.0:6070"),
            ("twice", "0.0.0.0:6033;127.0.0.1:6033"),
            ("twice-ipv6", "[::]:6033;[::1]:6033"),
            ("admin-ipv6", "0.0.0.0:6033;[::]:6032"),
        )
    ),
    # A quote would break the SQL of the row, and the topology table would stay empty.
    *(
        Bad(
            f"comment-{name}",
            proxy(hostgroups={"comment": text}),
            "proxy.hostgroups.comment",
            "must match",
        )
        for name, text in (
            ("quote", "O'Brien"),
            ("double-quote", 'a"b'),
            ("backslash", "a\\b"),
            ("newline", "a\n"),
            ("nul", "\0"),
            ("long", "x" * 201),
        )
    ),
    Bad("text-server-version", proxy(server_version="8"), "proxy.server_version", "must match"),
    Bad(
        "text-schema",
        users({**APP, "default_schema": "a'b"}),
        "proxy.users[0].default_schema",
        "must be 1 to 64 letters",
    ),
    Bad("text-label-key", proxy(pod_labels={"-a": "b"}), "proxy.pod_labels", "does not accept"),
    Bad(
        "text-label-value",
        proxy(pod_labels={"a": "b c"}),
        "proxy.pod_labels",
        "not a valid label value",
    ),
    Bad("text-label-prefix", proxy(pod_labels={"/a": "b"}), "proxy.pod_labels", "does not accept"),
    *(
        Bad(
            f"label-{tier}-{key}", {"size": "small", tier: {"pod_labels": {key: "x"}}}, path, "keys"
        )
        for tier, path in (("database", "database.pod_labels"), ("proxy", "proxy.pod_labels"))
        for key in (
            "app.kubernetes.io/instance",
            "statefulset.kubernetes.io/pod-name",
            "k8s.mariadb.com/role",
        )
    ),
    Bad("text-annotation", proxy(pod_annotations={"a b": "c"}), "proxy.pod_annotations", "key"),
    Bad(
        "text-pull-policy",
        {"images": {"proxy": {"pull_policy": "No"}}},
        "images.proxy.pull_policy",
        "'Always'",
    ),
    Bad(
        "text-digest", {"images": {"proxy": {"digest": "sha256:1"}}}, "images.proxy.digest", "match"
    ),
    Bad(
        "text-toleration",
        {"scheduling": {"database": {"tolerations": [{"operator": "In"}]}}},
        "scheduling.database.tolerations[0].operator",
        "'Exists'",
    ),
    Bad(
        "node-loss-below",
        {"scheduling": {"proxy": {"node_loss_seconds": -1}}},
        "scheduling.proxy.node_loss_seconds",
        "at least 0",
    ),
    Bad(
        "node-loss-above",
        {"scheduling": {"database": {"node_loss_seconds": 86_401}}},
        "scheduling.database.node_loss_seconds",
        "at most 86400",
    ),
    Bad(
        "type-node-loss",
        {"scheduling": {"database": {"node_loss_seconds": "30s"}}},
        "scheduling.database.node_loss_seconds",
        "integer",
    ),
    Bad(
        "root-user",
        {"security": {"proxy": {"run_as_non_root": False}}},
        "security.proxy.run_as_non_root",
        "True",
    ),
    # --- names ---
    Bad("name-case", {"name": "Orders"}, "name", "DNS label"),
    Bad("name-empty", {"name": ""}, "name", "DNS label"),
    Bad("name-long", {"name": "x" * 41}, "name", "longer than 40"),
    Bad("name-namespace", {"namespace": "My_Shop"}, "namespace", "namespace name"),
    Bad(
        "name-secret",
        credential("root", **given("A B")),
        "credentials.root.existing_secret.name",
        "name of",
    ),
    Bad(
        "name-key",
        credential("root", **given("a", "b c")),
        "credentials.root.existing_secret.key",
        "key of",
    ),
    Bad(
        "name-class",
        database(storage={"storage_class": "Fast"}),
        "database.storage.storage_class",
        "name of",
    ),
    Bad("name-user", users({**APP, "username": "a'b"}), "proxy.users[0].username", "letters"),
    Bad("name-user-empty", users({**APP, "username": ""}), "proxy.users[0].username", "letters"),
    Bad(
        "tls-off-with-a-certificate",
        {"size": "small", "security": {"tls": {"enabled": False, "secret": "own"}}},
        "security.tls",
        "is off",
    ),
    Bad(
        "semi-sync-too-long",
        {
            "size": "small",
            "database": {"semi_sync_timeout": "16s"},
            "proxy": {"min_semi_sync_replicas": 0},
        },
        "database.semi_sync_timeout",
        "20000 ms",
    ),
    Bad(
        "semi-sync-timeout-without",
        {"size": "small", "database": {"semi_sync": False, "semi_sync_timeout": "3s"}},
        "database.semi_sync_timeout",
        "has no effect",
    ),
    *(
        Bad(
            f"my-cnf-{option}",
            {"size": "small", "database": {"my_cnf": f"{option} = 1"}},
            "database.my_cnf",
            f"must not set {option}",
        )
        for option in (
            "read_only",
            "init_slave",
            "rpl_semi_sync_master_timeout",
            "rpl_semi_sync_master_wait_no_slave",
        )
    ),
    *(
        Bad(
            f"rule-regex-{n}",
            rules(match_pattern=text),
            "proxy.query_rules[0].match_pattern",
            says,
        )
        for n, (text, says) in enumerate(
            (
                (r"\u0041", r"has \u"),
                ("(?a)x", "begins with (?a"),
                ("(?P<n>a)(?P<n>b)", "the name of a group twice"),
                ("(?P<é>x)", "ASCII letters"),
                ("^a{,3}$", "plain text"),
                ("(?:(?:a{1000}){1000}){1000}", "too large"),
                ("(a+)+$", "backtrack"),
                ("^(a|b)+$", "end the proxy"),
            )
        )
    ),
    Bad(
        "rule-negates-nothing",
        rules(negate_match_pattern=True, timeout=100),
        "proxy.query_rules[0]",
        "has negate_match_pattern, but no pattern",
    ),
    Bad(
        "rule-retries-of-a-rule-that-goes-on",
        rules(retries=1, destination_hostgroup=20, match_digest="^SELECT", apply=False),
        "proxy.query_rules[0].retries",
        "run a write twice",
    ),
    Bad(
        "percona-9",
        {
            "engine": "percona",
            "size": "small",
            "proxy": {"managed_by": "mysql-ha"},
            "images": {"database": {"tag": "9.1.0"}},
        },
        "images.database.tag",
        "newer than the 8.x",
    ),
    Bad("tls-ca-of-nothing", proxy(tls={"ca_key": "ca.crt"}), "proxy.tls", "no Secret"),
    Bad(
        "tls-ca-is-the-key",
        proxy(tls={"secret": "own", "ca_key": "tls.key"}),
        "proxy.tls",
        "private key",
    ),
    Bad(
        "name-monitor",
        proxy(monitor={"username": "root"}),
        "proxy.monitor",
        "an account of the servers",
    ),
    *(
        Bad(
            f"name-monitor-{name}",
            proxy(monitor={"username": name}),
            "proxy.monitor",
            "an account of the servers",
        )
        for name in ("pmmserver", "pmmserverkey", "pmmservertoken")
    ),
    *(
        Bad(
            f"name-monitor-of-user-{name}",
            proxy(users=[{**APP, "username": name}], monitor={"username": "watch"}),
            "proxy.users[0].username",
            f"'{name}' is the account of proxy.monitor",
        )
        for name in ("watch", "watch_b")
    ),
    # --- images ---
    Bad(
        "image-vulnerable",
        {"images": {"proxy": {"tag": "3.0.3-debian"}}},
        "images.proxy.tag",
        "CVE-2026-48773",
    ),
    Bad(
        "image-vulnerable-2",
        {"images": {"proxy": {"tag": "2.7.3"}}},
        "images.proxy.tag",
        "CVE-2026-48773",
    ),
    Bad(
        "image-unknown",
        {"images": {"proxy": {"tag": "debian"}}},
        "images.proxy.tag",
        "may lack the fix",
    ),
    Bad(
        "pull-secret-twice",
        {"images": {"pull_secrets": ["a", "b", "a"]}},
        "images.pull_secrets[2]",
        "'a' is listed twice",
    ),
    Bad("image-floating", {"images": {"proxy": {"tag": "latest"}}}, "images.proxy.tag", "floating"),
    Bad(
        "image-floating-db",
        {"images": {"database": {"tag": "main"}}},
        "images.database.tag",
        "floating",
    ),
    Bad("image-tag", {"images": {"database": {"tag": "a b"}}}, "images.database.tag", "image tag"),
    Bad(
        "image-old-db",
        {"images": {"database": {"tag": "10.5.1"}}},
        "images.database.tag",
        "older than 10.6",
    ),
    Bad(
        "image-no-version",
        {"images": {"database": {"tag": "noble"}}},
        "database.version",
        "cannot be read",
    ),
    # --- topology and arithmetic ---
    Bad("topology-standalone", {"database": {"replicas": 2}}, "database", "exactly 1 replica"),
    Bad("topology-replication", database(replicas=1), "database", "at least 2 replicas"),
    Bad("topology-galera-even", database(topology="galera", replicas=4), "database", "odd number"),
    Bad("topology-galera-1", database(topology="galera", replicas=1), "database", "odd number"),
    Bad(
        "resources",
        proxy(resources={"requests": {"cpu": "2"}}),
        "proxy.resources",
        "requests more cpu",
    ),
    Bad(
        "hostgroups",
        proxy(hostgroups={"writer": 5, "reader": 5}),
        "proxy.hostgroups",
        "four different",
    ),
    Bad(
        "hostgroups-unused", proxy(hostgroups={"offline": 10}), "proxy.hostgroups", "four different"
    ),
    *(
        Bad(f"service-{key}-{kind}", proxy(service={"type": kind, key: value}), path, rule)
        for key, value, kinds, rule in (
            ("external_traffic_policy", "Local", ("ClusterIP",), "for clients from outside"),
            (
                "load_balancer_source_ranges",
                ["10.0.0.0/8"],
                ("ClusterIP", "NodePort"),
                "for a load balancer",
            ),
            ("load_balancer_class", "nlb", ("ClusterIP", "NodePort"), "for a load balancer"),
        )
        for kind in kinds
        for path in (f"proxy.service.{key}",)
    ),
    *(
        Bad(
            f"cidr-{text}",
            proxy(service={"type": "LoadBalancer", "load_balancer_source_ranges": [text]}),
            "proxy.service.load_balancer_source_ranges[0]",
            "a range of addresses",
        )
        for text in ("10.0.0.0", "10.0.0.1/8", "10.0.0.0/255.0.0.0", "10.0.0.0/33", "FD00::/8", "")
    ),
    Bad(
        "load-balancer-class",
        proxy(service={"type": "LoadBalancer", "load_balancer_class": "a/b/c"}),
        "proxy.service.load_balancer_class",
        "class of load balancers",
    ),
    Bad("stats-reader-nobody", proxy(stats_readers=[{}]), "proxy.stats_readers[0]", "names nobody"),
    Bad(
        "stats-reader-unused",
        credential("proxy_stats_reader", rotation=1),
        "credentials.proxy_stats_reader",
        "without proxy.stats_readers",
    ),
    Bad(
        "stats-reader-user",
        merge(
            users({"username": "stats_reader", **given("app")}),
            proxy(stats_readers=[{"namespace": "a"}]),
        ),
        "proxy.users[0].username",
        "is an account of ProxySQL itself",
    ),
    *(
        Bad(
            f"server-beside-hostgroup-{number}",
            proxy(other_servers=[{"host": "reports.example.com", "hostgroup": number}]),
            "proxy.other_servers[0].hostgroup",
            "is a hostgroup of this database",
        )
        for number in (10, 20, 30, 40)
    ),
    *(
        Bad(
            f"server-beside-{host}",
            proxy(other_servers=[{"host": host, "hostgroup": 50}]),
            "proxy.other_servers[0].host",
            "is of this database itself",
        )
        for host in (
            "mysql-primary",
            "mysql-secondary.default",
            "mysql.default.svc.cluster.local",
            "mysql-0.mysql-internal",
            "mysql-1.mysql-internal.default.svc.cluster.local",
        )
    ),
    Bad(
        "server-beside-twice",
        proxy(other_servers=[{"host": "a.example.com", "hostgroup": 50}] * 2),
        "proxy.other_servers[1]",
        "listed twice",
    ),
    Bad(
        "server-beside-no-name",
        proxy(other_servers=[{"host": "a b", "hostgroup": 50}]),
        "proxy.other_servers[0].host",
        "must be a host's name",
    ),
    Bad(
        "server-beside-of-no-rule",
        proxy(
            other_servers=[{"host": "a.example.com", "hostgroup": 50}],
            query_rules=[{"rule_id": 1, "destination_hostgroup": 51}],
        ),
        "proxy.query_rules[0].destination_hostgroup",
        "10, 20, 50",
    ),
    Bad("node-port-type", proxy(service={"node_port": 30001}), "proxy.service", "no node port"),
    Bad(
        "node-port-admin",
        proxy(service={"type": "NodePort", "admin_node_port": 30001}),
        "proxy.service",
        "needs the admin Service",
    ),
    Bad(
        "node-port-same",
        proxy(
            service={
                "type": "NodePort",
                "expose_admin": True,
                "node_port": 30001,
                "admin_node_port": 30001,
            }
        ),
        "proxy.service",
        "must differ",
    ),
    Bad(
        "monitor-timeout",
        proxy(monitor={"ping_timeout": 3000}),
        "proxy.monitor",
        "monitor.ping_timeout is longer than its interval",
    ),
    Bad(
        "connections",
        proxy(backend_max_connections=200),
        "proxy.backend_max_connections",
        "may open 600 connections to one server, but only 400 of its database.max_connections",
    ),
    Bad(
        # The writer's server is in both hostgroups.
        "connections-split",
        proxy(backend_max_connections=67, read_write_split=True),
        "proxy.backend_max_connections",
        "may open 402 connections to one server, but only 400 of its database.max_connections",
    ),
    Bad(
        # The proxies' monitors and a reserve leave less than 80 %.
        "connections-monitors",
        database(max_connections=75) | proxy(replicas=6, max_replicas=6, backend_max_connections=3),
        "proxy.backend_max_connections",
        "may open 18 connections to one server, but only 16 of its database.max_connections (75)",
    ),
    Bad(
        "connections-none",
        database(max_connections=20) | {"proxy": {"replicas": 20}},
        "proxy.backend_max_connections",
        "20 proxies may open 20 connections to one server",
    ),
    Bad(
        # There may be five without a roll.
        "connections-of-more",
        database(max_connections=54) | proxy(replicas=3),
        "proxy.backend_max_connections",
        "5 proxies may open 5 connections to one server, but only 2 of its",
    ),
    Bad(
        "max-replicas",
        proxy(replicas=3, max_replicas=2),
        "proxy.max_replicas",
        "is below the 3 of proxy.replicas",
    ),
    Bad(
        "connections-my-cnf",
        database(my_cnf="max-connections=9"),
        "database.my_cnf",
        "must not set max_connections",
    ),
    Bad(
        "my-cnf-client",
        database(my_cnf=f"[client]\npassword={INLINE}"),
        "database.my_cnf",
        "begins a section that this server does not read",
    ),
    Bad(
        "my-cnf-memory",
        database(my_cnf="innodb_buffer_pool_size = 2G"),
        "database.my_cnf",
        "the memory limit is 2048 MiB",
    ),
    Bad(
        "memory-of-connections",
        database(max_connections=20_000),
        "database.resources.limits.memory",
        "20000 connections",
    ),
    Bad(
        "galera-provider-tls",
        database(topology="galera", galera={"provider_options": {"socket.ssl_key": "/x"}}),
        "database.galera.provider_options.socket.ssl_key",
        "security.tls decides it",
    ),
    Bad(
        "galera-provider-text",
        database(topology="galera", galera={"provider_options": {"gcache.size": "1G;pc.x=1"}}),
        'database.galera.provider_options["gcache.size"]',
        "must be letters, digits",
    ),
    Bad(
        "galera-provider-of-replication",
        database(galera={"provider_options": {"gcache.size": "1G"}}),
        "database.galera",
        "topology galera only",
    ),
    Bad(
        "binlog-never", database(binlog_expire_days=0), "database.binlog_expire_days", "at least 1"
    ),
    Bad(
        "cluster-domain",
        {"cluster_domain": "cluster.local."},
        "cluster_domain",
        "must be a DNS domain",
    ),
    Bad(
        "lag",
        proxy(max_replication_lag=5) | database(topology="galera"),
        "proxy.max_replication_lag",
        "replication with proxy.routing monitor only",
    ),
    Bad(
        "lag-service",
        proxy(routing="primary_service", read_write_split=True, max_replication_lag=5),
        "proxy.max_replication_lag",
        "proxy.routing monitor only",
    ),
    Bad(
        "fence-too-high",
        {"size": "small", "proxy": {"min_semi_sync_replicas": 3}},
        "proxy.min_semi_sync_replicas",
        "is impossible: 3 servers are a primary and 2 replicas",
    ),
    Bad(
        "fence-without-semi-sync",
        {
            "size": "small",
            "database": {"semi_sync": False},
            "proxy": {"min_semi_sync_replicas": 1},
        },
        "proxy.min_semi_sync_replicas",
        "needs semi_sync",
    ),
    *(
        Bad(
            f"{key}-{name}",
            {"size": "small", **other, "proxy": {key: 1, **other.get("proxy", {})}},
            f"proxy.{key}",
            "needs database.topology replication, proxy.routing primary_service",
        )
        for key in ("switchover_wait", "min_semi_sync_replicas")
        for name, other in {
            "monitor": {"proxy": {"routing": "monitor"}},
            "runtime": {"proxy": {"clustering": "runtime"}},
            "galera": {"database": {"topology": "galera"}},
        }.items()
    ),
    Bad(
        "lag-no-reader",
        proxy(routing="monitor", max_replication_lag=5),
        "proxy.max_replication_lag",
        "has no effect",
    ),
    # --- routing, split, engines ---
    *(
        Bad(
            f"routing-{topology}",
            {"size": size, "database": {"topology": topology}}
            | {"proxy": {"enabled": True, "routing": "primary_service"}},
            "proxy.routing",
            "is for database.topology replication only",
        )
        for size, topology in (("dev", "standalone"), ("small", "galera"))
    ),
    *(
        Bad(
            f"{key}-{engine}",
            {"engine": engine, "size": "small", "database": {"topology": "galera", key: value}},
            f"database.{key}",
            "is for database.topology replication only",
        )
        for key, value in (
            ("semi_sync", True),
            ("semi_sync_timeout", "1s"),
            ("failover_delay_seconds", 1),
        )
        for engine in ("mariadb", "percona")
    ),
    Bad(
        "semi-sync-timeout",
        database(semi_sync_timeout="2"),
        "database.semi_sync_timeout",
        "must be a duration",
    ),
    Bad(
        "split-standalone",
        {"proxy": {"enabled": True, "read_write_split": True}},
        "proxy.read_write_split",
        "needs replicas",
    ),
    Bad("split-type", proxy(read_write_split=1), "proxy.read_write_split", "boolean"),
    Bad("mode-old-key", proxy(mode="standalone"), "proxy.mode", "is called managed_by now"),
    Bad("mode-mariadb", proxy(managed_by="operator"), "proxy.managed_by", "runs no ProxySQL"),
    Bad(
        "foreign-percona",
        {"percona": {"log_collector": True}},
        "percona",
        "is not for engine mariadb",
    ),
    Bad(
        "foreign-collector",
        {"images": {"log_collector": {"tag": "1.2"}}},
        "images.log_collector",
        "is not for engine mariadb",
    ),
    *(
        Bad(f"foreign-{path}", {"engine": "percona", **tree}, path, "is not for engine percona")
        for path, tree in MARIADBS.items()
    ),
    Bad("percona-name", {"engine": "percona", "name": "x" * 23}, "name", "longer than 22"),
    Bad(
        "percona-topology",
        {"engine": "percona", "database": {"topology": "standalone"}},
        "database.topology",
        "always a Galera cluster",
    ),
    Bad(
        "percona-replicas",
        {"engine": "percona", "size": "small", "database": {"replicas": 7}},
        "database.replicas",
        "1 (unsafe: development only), 3 or 5",
    ),
    Bad(
        "foreign-grace",
        database(termination_grace_seconds=60),
        "database.termination_grace_seconds",
        "is not for engine mariadb",
    ),
    Bad(
        "probe-0",
        database(probes={"liveness": {"period_seconds": 0}}),
        "database.probes.liveness.period_seconds",
        "at least 1",
    ),
    Bad(
        "percona-cr-version",
        {"engine": "percona", "percona": {"cr_version": "1.17.9"}},
        "percona.cr_version",
        "older than 1.18.0",
    ),
    Bad(
        "percona-cr-version-text",
        {"engine": "percona", "percona": {"cr_version": "1.18"}},
        "percona.cr_version",
        "must match",
    ),
    Bad(
        "percona-old",
        {"engine": "percona", "database": {"version": "5.7.44"}},
        "database.version",
        "older than 8.0",
    ),
    *(
        Bad(
            f"percona-operator-{path}",
            {"engine": "percona", "size": "small", "proxy": tree},
            f"proxy.{path}",
            "is not for proxy.managed_by operator",
        )
        for path, tree in OWN_PROXIES.items()
    ),
    *(
        Bad(
            f"percona-operator-{path}",
            {"engine": "percona", "size": "small", **tree},
            path,
            "is not for proxy.managed_by operator",
        )
        for path, tree in OWN_TIER.items()
    ),
    Bad(
        "percona-null",
        {"databases": {"a": {"engine": "percona", "percona": None}}},
        "databases.a.percona",
        "required by engine percona",
    ),
    Bad(
        "percona-namespace",
        {"engine": "percona", "size": "small", "namespace": "shop", "create_namespace": True},
        "create_namespace",
        "Pod Security `restricted`",
    ),
    # --- query rules ---
    Bad("rule-port", rules(proxy_port=6034), "proxy.query_rules[0].proxy_port", "use one of 6033"),
    Bad(
        "rule-user",
        rules(username="nobody"),
        "proxy.query_rules[0].username",
        "'nobody' is not a user of the proxies",
    ),
    Bad("rule-key", rules(flag_out_=1), "proxy.query_rules[0].flag_out_", f"{MEAN} 'flag_out'"),
    Bad("rule-list", proxy(query_rules={}), "proxy.query_rules", "must be a list"),
    Bad("rule-text", proxy(query_rules=["a"]), "proxy.query_rules[0]", "must be a mapping"),
    Bad(
        "rule-no-id",
        proxy(query_rules=[{"timeout": 100}]),
        "proxy.query_rules[0].rule_id",
        "required",
    ),
    Bad("rule-nothing", rules(timeout=None), "proxy.query_rules[0]", "does nothing"),
    Bad(
        "rule-nothing-to-replace",
        rules(replace_pattern="x"),
        "proxy.query_rules[0]",
        "replaces what match_pattern matched, and none",
    ),
    Bad(
        "rule-replaces-a-digest",
        rules(match_digest="^SELECT", replace_pattern="x"),
        "proxy.query_rules[0]",
        "replaces what match_pattern matched, and none",
    ),
    Bad(
        "rule-replaces-what-is-not-there",
        rules(match_pattern="a", negate_match_pattern=True, replace_pattern="x"),
        "proxy.query_rules[0]",
        "nothing is there to replace",
    ),
    *(
        Bad(
            f"rule-replacement-{n}",
            rules(match_pattern="(a)", replace_pattern=text),
            "proxy.query_rules[0].replace_pattern",
            says,
        )
        for n, (text, says) in enumerate(((r"\2", "group 2"), (r"\n", "neither a digit")))
    ),
    Bad(
        "rule-flag-and-apply",
        rules(flag_out=1),
        "proxy.query_rules[0]",
        "ends the search for rules",
    ),
    Bad(
        "rule-twice",
        proxy(query_rules=[{"rule_id": 5, "timeout": 100}, {"rule_id": 5, "timeout": 100}]),
        "proxy.query_rules[1].rule_id",
        "5 is used twice",
    ),
    Bad(
        "rule-hostgroup",
        rules(destination_hostgroup=99),
        "proxy.query_rules[0].destination_hostgroup",
        "takes statements. Fix: use one of 10, 20.",
    ),
    Bad(
        "rule-hostgroup-of-galera",
        database(topology="galera") | rules(destination_hostgroup=30),
        "proxy.query_rules[0].destination_hostgroup",
        "takes statements. Fix: use one of 10, 20.",
    ),
    Bad(
        "rule-hostgroup-of-standalone",
        rules(destination_hostgroup=20) | {"size": "dev"},
        "proxy.query_rules[0].destination_hostgroup",
        "takes statements. Fix: use one of 10.",
    ),
    *(
        Bad(
            f"rule-retries-{group}",
            rules(retries=1, destination_hostgroup=group),
            "proxy.query_rules[0].retries",
            "run a write twice",
        )
        for group in (10, None)
    ),
    Bad(
        "rule-flag-in",
        rules(flag_in=3),
        "proxy.query_rules[0].flag_in",
        "3 is not the flag_out of any earlier active rule",
    ),
    *(
        Bad(f"rule-{key}-{name}", rules(**{key: value}), f"proxy.query_rules[0].{key}", says)
        for key, name, value, says in (
            ("rule_id", "zero", 0, "at least 1"),
            # The numbers above are those of read_write_split.
            ("rule_id", "big", 1_000_000_001, "at most 999999999"),
            ("rule_id", "text", "1", "integer"),
            ("match_digest", "open", "(SELECT", "has a ( without a )"),
            ("match_pattern", "open", "[a", "has a [ without a ]"),
            ("match_digest", "quote", 'a"b', "a double quote"),
            ("match_pattern", "newline", "a\nb", "control character"),
            ("match_pattern", "empty", "", "1 to 2000 characters"),
            ("match_pattern", "long", "x" * 2001, "1 to 2000 characters"),
            ("replace_pattern", "quote", '"', "a double quote"),
            ("error_msg", "quote", 'say "no"', "a double quote"),
            ("error_msg", "empty", "", "1 to 2000 characters"),
            ("client_addr", "host", "web.example", "must be an address"),
            ("client_addr", "mask", "10.0.0.0/8", "must be an address"),
            ("digest", "short", "0x12", "16 hexadecimal digits"),
            ("schemaname", "quote", "a'b", "1 to 64 letters"),
            ("comment", "quote", "it's", "must match"),
            ("username", "quote", "a'b", "letters"),
            ("re_modifiers", "other", "MULTILINE", "'CASELESS'"),
            ("multiplex", "other", 3, "0, 1 or 2"),
            ("proxy_port", "zero", 0, "at least 1"),
            ("timeout", "short", 5, "at least 100"),
            ("delay", "short", 5, "at least 100"),
            ("cache_ttl", "zero", 0, "at least 1"),
            ("retries", "many", 101, "at most 100"),
            ("active", "number", 1, "boolean"),
            ("apply", "text", "yes", "boolean"),
            ("log", "number", 1, "boolean"),
        )
    ),
    # --- certificates and who may connect ---
    Bad(
        "tls-two",
        proxy(tls={"secret": "a", "issuer": {"name": "b"}}),
        "proxy.tls",
        "has two certificates",
    ),
    Bad("tls-key", proxy(tls={"certificate": "a"}), "proxy.tls.certificate", "known keys: secret"),
    Bad("tls-secret", proxy(tls={"secret": "A B"}), "proxy.tls.secret", "name of"),
    Bad("tls-ca-key", proxy(tls={"ca_key": "a/b"}), "proxy.tls.ca_key", "key of"),
    Bad("tls-required", proxy(tls={"required": "yes"}), "proxy.tls.required", "boolean"),
    Bad("tls-issuer-text", proxy(tls={"issuer": "a"}), "proxy.tls.issuer", "must be a mapping"),
    Bad("tls-issuer-nameless", proxy(tls={"issuer": {}}), "proxy.tls.issuer.name", "required"),
    Bad(
        "tls-issuer-kind",
        proxy(tls={"issuer": {"name": "a", "kind": "clusterissuer"}}),
        "proxy.tls.issuer.kind",
        "'ClusterIssuer'",
    ),
    Bad(
        "user-require-tls",
        users({**APP, "require_tls": "yes"}),
        "proxy.users[0].require_tls",
        "boolean",
    ),
    Bad(
        "servers-tls-two",
        security(tls={"secret": "a", "issuer": {"name": "b"}}),
        "security.tls",
        "has two certificates",
    ),
    Bad("servers-tls-secret", security(tls={"secret": "A"}), "security.tls.secret", "name of"),
    Bad(
        "policy-key",
        security(network_policy={"client_from": []}),
        "security.network_policy.client_from",
        f"{MEAN} 'clients_from'",
    ),
    Bad(
        "policy-type",
        security(network_policy={"enabled": "yes"}),
        "security.network_policy.enabled",
        "boolean",
    ),
    *(
        Bad(
            f"policy-{key}-{name}",
            security(network_policy={key: value}),
            f"security.network_policy.{key}{at}",
            says,
        )
        for key in ("clients_from", "metrics_from")
        for name, value, at, says in (
            ("text", "web", "", "must be a list"),
            ("name", ["web", "My_Shop"], "[1]", "namespace name"),
            ("selector", [{"app": "web"}], "[0]", "string"),
        )
    ),
    # --- users ---
    Bad(
        "user-no-password",
        users({"username": "shop"}),
        "proxy.users[0]",
        "user 'shop' has no password source",
    ),
    Bad(
        "user-two-passwords",
        users({**APP, "username": "shop", "password": INLINE}),
        "proxy.users[0]",
        "user 'shop' has two password sources",
        ("proxy",),
    ),
    Bad(
        "user-twice",
        users(APP, {**APP, **given("given")}),
        "proxy.users[1].username",
        "'app' is listed twice",
    ),
    *(
        Bad(
            f"user-{name}", users({**APP, "username": name}), "proxy.users[0].username", f"'{name}'"
        )
        for name in (
            *("admin", "stats", "monitor", "cluster"),
            # Both accounts of the monitor, whichever it is in.
            *("proxysql_monitor", "proxysql_monitor_b"),
        )
    ),
    Bad(
        "user-root", users({**APP, "username": "root"}), "proxy.users[0].username", "root must not"
    ),
    Bad(
        "user-of-the-server",
        users({**APP, "username": "mariadb.sys"}),
        "proxy.users[0].username",
        "account of the servers",
    ),
    Bad(
        "user-nameless",
        users({"existing_secret": APP["existing_secret"]}),
        "proxy.users[0].username",
        "required",
    ),
    Bad(
        "user-hostgroup",
        users({**APP, "default_hostgroup": 99}),
        "proxy.users[0].default_hostgroup",
        "takes statements. Fix: use one of 10, 20.",
    ),
    Bad(
        "user-galera-hostgroup",
        users({**APP, "default_hostgroup": 40}),
        "proxy.users[0].default_hostgroup",
        "not a hostgroup of this topology",
    ),
    *(
        Bad(
            f"user-hostgroup-{number}-of-galera",
            database(topology="galera") | users({**APP, "default_hostgroup": number}),
            "proxy.users[0].default_hostgroup",
            "takes statements. Fix: use one of 10, 20.",
        )
        for number in (30, 40)
    ),
    Bad(
        # There is no server in it: every statement would hang.
        "user-hostgroup-of-standalone",
        {"proxy": {"enabled": True, "users": [{**APP, "default_hostgroup": 20}]}},
        "proxy.users[0].default_hostgroup",
        "takes statements. Fix: use one of 10.",
    ),
    Bad(
        "user-connections",
        users({**APP, "max_connections": 9999}),
        "proxy.users[0].max_connections",
        "proxy.max_connections",
    ),
    Bad("user-active", users({**APP, "active": 1}), "proxy.users[0].active", "boolean"),
    # --- variables ---
    Bad(
        "variable-unknown",
        proxy(mysql_variables={"wait_timeuot": 1}),
        "proxy.mysql_variables.wait_timeuot",
        f"{MEAN} 'wait_timeout'",
    ),
    Bad(
        "variable-prefix",
        proxy(mysql_variables={"mysql-threads": 1}),
        "proxy.mysql_variables.mysql-threads",
        "not a ProxySQL variable",
    ),
    Bad(
        "variable-reserved",
        proxy(mysql_variables={"query_retries_on_failure": 1}),
        "proxy.mysql_variables.query_retries_on_failure",
        "run a write twice",
    ),
    Bad(
        "variable-field",
        proxy(mysql_variables={"threads": 4}),
        "proxy.mysql_variables.threads",
        "is decided by proxy.threads",
    ),
    Bad(
        "variable-admin",
        proxy(admin_variables={"admin_credentials": "a:b"}),
        "proxy.admin_variables.admin_credentials",
        "is decided by credentials.proxy_admin",
    ),
    Bad(
        "variable-sync",
        proxy(admin_variables={"cluster_mysql_users_diffs_before_sync": 3}),
        "proxy.admin_variables.cluster_mysql_users_diffs_before_sync",
        "is decided by proxy.clustering",
    ),
    Bad(
        "variable-big",
        proxy(mysql_variables={"wait_timeout": 99999999999}),
        "proxy.mysql_variables.wait_timeout",
        "from 0 to 1728000000",
    ),
    Bad(
        "variable-quote",
        proxy(mysql_variables={"init_connect": 'SET a="b"'}),
        "proxy.mysql_variables.init_connect",
        "quote",
    ),
    Bad(
        "variable-newline",
        proxy(mysql_variables={"init_connect": "a\nb"}),
        "proxy.mysql_variables.init_connect",
        "control character",
    ),
    *(
        Bad(
            f"variable-{type(value).__name__}",
            proxy(mysql_variables={"wait_timeout": value}),
            "proxy.mysql_variables.wait_timeout",
            "must be a whole number, true, false or text",
        )
        for value in (1.5, None, [1])
    ),
    # --- passwords ---
    Bad(
        "password-number-role",
        {"size": "small", "credentials": {"root": {"password": 123456}}},
        "credentials.root.password",
        "must be text",
        ("credentials",),
    ),
    Bad(
        "password-number-user",
        users({"username": "a", "password": 123456}),
        "proxy.users[0].password",
        "must be text",
        ("proxy",),
    ),
    Bad("clear-empty", credential("root", password=""), "credentials.root.password", "clear text"),
    Bad(
        "clear-role",
        credential("root", password=INLINE),
        "credentials.root.password",
        "in clear text",
    ),
    Bad(
        "clear-user",
        users({"username": "app", "password": INLINE}),
        "proxy.users[0].password",
        "in clear text",
    ),
    Bad(
        "clear-nested",
        {"databases": {"shop": credential("root", password=INLINE)}},
        "databases.shop.credentials.root.password",
        "in clear text",
    ),
    Bad(
        "clear-other-key-is-secret",
        credential("root", password=INLINE),
        "credentials.root.password",
        "pulumi config set --secret",
        ("proxy",),
    ),
    Bad(
        "two-sources",
        credential("root", password=INLINE, **given("given")),
        "credentials.root",
        "two password sources",
        ("credentials",),
    ),
    Bad(
        "shared-reference",
        {"size": "small", "credentials": {"root": given("given"), "monitor": given("given")}},
        "credentials.monitor.existing_secret",
        "same Secret key as credentials.root",
    ),
    Bad(
        "shared-reference-of-apps",
        apps({**SHOP, **given("given")}, {**SHOP, "name": "b", **given("given")}),
        "apps[1].existing_secret",
        "same Secret key as apps[0]",
    ),
    Bad(
        "shared-reference-of-a-user",
        {**users({**APP, **given("given")}), "credentials": {"monitor": given("given")}},
        "proxy.users[0].existing_secret",
        "same Secret key as credentials.monitor",
    ),
    *(
        Bad(f"own-secret-{secret}", config, f"{path}.existing_secret.name", "makes itself")
        for secret, config, path in (
            ("mysql-app-shop", app(**given("mysql-app-shop")), "apps[0]"),
            ("mysql-account-shop", app(**given("mysql-account-shop")), "apps[0]"),
            ("mysql-root", app(**given("mysql-root")), "apps[0]"),
            ("mysql-monitor", credential("monitor", **given("mysql-monitor")), MONITOR),
            (
                "mysql-proxysql-users",
                credential("monitor", **given("mysql-proxysql-users")),
                MONITOR,
            ),
            ("mysql-proxysql-cnf-x", credential("root", **given("mysql-proxysql-cnf-x")), ROOT),
            ("mysql-secrets", on_percona({**SHOP, **given("mysql-secrets")}), "apps[0]"),
            (
                "of-another-database",
                {"databases": {"a": {}, "b": credential("root", **given("a-root"))}},
                "databases.b.credentials.root",
            ),
        )
    ),
    *(
        Bad(
            f"create-namespace-{namespace}",
            {"namespace": namespace, "create_namespace": True},
            "create_namespace",
            "which every cluster has",
        )
        for namespace in ("default", "kube-system", "kube-public")
    ),
    Bad("retired-and-there", {"retire": ["mysql"]}, "retire[0]", "is in the stack still"),
    Bad(
        "retired-and-there-of-several",
        {"databases": {"a": {}, "b": {}}, "retire": ["c", "b"]},
        "retire[1]",
        "is in the stack still",
    ),
    Bad(
        "neighbour-of-haproxy",
        {"databases": {"a": {"engine": "percona"}, "a-haproxy": {}}},
        "databases.a-haproxy",
        "has an object 'a-haproxy'",
    ),
    Bad(
        "secret-key-dotdot",
        credential("root", **given("given", "..")),
        "credentials.root.existing_secret.key",
        "key of a Secret",
    ),
    Bad(
        "rotation-root",
        credential("root", rotation=1),
        "credentials.root.rotation",
        "not supported",
    ),
    Bad(
        "reference-half",
        credential("root", existing_secret={"name": "a"}),
        "credentials.root.existing_secret.key",
        "required",
    ),
    # --- several databases ---
    Bad("databases-list", {"databases": ["a"]}, "databases", "must be a mapping"),
    Bad("databases-entry", {"databases": {"shop": 1}}, "databases.shop", "must be a mapping"),
    Bad("databases-null", {"databases": {"shop": None}}, "databases.shop", "must be a mapping"),
    Bad("databases-text", {"databases": "shop"}, "databases", "must be a YAML mapping"),
    Bad("databases-name", {"databases": {"Shop": {}}}, "databases.Shop", "DNS label"),
    Bad(
        "databases-name-twice",
        {"databases": {"shop": {"name": "b"}}},
        "databases.shop.name",
        "given by the mapping key",
    ),
    Bad(
        "databases-key",
        {"databases": {"shop": {"proxi": {}}}},
        "databases.shop.proxi",
        f"{MEAN} 'proxy'",
    ),
    Bad(
        "databases-size",
        {"databases": {"shop": {"size": "big"}}},
        "databases.shop.size",
        "one of dev, small, large",
    ),
    Bad(
        "databases-deep",
        {"databases": {"a": {}, "shop": users({"username": "x"})}},
        "databases.shop.proxy.users[0]",
        "user 'x'",
    ),
    Bad(
        "databases-rule",
        {"databases": {"shop": database(replicas=1)}},
        "databases.shop.database",
        "at least 2",
    ),
    Bad("databases-and-name", {"name": "shop", "databases": {"a": {}}}, "name", "databases"),
    # mariadb-operator's Services and the program's own objects have these names.
    *(
        Bad(
            f"databases-clash-{first}-{second}",
            {"databases": {first: {}, second: {}}},
            f"databases.{second}",
            f"has an object '{other}', which database '{first}' has too",
        )
        for other in (
            "shop-internal",
            "shop-primary",
            "shop-secondary",
            "shop-ca-bundle",
            "shop-root",
            "shop-proxysql",
            "shop-proxysql-cluster",
            "shop-proxysql-tls",
        )
        for first, second in (("shop", other), (other, "shop"))
    ),
    Bad(
        "databases-node-port",
        {**NODE_PORT, "databases": {"a": {}, "b": {}}},
        "proxy.service.node_port",
        "is the node port of database 'a' too",
    ),
    Bad(
        "databases-admin-node-port",
        {
            **NODE_PORT,
            "databases": {
                "a": {},
                "b": {
                    "proxy": {
                        "service": {
                            "node_port": 30002,
                            "expose_admin": True,
                            "admin_node_port": 30001,
                        }
                    }
                },
            },
        },
        "databases.b.proxy.service.admin_node_port",
        "is the node port of database 'a' too",
    ),
    Bad("retire-text", {"retire": '"shop"'}, "retire", "must be a list of names"),
    Bad("retire-numbers", {"retire": [1]}, "retire", "must be a list of names"),
    Bad("retire-mapping", {"retire": {"a": 1}}, "retire", "must be a list of names"),
]

APPS = [
    # --- beyond its databases ---
    *(
        Bad(
            f"global-{privilege}",
            app(global_privileges=["PROCESS", privilege]),
            "apps[0].global_privileges[1]",
            "must be 'BINLOG MONITOR', 'PROCESS'",
        )
        for privilege in ("SUPER", "READ_ONLY ADMIN", "RELOAD", "CREATE USER", "ALL PRIVILEGES")
    ),
    Bad(
        "global-percona",
        on_percona({**SHOP, "global_privileges": ["PROCESS"]}),
        "apps[0].global_privileges",
        "on its databases",
    ),
    *(
        Bad(f"host-{host}", app(host=host), "apps[0].host", "an address in its usual form")
        for host in ("localhost", "10.0.0.%.1", "10.0.0.0/8", "_", "'", "")
    ),
    # --- collations ---
    *(
        Bad(
            f"collation-{text}",
            app(collations={"shop": text}),
            "apps[0].collations.shop",
            "a collation of ascii, binary",
        )
        for text in ("utf8mb4", "utf8_general_ci", "utf8mb4_0900_ai_ci", "latin1_uca1400_ai_ci", "")
    ),
    Bad(
        "collation-of-another",
        app(collations={"stock": "binary"}),
        "apps[0]",
        "'stock', which is not one of its databases",
    ),
    Bad(
        "collation-twice",
        apps(
            {**SHOP, "collations": {"shop": "utf8mb4_bin"}},
            {**SHOP, "name": "b", "collations": {"shop": "binary"}},
        ),
        "apps[1].collations.shop",
        "is another one than 'utf8mb4_bin'",
    ),
    Bad(
        "collation-10.6",
        {
            **app(collations={"shop": "utf8mb4_uca1400_ai_ci"}),
            "images": {"database": {"tag": "10.6.20"}},
        },
        "apps[0].collations.shop",
        "needs MariaDB 10.10",
    ),
    Bad(
        "collation-percona",
        on_percona({**SHOP, "collations": {"shop": "utf8mb4_bin"}}),
        "apps[0].collations",
        "the servers' own collation",
    ),
    # --- keys and types ---
    Bad("app-key", app(databses={}), "apps[0].databses", f"{MEAN} 'databases'"),
    Bad("app-key-far", app(quux=1), "apps[0].quux", "known keys: name, username, databases"),
    Bad("app-key-user", app(default_hostgroup=20), "apps[0].default_hostgroup", "known keys"),
    Bad(
        "app-key-reference",
        app(existing_secret={"name": "a", "key": "b", "nmae": "c"}),
        "apps[0].existing_secret.nmae",
        f"{MEAN} 'name'",
    ),
    Bad("apps-mapping", {"apps": {"shop": {}}}, "apps", "must be a list"),
    Bad("apps-text", {"apps": "shop"}, "apps", "must be a YAML list"),
    Bad("apps-null", {"apps": None}, "apps", "must be a list"),
    Bad("app-text", apps("shop"), "apps[0]", "must be a mapping"),
    Bad("app-second", apps(SHOP, None), "apps[1]", "must be a mapping"),
    Bad("app-nameless", apps({"databases": {"a": "owner"}}), "apps[0].name", "required"),
    Bad("app-type-active", app(active="no"), "apps[0].active", "boolean"),
    Bad("app-type-tls", app(require_tls="yes"), "apps[0].require_tls", "boolean"),
    Bad("app-type-connections", app(max_connections=True), "apps[0].max_connections", "integer"),
    Bad("app-type-username", app(username=7), "apps[0].username", "string"),
    Bad("app-type-rotation", app(rotation=True), "apps[0].rotation", "integer"),
    Bad("app-type-rotation-text", app(rotation="1"), "apps[0].rotation", "integer"),
    Bad("app-type-secret", app(existing_secret="given"), "apps[0].existing_secret", "a mapping"),
    Bad("app-routing", app(routing="replica"), "apps[0].routing", "'writer' or 'reader'"),
    Bad(
        "app-reader-writes",
        app(routing="reader") | {"adopt": "import"},
        "apps[0].routing",
        "that restarts accepts writes",
    ),
    Bad("app-cleanup", app(cleanup="drop"), "apps[0].cleanup", "'keep' or 'delete'"),
    # --- databases ---
    Bad("app-databases-none", apps({"name": "shop"}), "apps[0].databases", "required"),
    Bad("app-databases-empty", app(databases={}), "apps[0]", "has no database. Fix: name one"),
    Bad("app-databases-list", app(databases=["shop"]), "apps[0].databases", "must be a mapping"),
    Bad("app-databases-text", app(databases="shop"), "apps[0].databases", "must be a mapping"),
    Bad(
        "app-databases-several",
        app(databases={"shop": "owner", "stock": "owner"}),
        "apps[0]",
        "has several databases. Fix: name one of them in default_database",
    ),
    Bad(
        "app-default-database",
        app(default_database="stock"),
        "apps[0]",
        "has a default_database that is not one of its databases",
    ),
    Bad("app-default-bad", app(default_database="a b"), "apps[0].default_database", "1 to 64"),
    *(
        Bad(
            f"app-database-{name}",
            app(databases={"shop": "owner", name: "readonly"}, default_database="shop"),
            path_of(("apps", 0, "databases", name)),
            "must be 1 to 64 letters",
        )
        for name in ("a b", "*", "a.b", "a`b", "a%", "x" * 65)
    ),
    *(
        Bad(
            f"app-database-{name}",
            app(databases={name: "owner"}),
            f"apps[0].databases.{name}",
            "is a database of the server itself",
        )
        for name in ("mysql", "SYS", "information_schema", "Performance_Schema")
    ),
    *(
        Bad(
            f"app-database-case-{name}-{engine}",
            apps(*entries, engine=engine),
            path,
            "differs from 'shop' by case only: servers with lower_case_table_names treat both as",
        )
        for engine in ("mariadb", "percona")
        for name, entries, path in (
            (
                "own",
                [
                    {
                        **SHOP,
                        "databases": {"shop": "owner", "SHOP": "owner"},
                        "default_database": "shop",
                    }
                ],
                "apps[0].databases.SHOP",
            ),
            (
                "other",
                [SHOP, {"name": "b", "databases": {"Shop": "owner"}}],
                "apps[1].databases.Shop",
            ),
        )
    ),
    # --- names and accounts ---
    Bad("app-name-capital", app(name="Shop"), "apps[0].name", "DNS label"),
    Bad("app-name-underscore", app(name="shop_b"), "apps[0].name", "DNS label"),
    Bad("app-name-dot", app(name="shop.b"), "apps[0].name", "DNS label"),
    Bad("app-name-long", app(name="x" * 64), "apps[0].name", "DNS label"),
    Bad("app-username", app(username="a'b"), "apps[0].username", "letters"),
    Bad("app-username-empty", app(username=""), "apps[0].username", "letters"),
    Bad("app-username-long", app(username="x" * 81), "apps[0].username", "1 to 80"),
    Bad(
        "app-username-long-b",
        app(username="x" * 79),
        "apps[0].username",
        "_b' is longer than 80 characters. Fix: set a shorter username",
    ),
    Bad("app-twice", apps(SHOP, SHOP), "apps[1].name", "'shop' is used twice"),
    Bad(
        "app-account-twice",
        apps(SHOP, {**SHOP, "name": "b", "username": "shop"}),
        "apps[1].username",
        "the account 'shop' is that of apps[0] too",
    ),
    Bad(
        "app-account-of-second-turn",
        apps(SHOP, {**SHOP, "name": "b", "username": "shop_b"}),
        "apps[1].username",
        "the account 'shop_b' is that of apps[0] too",
    ),
    Bad(
        "app-second-turn-of-account",
        apps({**SHOP, "username": "b_b"}, {**SHOP, "name": "b"}),
        "apps[1].name",
        "the account 'b_b' is that of apps[0] too",
    ),
    *(
        Bad(
            f"app-account-of-user-{name}",
            apps(SHOP, proxy={"users": [APP, {**given("given"), "username": name}]}),
            "apps[0].name",
            f"the account '{name}' is that of proxy.users[1] too",
        )
        for name in ("shop", "shop_b")
    ),
    *(
        Bad(f"app-{name}", app(username=name), "apps[0].username", f"'{name}' is an account of")
        for name in ("root", "mariadb.sys", "repl", "admin", "cluster", "pmmserver")
    ),
    *(
        Bad(
            f"app-{account}-{name}",
            apps({**SHOP, "username": account}, **config),
            "apps[0].username",
            f"'{account}' is the account of proxy.monitor",
        )
        # Also of a given password, which has the one account: its source may change.
        for name, config in (
            ("generated", {}),
            ("given", {"credentials": {"monitor": given("given")}}),
            ("percona", {"engine": "percona", "proxy": {"managed_by": "mysql-ha"}}),
        )
        for account in ("proxysql_monitor", "proxysql_monitor_b")
    ),
    Bad("app-name-root", app(name="root"), "apps[0].name", "'root' is an account of the system"),
    Bad(
        "app-monitor",
        apps(SHOP, proxy={"monitor": {"username": "shop_b"}}),
        "apps[0].name",
        "'shop_b' is the account of proxy.monitor",
    ),
    Bad(
        "app-monitor-second",
        apps(
            {**SHOP, "username": "shop_b", **given("given")},
            proxy={"monitor": {"username": "shop"}},
        ),
        "apps[0].username",
        "'shop_b' is the account of proxy.monitor",
    ),
    # --- privileges ---
    *(
        Bad(
            f"app-granted-{granted}",
            app(databases={"shop": granted}),
            "apps[0].databases.shop",
            says,
        )
        for granted, says in (
            ("admin", "must be a role (readonly, readwrite, owner) or a list of privileges"),
            ("SELECT", "must be a role (readonly, readwrite, owner) or a list of privileges"),
            (1, "must be a role or a list"),
            (None, "must be a role or a list"),
            ({"role": "owner"}, "must be a role or a list"),
            ([], "name one privilege or more"),
            # What somebody wrote there by mistake may be a password: it is not repeated.
            (
                ["SELEKT"],
                "has entry 1, which is not a privilege on a database. Fix: use, in capitals",
            ),
            (["INSERT", "select"], "has entry 2, which is not a privilege"),
            (["SUPER"], "has entry 1, which is not a privilege"),
            (["FILE"], "has entry 1, which is not a privilege"),
            (["GRANT OPTION"], "has entry 1, which is not a privilege"),
            (["SELECT", INLINE], "has entry 2, which is not a privilege"),
            (["ALL PRIVILEGES"], "or a role"),
            (["readonly"], "or a role"),
            ([7], "which is not a privilege"),
            ([["SELECT"]], "which is not a privilege"),
        )
    ),
    # --- passwords ---
    Bad(
        "app-clear",
        app(password=INLINE),
        "apps[0].password",
        "in clear text. Fix: run `pulumi config set --secret --path mysql-ha:apps[0].password`",
    ),
    Bad(
        "app-clear-second",
        apps(SHOP, {**SHOP, "name": "second", "password": INLINE}),
        "apps[1].password",
        "clear",
    ),
    Bad(
        "app-clear-nested",
        {"databases": {"a": apps({**SHOP, "password": INLINE})}},
        "databases.a.apps[0].password",
        "in clear text",
    ),
    Bad("app-password-number", app(password=1), "apps[0].password", "be text", ("apps",)),
    Bad(
        "app-two-sources",
        app(password=INLINE, **given("given")),
        "apps[0]",
        "has two password sources",
        ("apps",),
    ),
    Bad("app-rotation-negative", app(rotation=-1), "apps[0].rotation", "at least 0"),
    Bad(
        "app-rotation-of-secret",
        app(rotation=1, **given("given")),
        "apps[0]",
        "has a rotation, which is for generated passwords",
    ),
    Bad(
        "app-rotation-of-password",
        app(rotation=2, password=INLINE),
        "apps[0]",
        "has a rotation, which is for generated passwords",
        ("apps",),
    ),
    Bad(
        "app-reference-half",
        app(existing_secret={"name": "given"}),
        "apps[0].existing_secret.key",
        "required",
    ),
    Bad(
        "app-reference-name",
        app(existing_secret={"name": "Given", "key": "pw"}),
        "apps[0].existing_secret.name",
        "Kubernetes object",
    ),
    # --- how it reaches the servers ---
    Bad("app-connections-0", app(max_connections=0), "apps[0].max_connections", "at least 1"),
    Bad(
        "app-connections",
        app(max_connections=2049),
        "apps[0].max_connections",
        "is more than proxy.max_connections",
    ),
    *(
        Bad(
            f"app-reader-{name}",
            {"size": "dev", "apps": [{**SHOP, "routing": "reader"}], "proxy": proxied},
            "apps[0].routing",
            "needs replicas, and there are none",
        )
        for name, proxied in (("dev", {}), ("dev-proxied", {"enabled": True}))
    ),
    Bad(
        "app-tls",
        {"size": "dev", "apps": [{**SHOP, "require_tls": True}]},
        "apps[0].require_tls",
        "only this program's own proxies can require TLS of a single login",
    ),
    Bad(
        "app-tls-direct",
        apps({**SHOP, "require_tls": True}, proxy={"enabled": False}),
        "apps[0].require_tls",
        "Fix: remove it; security.tls.required is for all connections",
    ),
    *(
        Bad(
            f"app-rule-{name}",
            apps(
                {**SHOP, "rotation": rotation},
                proxy={"query_rules": [{"rule_id": 1, "username": name, "timeout": 100}]},
            ),
            "apps[0]",
            "has a query rule for its user name, which a rotation changes",
        )
        for name, rotation in (("shop", 0), ("shop_b", 1))
    ),
    Bad(
        "app-rule-of-nobody",
        apps(SHOP, proxy={"query_rules": [{"rule_id": 1, "username": "shopp", "timeout": 100}]}),
        "proxy.query_rules[0].username",
        "'shopp' is not a user of the proxies",
    ),
    # --- what Percona's operator cannot do ---
    Bad(
        "percona-app-privileges",
        on_percona({**SHOP, "databases": {"a": "owner", "b": "readonly"}, "default_database": "a"}),
        "apps[0].databases",
        "has different privileges in different databases",
    ),
    *(
        Bad(
            f"percona-app-database-{name}",
            on_percona({**SHOP, "databases": {name: "owner"}}),
            f"apps[0].databases.{name}",
            "which writes names without quotes",
        )
        for name in ("a-b", "1a", "a$")
    ),
    Bad(
        "percona-app-wildcard",
        on_percona(
            {**SHOP, "databases": {"a_b": "owner"}}, {"name": "b", "databases": {"axb": "owner"}}
        ),
        "apps[0].databases.a_b",
        "would also give privileges on database 'axb' too",
    ),
    Bad(
        "percona-app-wildcard-own",
        on_percona({**SHOP, "databases": {"__": "owner", "ab": "owner"}, "default_database": "ab"}),
        "apps[0].databases.__",
        "would also give privileges on database 'ab' too",
    ),
    Bad(
        "percona-app-cleanup",
        on_percona({**SHOP, "cleanup": "delete"}),
        "apps[0].cleanup",
        "which never drops anything",
    ),
    *(
        Bad(
            f"percona-app-wildcard-{database}",
            on_percona({**SHOP, "databases": {name: "owner"}}),
            f"apps[0].databases.{name}",
            f"would also give privileges on database '{database}' too",
        )
        for name, database in (
            ("m_sql", "mysql"),
            ("___", "sys"),
            ("performance_schem_", "performance_schema"),
        )
    ),
    Bad(
        "percona-app-max_connections",
        on_percona({**SHOP, "max_connections": 5}),
        "apps[0].max_connections",
        "neither Percona's operator nor its proxies limit an account",
    ),
    Bad(
        "percona-app-require_tls",
        on_percona({**SHOP, "require_tls": True}),
        "apps[0].require_tls",
        "only this program's own proxies can require TLS of a single login",
    ),
    Bad(
        "percona-app-reader",
        on_percona({**SHOP, "routing": "reader"}),
        "apps[0].routing",
        "those of Percona's operator do not",
    ),
    *(
        Bad(
            f"percona-app-long-{key}",
            on_percona({**SHOP, key: text}),
            f"apps[0].{key}",
            "is longer than 32 characters",
        )
        for key, text in (("username", "x" * 33), ("name", "x" * 31))
    ),
    Bad("percona-app-operator", on_percona({**SHOP, "name": "operator"}), "apps[0].name", "system"),
    # --- adoption ---
    Bad(
        "paused-import",
        {"size": "dev", "adopt": "import", "database": {"paused": False}},
        "database.paused",
        "has no effect with adopt: import",
    ),
    Bad("paused-word", database(paused="yes"), "database.paused", "boolean"),
    Bad("adopt-word", {"adopt": "yes"}, "adopt", "'none', 'import' or 'take_over'"),
    Bad("adopt-boolean", {"adopt": True}, "adopt", "'none', 'import' or 'take_over'"),
    *(
        Bad(
            f"adopt-import-percona-{name}",
            {"size": "small", "engine": "percona", "adopt": "import", **config},
            "adopt",
            "accounts of proxies and apps would change it. Fix: adopt it without apps, and with",
        )
        for name, config in (
            ("apps", {"apps": [SHOP]}),
            ("apps-direct", {"apps": [SHOP], "proxy": {"enabled": False}}),
            ("proxies", {"proxy": {"managed_by": "mysql-ha"}}),
        )
    ),
    Bad(
        "databases-adopt-import-percona",
        {"engine": "percona", "databases": {"a": {}, "b": apps(SHOP, adopt="import")}},
        "databases.b.adopt",
        "leaves the cluster as it is",
    ),
    # --- several databases ---
    Bad(
        "databases-app",
        {"databases": {"a": {}, "b": apps({**SHOP, "name": "Bad"})}},
        "databases.b.apps[0].name",
        "DNS label",
    ),
    *(
        Bad(
            f"databases-clash-{other}",
            {"databases": {"a": apps(SHOP), other: {}}},
            f"databases.{other}",
            f"has an object '{other}', which database 'a' has too",
        )
        for other in ("a-app-shop", "a-account-shop", "a-user-shop", "a-db-shop")
    ),
    # In different namespaces: the engine's own names know none.
    *(
        Bad(
            f"databases-clash-of-apps-{middle}",
            {
                "databases": {
                    "a": apps({**SHOP, **long}, namespace="one"),
                    f"a-{middle}-b": apps({**SHOP, **short}, namespace="two"),
                }
            },
            f"databases.a-{middle}-b",
            f"has an object 'a-{middle}-b-{middle}-c', which database 'a' has too",
        )
        for middle, long, short in (
            ("app", {"name": "b-app-c"}, {"name": "c", "username": "other"}),
            ("account", {"name": "b-account-c"}, {"name": "c", "username": "other"}),
            ("user", {"username": "b-user-c"}, {"username": "c"}),
            ("db", {"databases": {"b-db-c": "owner"}}, {"databases": {"c": "owner"}}),
        )
    ),
    # --- users of the proxies ---
    Bad("user-rotation", users({**APP, "rotation": 1}), "proxy.users[0].rotation", "known keys"),
    Bad(
        "user-connections-0",
        users({**APP, "max_connections": 0}),
        "proxy.users[0].max_connections",
        "1",
    ),
    Bad(
        "user-schema",
        users({**APP, "default_schema": "a b"}),
        "proxy.users[0].default_schema",
        "must be 1 to 64 letters",
    ),
    Bad("user-null", users(None), "proxy.users[0]", "must be a mapping"),
    Bad(
        "user-reference-text",
        users({"username": "a", "existing_secret": "app"}),
        "proxy.users[0].existing_secret",
        "must be a mapping",
    ),
    Bad(
        "user-reference-half",
        users({"username": "a", "existing_secret": {"key": "password"}}),
        "proxy.users[0].existing_secret.name",
        "required",
    ),
    Bad(
        "user-username", users({**APP, "username": "x" * 81}), "proxy.users[0].username", "1 to 80"
    ),
    Bad(
        "user-old-key",
        users({**APP, "password_secret": {"name": "given", "key": "pw"}}),
        "proxy.users[0].password_secret",
        "is called existing_secret now. Fix: write existing_secret",
    ),
]

IMMUTABLE = [
    # Known only once the stack's own outputs were read.
    Bad("immutable-name", stored(name="other"), "name", "would delete it", previous=earlier()),
    *(
        Bad(
            f"{output}-{name}",
            stored(),
            output,
            "is not as this program writes it",
            previous={output: value},
        )
        for output in ("immutable", "identity")
        for name, value in (("list", [1]), ("facts", {"mysql": [1]}))
    ),
    Bad(
        "immutable-of-an-earlier-version",
        stored(namespace="other"),
        "namespace",
        "cannot change",
        previous={"identity": earlier()["immutable"]},
    ),
    Bad(
        "immutable-path-of-several",
        {"size": "small", "databases": {"orders": {"namespace": "shop"}}},
        "databases.orders.namespace",
        "cannot change",
        previous={"immutable": {"orders": {"namespace": "default"}}},
    ),
    Bad(
        "immutable-downgrade",
        stored(engine="mariadb"),
        "images.database.tag",
        "is a downgrade",
        previous=earlier(version="12.3.1"),
    ),
    Bad(
        "immutable-create-namespace-off",
        stored(),
        "create_namespace",
        "is protected",
        previous=earlier(create_namespace=True),
    ),
    Bad(
        "immutable-namespace",
        stored(namespace="shop"),
        "namespace",
        "cannot change",
        previous=earlier(),
    ),
    Bad(
        "immutable-topology",
        merge(stored(), {"database": {"topology": "galera"}}),
        "database.topology",
        "docs/migration.md",
        previous=earlier(),
    ),
    Bad(
        "immutable-shrink",
        stored(),
        "database.storage.size",
        "below the 20Gi",
        previous=earlier(storage={"size": "20Gi", "storage_class": "standard"}),
    ),
    Bad(
        "immutable-class",
        stored(),
        "database.storage.storage_class",
        "cannot change",
        previous=earlier(storage={"size": "10Gi", "storage_class": "slow"}),
    ),
    Bad(
        "immutable-root",
        stored(credentials={"root": given("given")}),
        "credentials.root",
        "generated",
        previous=earlier(),
    ),
    Bad(
        "immutable-replication",
        stored(),
        "credentials.replication",
        "another source",
        previous=earlier(replication="config"),
    ),
    Bad(
        "immutable-proxy",
        stored(),
        "proxy.storage",
        "cannot change",
        previous=earlier(proxy_volumes="1Gi of class standard"),
    ),
    Bad(
        "immutable-pull-secrets",
        stored(images={"pull_secrets": ["registry"]}),
        "images.pull_secrets",
        "cannot change",
        previous=earlier(),
    ),
    Bad(
        "immutable-mode",
        stored(),
        "proxy.managed_by",
        "has proxies managed by operator",
        previous=earlier(proxy_managed_by="operator"),
    ),
    *(
        Bad(
            f"immutable-app-{name}",
            stored(apps=[{**SHOP, **fields}]),
            "apps",
            says,
            previous=earlier(apps={"shop": KNOWN_APP}),
        )
        for name, fields, says in (
            ("rotation", {"rotation": 1}, "app 'shop' of database 'mysql' has a lower rotation"),
            ("username", {"username": "store", "rotation": 2}, "has another username than before"),
            ("source", given("given"), "has another source of its password than before"),
            (
                "moved",
                {"name": "store", "username": "shop"},
                "app 'store' of database 'mysql' has the account of app 'shop'",
            ),
        )
    ),
    Bad(
        "immutable-retire-deleted",
        stored(name="other", retire=["mysql"]),
        "retire",
        "app 'shop' of database 'mysql' has cleanup: delete",
        previous=earlier(apps={"shop": {**KNOWN_APP, "cleanup": "delete"}}),
    ),
    Bad(
        "immutable-retire-other",
        stored(name="other", retire=["shop"]),
        "name",
        "'mysql'",
        previous=earlier(),
    ),
]

STORED_SECRETS = [
    # Known only once an existing Secret was read, or a secret config value was opened.
    Bad(
        "stored-no-key",
        credential("monitor", **given("given", "other")),
        "credentials.monitor.existing_secret",
        "Secret 'given' has no key 'other'",
    ),
    Bad(
        "stored-user-no-key",
        users({"username": "a", "existing_secret": {"name": "app", "key": "no"}}),
        "proxy.users[0].existing_secret",
        "Secret 'app' has no key 'no'",
    ),
    *(
        Bad(
            f"stored-{role}-{name}",
            credential(role, **given("given")),
            f"credentials.{role}.existing_secret",
            "at least 24 characters",
            existing={"default/given": {"pw": text}},
        )
        for role in ("monitor", "proxy_admin", "proxy_stats", "proxy_cluster")
        for name, text in (
            ("short", "CANARYshort"),
            ("quote", canary("quote") + "'"),
            ("colon", canary("colon") + ":x"),
        )
    ),
    Bad(
        "stored-stats-reader-short",
        {
            **proxy(stats_readers=[{"namespace": "a"}]),
            "credentials": {"proxy_stats_reader": given("given")},
        },
        "credentials.proxy_stats_reader.existing_secret",
        "at least 24 characters",
        existing={"default/given": {"pw": "CANARYshort"}},
    ),
    *(
        Bad(
            f"inline-{name}",
            credential("monitor", password=text),
            "credentials.monitor.password",
            "at least 24 characters",
            ("credentials",),
        )
        for name, text in (("short", "CANARYshort"), ("semicolon", canary("semicolon") + ";x"))
    ),
    Bad(
        "stored-root-no-key",
        {"credentials": {"root": given("given", "other")}},
        "credentials.root.existing_secret",
        "has no key 'other'",
    ),
    Bad(
        "stored-replication-no-key",
        credential("replication", **given("given", "other")),
        "credentials.replication.existing_secret",
        "has no key 'other'",
    ),
    Bad(
        "stored-in-databases",
        {"databases": {"a": {}, "shop": credential("monitor", **given("given", "other"))}},
        "databases.shop.credentials.monitor.existing_secret",
        "has no key 'other'",
    ),
    *(
        Bad(
            f"stored-{name}-{path}",
            config,
            path,
            says,
            existing={"default/app": {"password": text}, "default/given": {"pw": text}},
        )
        for name, text, says in (
            ("empty", "", "at least 8 characters"),
            ("nul", canary("nul") + "\0", "a control character"),
            ("binary", canary("binary") + "\udcff", "not UTF-8 text"),
        )
        for config, path in (
            (credential("root", **given("given")), "credentials.root.existing_secret"),
            (users(APP), "proxy.users[0].existing_secret"),
        )
    ),
    Bad(
        "stored-app-no-key",
        app(**given("given", "other")),
        "apps[0].existing_secret",
        "Secret 'given' has no key 'other'",
    ),
    Bad(
        "stored-app-in-databases",
        {"databases": {"a": {}, "b": apps({**SHOP, **given("given", "other")})}},
        "databases.b.apps[0].existing_secret",
        "has no key 'other'",
    ),
    *(
        Bad(
            f"stored-app-{engine}-{name}",
            apps({**SHOP, **given("given")}, engine=engine),
            "apps[0].existing_secret",
            says,
            existing={"default/given": {"pw": text}},
        )
        for engine, name, text, says in (
            ("mariadb", "empty", "", "at least 8 characters"),
            ("mariadb", "nul", canary("nul") + "\0", "a control character"),
            ("mariadb", "binary", canary("binary") + "\udcff", "not UTF-8 text"),
            ("mariadb", "quote", canary("quote") + "'", "a single quote"),
            ("mariadb", "backslash", canary("backslash") + "\\", "a backslash"),
            ("percona", "empty", "", "at least 8 characters"),
            ("percona", "quote", canary("quote") + "'", "a single quote"),
            ("percona", "star", "*" + canary("star"), "start with '*'"),
        )
    ),
    *(
        Bad(
            f"stored-text-{name}",
            config,
            path,
            says,
            existing={"default/given": {"pw": text, "same": canary("same")}, "default/app": SAME},
        )
        for name, text, says, config, path in (
            ("root-newline", canary("nl") + "\n", "line break", root(), ROOT_SECRET),
            ("root-weak", "€", "at least 8", root(), ROOT_SECRET),
            (
                "galera-quote",
                canary("galera") + '"',
                "a double quote",
                root(database={"topology": "galera"}),
                ROOT_SECRET,
            ),
            (
                "percona-root",
                canary("p") + "\\",
                "a backslash",
                root(engine="percona"),
                ROOT_SECRET,
            ),
            (
                "replication-backslash",
                canary("repl") + "\\",
                "a backslash",
                credential("replication", **given("given")),
                "credentials.replication.existing_secret",
            ),
            (
                "replication-long",
                canary("repl").ljust(97, "x"),
                "at most 96",
                credential("replication", **given("given")),
                "credentials.replication.existing_secret",
            ),
            ("app-weak", "€", "at least 8", app(**given("given")), "apps[0].existing_secret"),
            (
                "two-apps",
                canary("x"),
                "same password as apps[0].existing_secret",
                apps(
                    {**SHOP, **given("given", "same")},
                    {"name": "b", "databases": {"b": "owner"}, **given("app", "password")},
                ),
                "apps[1].existing_secret",
            ),
            (
                "app-and-role",
                canary("x"),
                "same password as credentials.monitor.existing_secret",
                {**credential("monitor", **given("given", "same")), **users(APP)},
                "proxy.users[0].existing_secret",
            ),
        )
    ),
    Bad(
        "inline-shared",
        {
            "size": "small",
            "credentials": {
                role: {"password": INLINE} for role in ("proxy_admin", "proxy_cluster")
            },
        },
        "credentials.proxy_cluster.password",
        "same password as credentials.proxy_admin.password",
        ("credentials",),
    ),
    Bad(
        "inline-in-common",
        {**credential("monitor", password="CANARYshort"), "databases": {"a": {}}},
        "credentials.monitor.password",
        "at least 24 characters",
        ("credentials",),
    ),
    Bad("inline-app", app(password=canary("x") + "'"), "apps[0].password", "quote", ("apps",)),
    Bad(
        "stored-user-percona-star",
        {"engine": "percona"} | proxy(managed_by="mysql-ha", users=[APP]),
        "proxy.users[0].existing_secret",
        "start with '*'",
        existing={"default/app": {"password": "*" + canary("star")}},
    ),
    *(
        Bad(f"inline-empty-{key}", config, path, "at least 8 characters", (key,))
        for key, config, path in (
            ("credentials", credential("root", password=""), "credentials.root.password"),
            (
                "proxy",
                users({"username": "app", "password": ""}),
                "proxy.users[0].password",
            ),
            ("apps", app(password=""), "apps[0].password"),
        )
    ),
]


def secrets(bad: Bad) -> list[str]:
    stored = [text for keys in bad.existing.values() for text in keys.values() if text]
    return [INLINE, "CANARY", *stored]


def refused(bad: Bad, preview: bool) -> recorder.Recording:
    """Run a config; check that its refusal is one clear line that gives nothing away."""
    recording = recorder.run(
        bad.config,
        preview=preview,
        secret_keys=bad.secret_keys,
        existing=bad.existing,
        previous=bad.previous,
    )
    assert recording.error is not None, "the program accepted it"
    lines = recording.error.splitlines()
    assert len(lines) == 1, recording.error
    project = "" if bad.id.startswith("other-") else "mysql-ha:"
    assert lines[0].startswith(f"{project}{bad.path}: "), lines[0]
    assert bad.says in lines[0], lines[0]
    _, found, fix = lines[0].partition(". Fix: ")
    assert found, lines[0]
    assert fix.strip(". ?"), lines[0]
    assert not any(secret in recording.error for secret in secrets(bad))
    assert "Traceback" not in recording.error
    return recording


def test_ids_are_unique() -> None:
    ids = [bad.id for bad in (*PLAIN, *APPS, *IMMUTABLE, *STORED_SECRETS)]
    assert len(set(ids)) == len(ids) >= 300


@pytest.mark.parametrize("bad", [*PLAIN, *APPS], ids=lambda bad: bad.id)
def test_refused_before_anything_is_registered(bad: Bad) -> None:
    assert refused(bad, preview=True).resources == []


ONE_OF_EACH = {bad.path.partition(".")[0].partition("[")[0]: bad for bad in [*PLAIN, *APPS]}
"""First word of the path to a refusal. The config is loaded before anything asks for a preview."""


@pytest.mark.parametrize("bad", ONE_OF_EACH.values(), ids=lambda bad: bad.id)
def test_an_update_refuses_what_a_preview_refuses(bad: Bad) -> None:
    assert refused(bad, preview=False).resources == []


def reads(bad: Bad) -> int:
    """How many existing Secrets a config names."""
    text = json.dumps(bad.config)
    return text.count('"existing_secret"')


def nothing_was_made(recording: recorder.Recording, bad: Bad) -> None:
    """Besides the stack's own outputs only existing Secrets were read, by a provider for that.

    What was refused meanwhile stops the reads that had not begun.
    """
    registered = [r for r in recording.resources if not r.read]
    found = [r for r in recording.resources if r.read]
    assert [(r.type, r.name) for r in registered] in (
        [],
        [("pulumi:providers:kubernetes", "reader")],
    )
    assert bool(registered) <= bool(reads(bad))
    assert len(found) <= reads(bad)
    for secret in found:
        assert secret.type == "kubernetes:core/v1:Secret"
        assert secret.provider.startswith(registered[0].urn + "::")
    assert recording.outputs.get("immutable") is None, "the old facts stay"


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
@pytest.mark.parametrize("bad", IMMUTABLE, ids=lambda bad: bad.id)
def test_refused_once_the_facts_were_read(bad: Bad, preview: bool) -> None:
    recording = refused(bad, preview)
    assert recording.called == [READ_OUTPUTS]
    nothing_was_made(recording, bad)


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
@pytest.mark.parametrize("bad", STORED_SECRETS, ids=lambda bad: bad.id)
def test_refused_once_a_secret_was_read(bad: Bad, preview: bool) -> None:
    recording = refused(bad, preview)
    assert len([r for r in recording.of_kind("Secret") if r.read]) == reads(bad)
    nothing_was_made(recording, bad)


def test_a_refused_password_keeps_the_old_facts() -> None:
    """Else the size that never came to be could not be taken back: volumes only grow."""
    known = earlier(storage={"size": "5Gi", "storage_class": "standard"})
    config = stored(credentials={"monitor": given("given", "other")})
    bad = Bad("both", config, "credentials.monitor.existing_secret", "no key", previous=known)
    nothing_was_made(refused(bad, False), bad)


NEIGHBOURS: list[dict[str, Any]] = [
    {"databases": {"shop": {}, "shop-2": {}, "shopping": {}}},
    {"databases": {"shop": {}, "shop-internal": {"namespace": "other"}}},
    # A node port of proxies that are off is nobody's.
    {**NODE_PORT, "databases": {"a": {}, "b": {"proxy": {"enabled": False}}}},
    proxy(interfaces="0.0.0.0:6033;127.0.0.1:6034"),
    proxy(interfaces="[::]:6033;[::1]:6034"),
    proxy(interfaces="0.0.0.0:6033;[::]:6033"),
    proxy(hostgroups={"comment": "é = {x} #" * 20}),
    proxy(pod_labels={"example.com/app.kubernetes.io": "x"}),
    users({**APP, "default_hostgroup": 20}),
    database(topology="galera") | users({**APP, "default_hostgroup": 20}),
    proxy(backend_max_connections=133),
    proxy(backend_max_connections=66, read_write_split=True),
    proxy(routing="monitor", max_replication_lag=5, read_write_split=True),
    proxy(routing="primary_service", read_write_split=True),
    rules(retries=1, destination_hostgroup=20, match_digest="^select a"),
    rules(flag_out=1, apply=False),
    rules(match_digest="^SELECT a FROM `t` WHERE b = 'it''s' AND c LIKE 'x\\\\_%'"),
    rules(match_pattern="x", replace_pattern=""),
    rules(match_pattern="(a)(b)", replace_pattern=r"\2\1\\"),
    rules(rule_id=999_999_999, client_addr="10.0.%"),
    proxy(tls={"required": True}),
    security(network_policy={"clients_from": ["0-shop"]}),
    {"engine": "percona", "name": "x" * 22},
    app(
        name="x" * 63,
        databases={"$_-": "owner", "x" * 64: ["SELECT"]},
        default_database="x" * 64,
    ),
    app(default_database="shop"),
    app(username="x" * 78),
    app(username="x" * 80, **given("given")),
    app(max_connections=2048),
    # A name that a proxy user would have, without proxies.
    apps(SHOP, proxy={"enabled": False, "users": [{**APP, "username": "shop"}]}),
    apps(SHOP, {"name": "reports", "databases": {"shop": "readonly"}}),
    apps(
        {**SHOP, **given("given")},
        proxy={"query_rules": [{"rule_id": 1, "username": "shop", "timeout": 100}]},
    ),
    apps(
        {**SHOP, "databases": {"shop": "readonly"}, "routing": "reader"},
        proxy={"enabled": False},
    ),
    on_percona(
        {
            **SHOP,
            "databases": {"a_b": "owner", "ab": "owner", "Axcb": "owner"},
            "default_database": "ab",
        }
    ),
    on_percona({**SHOP, "name": "x" * 30}),
    on_percona(
        {**SHOP, "routing": "reader", "max_connections": 5, "active": False},
        proxy={"managed_by": "mysql-ha"},
    ),
    {"databases": {"a": apps(SHOP), "a-app-shop": {"namespace": "other"}, "b": apps(SHOP)}},
    # The same words, cut elsewhere.
    {"databases": {"a": apps({**SHOP, "name": "b"}), "a-b": apps({**SHOP, "name": "c"})}},
    apps({**SHOP, "databases": {"Shop": "owner"}}, {"name": "b", "databases": {"Shop": "owner"}}),
    apps({**SHOP, "require_tls": False}, proxy={"enabled": False}),
    on_percona({**SHOP, "require_tls": True}, proxy={"managed_by": "mysql-ha"}),
    on_percona({**SHOP, "databases": {"my_sql": "owner"}}),
    users({**APP, "username": "proxysql_monitor_c"}),
]
"""Configs that are accepted, though not far from a refused one."""


@pytest.mark.parametrize("config", NEIGHBOURS, ids=str)
def test_neighbours_of_refused_configs_are_accepted(config: dict[str, Any]) -> None:
    assert recorder.run(config, existing=EXISTING).error is None
