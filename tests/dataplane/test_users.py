"""Logins that change while ProxySQL runs.

A change reaches the servers first and then each proxy at a moment of its own: what works in
between is what these tests are about. The order of the steps is that of components/apps.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from components.config.apps import privileges
from components.config.load import resolve
from components.config.stack import StackConfig
from components.engines import mariadb
from components.proxysql.live import live, render_peers, render_users
from components.proxysql.self_check import live_check
from testbed.database import operator_sql
from testbed.database.servers import Account, Session, SqlError, eventually
from testbed.dataplane.deployment import Deployment, Lab, logs_in
from testbed.dataplane.nodes import APP, SECOND, Node, Servers
from testbed.dataplane.proxies import Proxy
from testbed.dataplane.release import NAME, NAMESPACE, PROXIES
from tests.unit import libconfig

from .conftest import release_of

pytestmark = pytest.mark.dataplane

NO_CONNECTION = 9001
NEWCOMER = Account("newcomer", "newcomer-password-1")
ALL_USERS = "SELECT COUNT(*) FROM runtime_mysql_users WHERE frontend=1"
Files = Mapping[str, str]


@pytest.fixture(scope="module")
def site(lab: Lab, replication: Servers) -> Generator[Deployment]:
    """A deployment whose proxies look at their logins more often, and wait less for servers."""
    release = release_of(lab, replication, "primary_service")
    release = release.edited("interval_ms = 5000", "interval_ms = 500")
    patience = "connect_timeout_server_max = "
    release = release.edited(f"{patience}20000", f"{patience}2000")
    with lab.deploy(replication, release) as site:
        yield site


@pytest.fixture
def proxy(site: Deployment) -> Proxy:
    """A proxy that knows two users."""
    proxy = site.tier.proxies[0]
    load_files(proxy, files(APP, SECOND))
    return proxy


@pytest.fixture
def bystander(proxy: Proxy) -> Generator[None]:
    """Another user in the middle of a transaction, which goes on after the test."""
    with proxy.session(APP) as session:
        session.query("BEGIN")
        session.query("INSERT INTO writes (id) VALUES (1)")
        yield
        assert session.query("SELECT COUNT(*) FROM writes WHERE id = 1").value == "1"
        session.query("ROLLBACK")
        assert session.query("SELECT COUNT(*) FROM writes WHERE id = 1").value == "0"


@pytest.mark.usefixtures("bystander")
def test_an_added_user_is_let_in(site: Deployment, proxy: Proxy) -> None:
    give(site.primary, NEWCOMER, {"shop": "readonly"})
    assert not logs_in(proxy, NEWCOMER)
    load_files(proxy, files(APP, SECOND, NEWCOMER))
    assert asks(proxy, NEWCOMER)


@pytest.mark.usefixtures("bystander")
def test_a_removed_user_is_refused(proxy: Proxy) -> None:
    """At its next login; a session that it has open is not cut."""
    with proxy.session(SECOND) as session:
        load_files(proxy, files(APP))
        assert not logs_in(proxy, SECOND)
        assert session.query("SELECT 1").value == "1"


@pytest.mark.usefixtures("bystander")
def test_an_inactive_user_is_refused(proxy: Proxy) -> None:
    users = [entry(APP), entry(SECOND) | {"active": False}]
    load_files(
        proxy, files(APP, SECOND, config=resolve({"proxy": {"enabled": True, "users": users}}))
    )
    assert not logs_in(proxy, SECOND)
    load_files(proxy, files(APP, SECOND))
    assert logs_in(proxy, SECOND)


@pytest.mark.usefixtures("bystander")
def test_a_changed_password_is_loaded(proxy: Proxy) -> None:
    changed = replace(SECOND, password="another-password")
    load_files(proxy, files(APP, changed))
    assert logs_in(proxy, changed)
    assert not logs_in(proxy, SECOND)


@pytest.mark.parametrize(
    ("text", "broken", "complaint"),
    [
        ("}", "", "Parse error"),
        # ProxySQL puts it into SQL unescaped, and loses the row.
        ('"second"', '"sec\'ond"', "SQLITE error"),
    ],
    ids=["syntax", "a lost row"],
)
@pytest.mark.usefixtures("bystander")
def test_a_broken_file_changes_nothing(
    proxy: Proxy, text: str, broken: str, complaint: str
) -> None:
    """Everyone in use stays, and once it is repaired it is loaded."""
    before, wanted = in_use(proxy), files(APP, SECOND, NEWCOMER)
    said = proxy.log().count(complaint)
    proxy.renew_users({**wanted, "users.cnf": wanted["users.cnf"].replace(text, broken, 1)})
    assert eventually(lambda: proxy.log().count(complaint) >= said + 3, timeout=20), proxy.log()
    assert in_use(proxy) == before
    assert logs_in(proxy, SECOND)
    load_files(proxy, wanted)


@pytest.mark.parametrize(
    "change",
    [
        f"DELETE FROM mysql_users WHERE username='{SECOND.user}'",
        "INSERT INTO mysql_users (username, password) "
        f"VALUES ('{NEWCOMER.user}', '{NEWCOMER.password}')",
    ],
    ids=["removed", "added"],
)
@pytest.mark.usefixtures("bystander")
def test_a_change_by_hand_is_undone(proxy: Proxy, change: str) -> None:
    """The file is the same, but its users are not those in use."""
    before = in_use(proxy)
    changed = proxy.admin(change, "LOAD MYSQL USERS TO RUNTIME", ALL_USERS).value
    assert changed != str(len(before))
    assert eventually(lambda: in_use(proxy) == before, timeout=30), proxy.log()[-3000:]
    assert asks(proxy, SECOND)
    assert not logs_in(proxy, NEWCOMER)


def test_a_thousand_users_are_loaded(proxy: Proxy) -> None:
    crowd = [Account(f"user{number}", f"password-{number}") for number in range(1000)]
    load_files(proxy, files(*crowd))
    accounts = "SELECT COUNT(DISTINCT username) FROM runtime_mysql_users"
    assert proxy.admin(accounts).value == "1000"
    assert logs_in(proxy, crowd[-1])
    assert not logs_in(proxy, APP)


def test_a_rotation_fails_nobody(site: Deployment) -> None:
    """Accounts alternate: the last login works until the next rotation, the new one from the
    moment on that a proxy has taken it up; then the app's Secret names it.
    """
    first, second, _ = site.tier.proxies
    old, new = Account("till", "password-0"), Account("till_b", "password-1")
    give(site.primary, old, {"shop": "readwrite"})
    for proxy in site.tier.proxies:
        load_files(proxy, files(old, config=rotated(0)))
    named = [old]
    with (
        first.session(old) as pooled,
        clients(site, lambda: named[0]) as of_the_secret,
        clients(site, lambda: old) as of_the_old_login,
    ):
        await_answers(of_the_secret, of_the_old_login)
        give(site.primary, new, {"shop": "readwrite"})
        load_files(first, files(new, old, config=rotated(1)))
        assert asks(first, new)
        assert not logs_in(second, new)
        await_answers(of_the_secret, of_the_old_login)
        for proxy in site.tier.proxies[1:]:
            load_files(proxy, files(new, old, config=rotated(1)))
            assert asks(proxy, new)
        named[0] = new
        await_answers(of_the_secret, of_the_old_login)
        assert pooled.query("SELECT CURRENT_USER()").value == f"{old.user}@%"
    assert failures(of_the_secret, of_the_old_login) == []

    third = replace(old, password="password-2")
    with clients(site, lambda: named[0]) as of_the_secret:
        site.primary.query(operator_sql.alter_user(third))
        for proxy in site.tier.proxies:
            load_files(proxy, files(third, new, config=rotated(2)))
            assert asks(proxy, third)
        named[0] = third
        await_answers(of_the_secret)
    assert failures(of_the_secret) == []
    assert not any(logs_in(proxy, old) for proxy in site.tier.proxies)
    assert not any(node.lets_in(old) for node in site.servers.nodes)


def test_a_given_password_is_changed(site: Deployment) -> None:
    """One account, so there is a gap: from the server's new password on until a proxy has it.

    In it the proxy lets in the old password, and a statement that needs a new connection to the
    server fails, after `connect_timeout_server_max` (20 s); the new password is refused.
    Afterwards the new one works. A session that was open is not cut, but has the old password: it
    works while the proxy has connections of its user to give it, for 5 s behind the Service
    (`connection_max_age_ms`). Then it fails likewise, until it logs in again.
    """
    proxies = site.tier.proxies
    old, new = Account("legacy", "old-password"), Account("legacy", "new-password")
    give(site.primary, old, {"shop": "readwrite"})
    for proxy in proxies:
        load_files(proxy, files(old))
    with ExitStack() as stack:
        opened = [stack.enter_context(proxy.session(old)) for proxy in proxies]
        for session in opened:
            session.query("BEGIN")
            session.query("SELECT COUNT(*) FROM writes")
        site.primary.query(operator_sql.alter_user(new))
        for proxy in proxies:
            assert not logs_in(proxy, new)
            with proxy.session(old) as session:
                assert no_connection(session)
            load_files(proxy, files(new))
            assert asks(proxy, new)
            assert not logs_in(proxy, old)
        for session in opened:
            session.query("SELECT COUNT(*) FROM writes")
            session.query("COMMIT")
        # Sessions of the new password, which take all connections that there are.
        while int(proxies[0].admin(FREE).value or 0):
            session = stack.enter_context(proxies[0].session(new))
            session.query("BEGIN")
            session.query("SELECT COUNT(*) FROM writes")
        assert no_connection(opened[0])


FREE = "SELECT SUM(ConnFree) FROM stats_mysql_connection_pool"


def no_connection(session: Session) -> bool:
    """Whether a statement fails because the proxy gets no connection to a server."""
    try:
        session.query("SELECT COUNT(*) FROM writes")
    except SqlError as error:
        return error.code == NO_CONNECTION
    return False


def rotated(rotation: int) -> StackConfig:
    """The config of an app whose generated password was rotated so often."""
    app = {"name": "till", "databases": {"shop": "readwrite"}, "rotation": rotation}
    return resolve({"apps": [app]})


def entry(account: Account) -> dict[str, Any]:
    """A user in the config, with a password from the stack."""
    return {"username": account.user, "password": "(secret)", "default_schema": "shop"}


def files(*accounts: Account, config: StackConfig | None = None) -> Files:
    """The Secret of logins and peers, as components/proxysql/tier.py makes it; without apps unless
    `config` has them."""
    proxy = {
        "enabled": True,
        "replicas": PROXIES,
        "users": [entry(account) for account in accounts],
    }
    config = config or resolve({"name": NAME, "namespace": NAMESPACE, "proxy": proxy})
    model = live(config, mariadb.topology(config))
    return {
        "users.cnf": render_users(model, {each.user: each.password for each in accounts}),
        "peers.cnf": render_peers(model),
        "read.sql": live_check(model, running=False),
        "in-use.sql": live_check(model, running=True),
    }


def load_files(proxy: Proxy, wanted: Files) -> None:
    """Renew the Secret and wait until its logins are in use."""
    users = libconfig.parse(wanted["users.cnf"])["mysql_users"]
    expected = {user["username"]: user["password"] for user in users if user["active"]}
    proxy.renew_users(wanted)
    assert eventually(lambda: in_use(proxy) == expected, timeout=30), proxy.log()[-3000:]


def in_use(proxy: Proxy) -> dict[str | None, str | None]:
    """Who is let in: the password's hash by name."""
    rows = proxy.admin("SELECT username, password FROM runtime_mysql_users WHERE frontend=1").rows
    return {username: password for username, password in rows}


