"""Updates what is made from the code: the tables of README.md and docs/, and the schema.

`python -m tools.tables` writes every section between `<!-- begin:x -->` and `<!-- end:x -->`, and
schema/stack.schema.json; `--check` writes nothing and fails when one is out of date.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from components import outputs
from components.config import server_options
from components.config.backup import Backup
from components.config.engine import ENGINES
from components.config.errors import PROJECT
from components.config.load import Loaded, Stack, resolve
from components.config.presets import SIZES
from components.config.proxysql_variables import RESERVED_VARIABLES
from components.config.stack import StackConfig, StackKeys
from components.credentials import GENERATED_KEY, ResolvedCredential
from components.engines import mariadb, percona
from components.engines.wiring import WIRING
from components.guards import immutable
from components.names import credential_secret
from components.operations import alerts, places
from local import go, toolchain
from tools import stack_schema
from tools.keys import meaning, rows, yaml_text
from tools.marks import with_sections

ROOT = Path(__file__).parents[1]
PAGES = (
    *("README.md", "docs/backup.md", "docs/configuration.md", "docs/outputs.md"),
    *("docs/monitoring.md", "docs/performance.md"),
)
SCHEMA = "schema/stack.schema.json"
FIGURES = tuple(ROOT / "bench" / f"{name}.md" for name in ("results", "apps", "cold"))

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
    "`host`, `port`, `reader_host`, `reader_port` ([keys of the Secret](apps.md#the-secret)).",
    "backup": "`where` backups are, `newest_allowed_age_seconds` (if it is older, a run has "
    "failed) and `drill`, the CronJob that proves them. Absent without `backup.store`.",
    "proxysql": "Proxies and their admin interface. From other Pods only the account `cluster` "
    "can log in there (`credentials.proxy_cluster`), `stats_reader` if there is one, or "
    "`proxyadmin` of Percona's. Absent without a proxy.",
    "status": "What the operator said last. `ready` and `size` count Pods of servers "
    "and of the operator's proxies; `state` is `ready`, or what it waits for, or `paused`; "
    "`details` are its messages.",
    immutable.OUTPUT: "What cannot change, by database name. Read back by the next preview.",
}

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
            *line(
                "NetworkPolicy for the servers",
                lambda c: switch(c.database.network_policy.enabled),
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
        raise SystemExit(f"tools/tables.py: OUTPUTS and the contract differ in {sorted(missing)}")

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
            "`size: small`, `name: orders`, one app and a store, stack `prod`",
            "and `engine: percona`",
        ),
        [
            (f"`{key}`", meaning, example("mariadb", key), example("percona", key))
            for key, meaning in OUTPUTS.items()
        ],
    )


def _outputs(engine: str) -> dict[str, Any]:
    apps = [{"name": "shop", "databases": {"shop": "owner"}}]
    s3 = {"endpoint": "s3.eu-central-1.amazonaws.com", "bucket": "backups"}
    tree = {"size": "small", "name": "orders", "engine": engine, "apps": apps}
    config = resolve({**tree, "backup": {"store": {"s3": s3}}})
    root = ResolvedCredential(
        secret=credential_secret(config.name, "root"),
        key=GENERATED_KEY,
        password=cast(Any, None),  # no output is a password
        resource=None,
    )
    values = outputs.outputs(
        config, WIRING[engine].topology(config), root, places.of(config, "prod")
    )
    if engine == "percona":
        pods = percona.pods(config)
        values["status"] = percona.observed({"state": "ready", "ready": pods, "size": pods})
    else:
        servers, ready = config.database.replicas, {"type": "Ready", "status": "True"}
        values["status"] = mariadb.observed({"conditions": [ready], "replicas": servers}, servers)
    loaded = Loaded(config=config, passwords={})
    values[immutable.OUTPUT] = immutable.of(Stack(databases=(loaded,), several=False, retire=()))
    return values


def _example(key: str, value: Any) -> str:
    if key == immutable.OUTPUT:
        return "`orders`: engine, namespace, topology, …"
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=1000).splitlines()[0]}`"


def overview() -> str:
    """The top-level keys, with the types and defaults that Pulumi.yaml declares."""
    project = cast(dict[str, Any], yaml.safe_load((ROOT / "Pulumi.yaml").read_text()))
    declared = cast(dict[str, dict[str, Any]], project["config"])
    body: list[tuple[str, ...]] = []
    for name in StackKeys.model_fields:
        entry = declared[f"{PROJECT}:{name}"]
        text = meaning(name, StackKeys)
        shown = _shown_default(entry["default"])
        body.append((f"`{PROJECT}:{name}`", entry["type"], shown, text))
    return table(("key", "type", "default", "meaning"), body)


def _shown_default(value: Any) -> str:
    return "empty" if value in ({}, []) else f"`{yaml_text(value)}`"


def reference() -> str:
    """Every config key, a table for each top-level key."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for path, kind, default, text in rows():
        top = path.partition(".")[0] if "." in path else "top level"
        groups.setdefault(top, []).append((f"`{path}`", kind, default, text))
    head = ("key", "value", "default", "meaning")
    return "\n\n".join(f"### {top}\n\n{table(head, body)}" for top, body in groups.items())


