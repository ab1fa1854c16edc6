"""Rules of what fits into one Kubernetes object."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.proxy import ProxyUser, QueryRule
from components.config.stack import StackConfig

MAX_SECRET = 2**20
"""Bytes of all values of a Secret or ConfigMap (k8s.io/kubernetes pkg/apis/core, MaxSecretSize)."""
BESIDE = 64 * 1024
"""Bytes kept for what the program itself writes into the same object: scripts, variables, peers."""
LOGIN, RULE, FIELD = 240, 20, 32
"""Bytes of a row of ProxySQL's file and of a field in it, beside names and text: no row has more
(`tests/unit/test_limits.py` looks)."""


def _of_login(user: ProxyUser) -> int:
    schema = FIELD + len(user.default_schema) if user.default_schema else 0
    return LOGIN + len(user.username) + schema


def _of_rule(rule: QueryRule) -> int:
    values = [str(value) for value in rule.model_dump(exclude_none=True).values()]
    return RULE + sum(FIELD + len(text.encode()) + text.count("\\") for text in values)


def logins_fit_into_a_secret(config: StackConfig) -> Iterator[Fault]:
    total = sum(map(_of_login, config.logins)) if config.own_proxies else 0
    if total > MAX_SECRET - BESIDE:
        yield (
            "apps" if len(config.apps) > len(config.proxy.users) else "proxy.users",
            f"{len(config.logins)} logins need {total // 1024} KiB, and the Secret that holds them "
            "for the proxies at most 1 MiB",
            "use fewer logins, or another database with proxies of its own",
        )


def query_rules_fit_into_a_secret(config: StackConfig) -> Iterator[Fault]:
    total = sum(map(_of_rule, config.proxy.query_rules)) if config.own_proxies else 0
    if total > MAX_SECRET - BESIDE:
        yield (
            "proxy.query_rules",
            f"need {total // 1024} KiB, and the Secret that holds them for the proxies at most "
            "1 MiB",
            "use fewer or shorter rules",
        )


def options_fit_into_a_config_map(config: StackConfig) -> Iterator[Fault]:
    if len(config.database.my_cnf.encode()) > MAX_SECRET - BESIDE:
        yield "database.my_cnf", "is longer than a ConfigMap holds (1 MiB)", "shorten it"


RULES = (
    logins_fit_into_a_secret,
    query_rules_fit_into_a_secret,
    options_fit_into_a_config_map,
)