def give(node: Node, account: Account, databases: Mapping[str, str]) -> None:
    """What mariadb-operator makes of an app's User and Grant objects."""
    for sql in operator_sql.create_user(account):
        node.query(sql)
    for database, role in databases.items():
        node.query(operator_sql.grant(privileges(role), account, database))


def asks(proxy: Proxy, account: Account) -> bool:
    """Whether a new session gets an answer from a server."""
    with proxy.session(account) as session:
        return session.query("SELECT CURRENT_USER()").value == f"{account.user}@%"


Answers = list[SqlError | None]


@contextmanager
def clients(site: Deployment, login: Callable[[], Account]) -> Generator[list[Answers]]:
    """For each proxy one that logs in anew for every statement, until the block ends."""
    ending, journals = threading.Event(), [Answers() for _ in site.tier.proxies]

    def run(proxy: Proxy, answers: Answers) -> None:
        while not ending.wait(0.01):
            try:
                with proxy.session(login()) as session:
                    session.query("SELECT COUNT(*) FROM writes")
            except SqlError as error:
                answers.append(error)
            else:
                answers.append(None)

    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in zip(site.tier.proxies, journals, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield journals
    finally:
        ending.set()
        for thread in threads:
            thread.join(60)


def await_answers(*groups: list[Answers]) -> None:
    """Wait until every client has been answered a few times more."""
    counts = [(answers, len(answers) + 5) for group in groups for answers in group]
    assert eventually(lambda: all(len(answers) >= n for answers, n in counts), timeout=60)


def failures(*groups: list[Answers]) -> list[SqlError]:
    return [error for group in groups for answers in group for error in answers if error]