def server_option_table() -> str:
    """Options that `database.my_cnf` cannot set, by their reasons."""
    groups = (
        ("all", server_options.EVERYWHERE),
        ("all", {f"{start}*": why for start, why in server_options.FAMILIES.items()}),
        ("`replication`, `galera`", server_options.CLUSTERED),
        (
            "`replication`, `galera`",
            {f"{start}*": why for start, why in server_options.CLUSTERED_FAMILIES.items()},
        ),
        ("`galera`", server_options.GALERA),
    )
    refused: dict[tuple[str, str], list[str]] = {}
    for topologies, options in groups:
        for name, why in options.items():
            refused.setdefault((topologies, why), []).append(f"`{name}`")
    return table(
        ("topology", "refused", "because"),
        [
            (topologies, ", ".join(sorted(found)), why)
            for (topologies, why), found in refused.items()
        ],
    )


def reserved() -> str:
    """ProxySQL variables that a stack cannot set."""
    return table(
        ("below", "refused", "because it"),
        [
            (f"`proxy.{kind}`", ", ".join(f"`{name}`" for name in sorted(alike)), rule)
            for kind, names in RESERVED_VARIABLES.items()
            for rule, alike in _by_rule(names)
        ],
    )


def backups() -> str:
    """What each size does once it has a store."""
    configs = {size: resolve({"size": size}).backup for size in SIZES}

    def line(title: str, show: Callable[[Backup], str]) -> tuple[str, ...]:
        return (title, *(show(backup) for backup in configs.values()))

    def hours(seconds: int) -> str:
        return f"{seconds / 3600:g} h"

    return table(
        ("", *(f"`{size}`" for size in SIZES)),
        [
            line("made once there is a store", lambda b: "yes" if b.enabled else "if enabled"),
            line("when (`schedule`, UTC)", lambda b: f"`{b.schedule}`"),
            line("kept (`retention`)", lambda b: b.retention),
            line("with Percona, as a number", lambda b: str(b.count)),
            line("longest time of one (`timeout`)", lambda b: b.timeout),
            line("waits in (`staging.kind`), MariaDB", lambda b: f"`{b.staging.kind}`"),
            line(
                "lost at most, if no run fails: to the newest backup",
                lambda b: hours(b.newest_allowed_age),
            ),
            line("drill", lambda b: f"`{b.drill.schedule}`" if b.drill.enabled else "off"),
        ],
    )


def alert_table() -> str:
    """Every alert, with its runbook."""
    small = resolve({"size": "small"})
    return table(
        ("alert", "says", "severity", "`for`", "is there with"),
        [
            (
                f"[{alert.name}](runbooks/{alert.name}.md)",
                alert.summary,
                alert.severity,
                alerts.duration(alert.seconds(small)),
                alert.when.text,
            )
            for alert in alerts.ALERTS
        ],
    )


def _by_rule(names: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Each reason, with the names that are refused for it."""
    for rule in dict.fromkeys(rule for rule, _ in names.values()):
        yield rule, [name for name, (reason, _) in names.items() if reason == rule]


def figures() -> str:
    """What the last committed bench runs printed, without their titles."""
    found = [file.read_text().partition("\n\n")[2].strip() for file in FIGURES if file.exists()]
    return "\n\n".join(found) or "No run yet: `make bench` writes `bench/results.md`."


SECTIONS: Mapping[str, Callable[[], str]] = {
    "needs": needs,
    "sizes": sizes,
    "outputs": output_table,
    "config": overview,
    "backups": backups,
    "alerts": alert_table,
    "reference": reference,
    "reserved": reserved,
    "my_cnf": server_option_table,
    "figures": figures,
}


def rendered(text: str) -> str:
    """`text` with every section made anew."""

    def section(name: str, _: str) -> str:
        if name not in SECTIONS:
            raise SystemExit(f"tools/tables.py: there is no section '{name}'")
        return f"\n{SECTIONS[name]()}\n\n"

    return with_sections(text, section)


def made() -> Iterator[tuple[Path, str]]:
    """Each file that this writes, and what belongs in it."""
    for name in PAGES:
        file = ROOT / name
        yield file, rendered(file.read_text())
    yield ROOT / SCHEMA, stack_schema.text()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail instead of writing")
    check = cast(bool, parser.parse_args().check)
    stale: list[str] = []
    for file, wanted in made():
        if not file.exists() or file.read_text() != wanted:
            stale.append(str(file.relative_to(ROOT)))
            if not check:
                file.parent.mkdir(exist_ok=True)
                file.write_text(wanted)
    if check and stale:
        print(f"stale: {', '.join(stale)}; run `python -m tools.tables`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
