"""What fits into a Kubernetes object: the estimates of `checks.limits` and what is written."""

from typing import Any

import pytest
from hypothesis import given

from components.config.checks import limits
from components.config.load import resolve
from components.config.stack import StackConfig
from components.engines import mariadb
from components.proxysql import cnf, live
from components.proxysql.model import Secrets, cnf_model
from tests.unit.models import proxied_configs
from tests.unit.test_checks import paths

pytestmark = pytest.mark.broad


@given(proxied_configs())
def test_no_row_is_longer_than_estimated(config: StackConfig) -> None:
    """The texts that the models take, with a config that is refused when they make too much."""
    topology = mariadb.topology(config)
    passwords = dict.fromkeys(config.usernames, "x" * 32)
    users = live.render_users(live.live(config, topology), passwords)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "MAX_SECRET", limits.BESIDE + max(len(users.encode()) - 100, 0))
        assert bool([*limits.logins_fit_into_a_secret(config)]) is bool(config.logins)
        size = len(rendered(config, True)) - len(rendered(config, False)) - 100
        patch.setattr(limits, "MAX_SECRET", limits.BESIDE + max(size, 0))
        found = [*limits.query_rules_fit_into_a_secret(config)]
        assert bool(found) is bool(config.proxy.query_rules)


def rendered(config: StackConfig, rules: bool) -> bytes:
    """`proxysql.cnf` with the stack's own query rules or without any."""
    more: dict[str, Any] = {"read_write_split": False, **({} if rules else {"query_rules": ()})}
    one = config.model_copy(update={"proxy": config.proxy.model_copy(update=more)})
    blank = Secrets(proxy_admin="", proxy_stats="", proxy_cluster="", monitor="")
    return cnf.render(cnf_model(one, mariadb.topology(one)), blank).encode()


def users(number: int) -> dict[str, Any]:
    listed = [
        {"username": f"user{n}", "existing_secret": {"name": "app", "key": f"password-{n}"}}
        for n in range(number)
    ]
    return {"size": "small", "proxy": {"users": listed}}


def apps(number: int) -> list[dict[str, Any]]:
    return [{"name": f"a{n}", "databases": {f"a{n}": "owner"}} for n in range(number)]


def rules(number: int) -> dict[str, Any]:
    text = "x" * 1900
    listed = [{"rule_id": n + 1, "match_digest": text, "timeout": 100} for n in range(number)]
    return {"size": "small", "proxy": {"query_rules": listed}}


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (users(5200), "proxy.users"),
        ({"size": "small", "apps": apps(5200)}, "apps"),
        (rules(700), "proxy.query_rules"),
        ({"database": {"my_cnf": "#\n" * 2**19}}, "database.my_cnf"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_refused(tree: dict[str, Any], path: str) -> None:
    assert paths(tree) == [path]


@pytest.mark.parametrize("tree", [users(3000), {"size": "small", "apps": apps(1000)}, rules(400)])
def test_what_fits_is_accepted(tree: dict[str, Any]) -> None:
    assert resolve(tree)


def test_without_proxies_nothing_is_written_for_them() -> None:
    assert resolve({**users(5200), "proxy": {**users(5200)["proxy"], "enabled": False}})
