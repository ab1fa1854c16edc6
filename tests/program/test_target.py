"""The cluster that a stack goes to, in the whole program: looked at before anything is made."""

from typing import Any

import pytest

from components import names, owner
from components.guards.api import Refused, Unanswered
from render import recorder
from render.recorder import Recording, Secret, plain

ORDERS: dict[str, Any] = {
    "size": "small",
    "name": "orders",
    "namespace": "shop",
    # No other warning than those of the tests.
    "backup": {"enabled": False},
}
NAMESPACE = "/api/v1/namespaces/shop"
CLUSTER = "/api/v1/namespaces/kube-system"
MARIADB = "/apis/k8s.mariadb.com/v1alpha1/namespaces/shop/mariadbs"
PERCONA = "/apis/pxc.percona.com/v1/namespaces/shop/perconaxtradbclusters"
PREVIEW = pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
OWN = "organization/mysql-ha/test"


def error(found: Any = None, config: dict[str, Any] = ORDERS, **more: Any) -> str:
    """The refusal of a run, of one line, before anything was made."""
    recording = recorder.run(config, found=found, **more)
    assert recording.error is not None, "it was accepted"
    assert "\n" not in recording.error
    assert recording.resources == []
    assert "immutable" not in recording.outputs
    return recording.error


def accepted(found: Any = None, config: dict[str, Any] = ORDERS, **more: Any) -> Recording:
    recording = recorder.run(config, found=found, **more)
    assert recording.error is None, recording.error
    return recording


def live(stack: str | None, **labels: str) -> dict[str, Any]:
    """The metadata of an object that a stack has made."""
    annotations = {owner.ANNOTATION: stack} if stack else {}
    return {"metadata": {"uid": "u", "labels": labels, "annotations": annotations}}


# --- it is there ---


@PREVIEW
def test_a_cluster_that_does_not_answer(preview: bool) -> None:
    text = error(Unanswered("https://x does not answer"), preview=preview)
    assert text.startswith("kubernetes:context: the cluster cannot be asked: https://x does not")


@PREVIEW
def test_a_namespace_that_is_not_there(preview: bool) -> None:
    text = error({NAMESPACE: None}, preview=preview)
    assert text.startswith("mysql-ha:namespace: namespace 'shop' is not in the cluster. Fix: ")
    several = {"databases": {"a": {}, "b": {"namespace": "shop"}}}
    assert error({NAMESPACE: None}, several).startswith("mysql-ha:databases.b.namespace: ")


@PREVIEW
def test_a_secret_that_is_not_there_is_named_by_its_key(preview: bool) -> None:
    given = {"existing_secret": {"name": "given", "key": "pw"}}
    config = {**ORDERS, "credentials": {"root": given}}
    text = error(None, config, preview=preview)
    assert text == (
        "mysql-ha:credentials.root.existing_secret: Secret 'given' is not in namespace 'shop'. "
        "Fix: create it there, or name another."
    )


MONITORED: dict[str, Any] = {**ORDERS, "monitoring": {"scrape": "prometheus_operator"}}
KINDS = "/apis/monitoring.coreos.com/v1"


def served(*kinds: str) -> dict[str, Any]:
    """What a cluster says of prometheus-operator's kinds."""
    return {KINDS: {"resources": [{"kind": kind} for kind in kinds]}}


@PREVIEW
def test_kinds_that_are_not_there(preview: bool) -> None:
    """Those of servers, of proxies and of alerts, if there are such; an update would end half
    way."""
    text = error({KINDS: None}, MONITORED, preview=preview)
    assert text == (
        "mysql-ha:monitoring.scrape: needs the kinds PodMonitor, PrometheusRule, ServiceMonitor, "
        "which the cluster does not have. Fix: install the CRDs of prometheus-operator first, or "
        "set it to annotations."
    )
    assert "kinds PrometheusRule, which" in error(served("ServiceMonitor", "PodMonitor"), MONITORED)
    quiet = {**MONITORED["monitoring"], "alerts": {"enabled": False}}
    direct = {**MONITORED, "monitoring": quiet, "proxy": {"enabled": False}}
    accepted(served("ServiceMonitor"), direct)
    uploads = {
        "store": {
            "s3": {
                "endpoint": "s3.example.com",
                "bucket": "backups",
                "credentials": {"existing_secret": {"name": "keys"}},
            }
        },
        "point_in_time": {"enabled": True},
    }
    collected = {"size": "small", "engine": "percona", "monitoring": quiet, "backup": uploads}
    assert "kinds PodMonitor, which" in error(served("ServiceMonitor"), collected)
    for config in (ORDERS, {**ORDERS, "monitoring": {"scrape": "annotations"}}):
        accepted({KINDS: None}, config)


ANNOTATED: dict[str, Any] = {**ORDERS, "monitoring": {"scrape": "annotations"}}
SQL_OBJECTS = "/apis/k8s.mariadb.com/v1alpha1/namespaces/shop"


def exported_by(account: str | None) -> dict[str, Any]:
    """The MariaDB object of the stack, with an exporter of that account."""
    spec = {"metrics": {"enabled": True, "username": account}} if account else {}
    return {f"{MARIADB}/orders": {**live(OWN), "spec": spec}}


@PREVIEW
@pytest.mark.parametrize("config", [MONITORED, ANNOTATED], ids=["operator", "annotations"])
def test_an_exporter_that_people_run_stays_theirs(config: dict[str, Any], preview: bool) -> None:
    """Of a database of the stack: the webhook would refuse our account half way."""
    first = plain(accepted().outputs)
    text = error(exported_by("orders-metrics"), config, previous=first, preview=preview)
    assert text.startswith("mysql-ha:monitoring.scrape: needs the account mysql_ha_exporter")
    assert "remove spec.metrics from the object and delete its User and Grant orders-m" in text
    for found in (exported_by("mysql_ha_exporter"), exported_by(None)):
        accepted(found, config, previous=first, preview=preview)
    accepted(exported_by("orders-metrics"), previous=first, preview=preview)


@PREVIEW
@pytest.mark.parametrize("kinds", [("users", "grants"), ("users",), ("grants",)], ids=str)
def test_an_account_of_an_exporter_that_people_had_is_not_taken(
    kinds: tuple[str, ...], preview: bool
) -> None:
    """The operator leaves both when `spec.metrics` goes, and Pulumi cannot make them again."""
    first = plain(accepted().outputs)

    def there(labels: dict[str, str]) -> dict[str, Any]:
        return {f"{SQL_OBJECTS}/{kind}/orders-metrics": live(None, **labels) for kind in kinds}

    text = error(there({}), ANNOTATED, previous=first, preview=preview)
    named = " and ".join(kind.removesuffix("s").capitalize() for kind in kinds)
    assert f"needs the {named} orders-metrics, and namespace 'shop' has such already" in text
    assert "delete the User and Grant orders-metrics first" in text
    ours = there(names.labels("orders", "exporter"))
    accepted(ours, ANNOTATED, previous=first, preview=preview)  # a first update that did not end
    scraped = plain(accepted(None, ANNOTATED).outputs)
    accepted(there({}), ANNOTATED, previous=scraped, preview=preview)
    percona = {**ANNOTATED, "engine": "percona"}
    accepted(there({}), percona, preview=preview)


def test_what_a_user_may_not_read_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hidden(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            if key in (NAMESPACE, CLUSTER):
                raise Refused(f"refuses GET {key} (403)")
            return super().get(key, default)

    said: list[str] = []
    monkeypatch.setattr("components.guards.target.pulumi.log.warn", said.append)
    recording = accepted(Hidden({NAMESPACE: {}, CLUSTER: {}}))
    assert said == [f"not looked at, as this user may not: GET {NAMESPACE}"]
    assert "clusterIdentifier" not in provider(recording).inputs
    assert "cluster" not in plain(recording.outputs)["immutable"]["orders"]


# --- it is the same ---


def provider(recording: Recording, name: str = "kubernetes") -> recorder.Resource:
    (found,) = [r for r in recording.resources if r.name == name and "providers" in r.type]
    return found


@PREVIEW
def test_a_renewed_kubeconfig_replaces_nothing(preview: bool) -> None:
    """What the provider compares is the cluster, not its address, certificate or token."""
    reads = {"proxy": {"users": [{"username": "a", "existing_secret": {"name": "s", "key": "k"}}]}}
    for kubeconfig in ("one", "another"):
        config = {**ORDERS, **reads, "kubernetes:kubeconfig": kubeconfig}
        existing = {"shop/s": {"k": "text of a user"}}
        recording = accepted(None, config, preview=preview, existing=existing)
        for name in ("kubernetes", "reader"):
            inputs = provider(recording, name).inputs
            assert inputs["clusterIdentifier"] == "uid-of-kube-system"
            assert inputs["kubeconfig"] == Secret(kubeconfig)


@PREVIEW
def test_another_cluster_is_another_stack(preview: bool) -> None:
    first = plain(accepted().outputs)
    assert first["immutable"]["orders"]["cluster"] == "uid-of-kube-system"
    text = error({CLUSTER: {"metadata": {"uid": "other"}}}, previous=first, preview=preview)
    assert text.startswith("kubernetes:context: leads to another cluster than the one with databa")


def test_every_setting_reaches_every_provider() -> None:
    reads = {"proxy": {"users": [{"username": "a", "existing_secret": {"name": "s", "key": "k"}}]}}
    settings = {
        "kubernetes:context": "prod",
        "kubernetes:clusterIdentifier": "mine",
        "kubernetes:suppressDeprecationWarnings": True,
        "kubernetes:kubeClientSettings": {"qps": 5},
    }
    existing = {"shop/s": {"k": "text of a user"}}
    recording = accepted(None, {**ORDERS, **reads, **settings}, existing=existing)
    for name in ("kubernetes", "reader"):
        inputs = provider(recording, name).inputs
        assert inputs["context"] == "prod"
        assert inputs["clusterIdentifier"] == "mine"
        assert str(inputs["suppressDeprecationWarnings"]).lower() == "true"
        assert "qps" in str(inputs["kubeClientSettings"])


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("kubernetes:contxt", "did you mean 'context'?"),
        ("kubernetes:renderYamlToDirectory", "every password in clear"),
        ("mysqlha:size", "did you mean 'mysql-ha:size'?"),
        ("kubernets:context", "did you mean 'kubernetes:context'?"),
    ],
)
def test_a_key_that_nothing_reads(key: str, says: str) -> None:
    text = error(None, {**ORDERS, key: "x"})
    assert text.startswith(f"{key}: ")
    assert says in text


def test_keys_of_other_packages_are_their_own() -> None:
    accepted(None, {**ORDERS, "aws:region": "x", "pulumi:tags": {"a": "b"}})


# --- nobody else has what it would make ---


@PREVIEW
@pytest.mark.parametrize("path", [f"{MARIADB}/orders", f"{PERCONA}/orders"])
def test_a_second_stack_of_the_same_name(path: str, preview: bool) -> None:
    found = {path: live("organization/mysql-ha/other", **names.labels("orders", "mariadb"))}
    text = error(found, preview=preview)
    assert text.startswith("mysql-ha:name: ")
    assert "belongs to stack 'organization/mysql-ha/other'" in text


def test_an_update_that_did_not_end_goes_on() -> None:
    accepted({f"{MARIADB}/orders": live(OWN)})
    accepted({f"{MARIADB}/orders": live(None, **names.labels("orders", "mariadb"))})


def test_an_object_of_somebody_else_is_adopted_or_left_alone() -> None:
    assert "set adopt: import" in error({f"{MARIADB}/orders": live(None)})


def test_a_database_of_the_stack_is_its_own() -> None:
    first = plain(accepted().outputs)
    accepted({f"{MARIADB}/orders": live("organization/mysql-ha/renamed")}, previous=first)


@pytest.mark.parametrize("config", [ORDERS, {**ORDERS, "engine": "percona"}], ids=str)
def test_whose_an_object_is_stands_in_it(config: dict[str, Any]) -> None:
    kind = "PerconaXtraDBCluster" if "engine" in config else "MariaDB"
    annotations = accepted(None, config).one(kind).inputs["metadata"]["annotations"]
    assert annotations[owner.ANNOTATION] == OWN


@pytest.mark.parametrize("end", ["-haproxy", "-haproxy-replicas", "-proxysql"])
def test_a_neighbour_whose_operator_deletes_services(end: str) -> None:
    found: dict[str, Any] = {f"{PERCONA}/cards": {"metadata": {}}}
    text = error(found, {**ORDERS, "name": f"cards{end}"})
    assert f"its operator would delete the Service 'cards{end}'" in text
    accepted(found, {**ORDERS, "name": "cards-db"})


def test_a_percona_cluster_beside_such_a_neighbour() -> None:
    found: dict[str, Any] = {f"{NAMESPACE}/services/orders-haproxy": {"metadata": {}}}
    assert "'orders-haproxy'" in error(found, {**ORDERS, "engine": "percona"})
    accepted(found)


# --- the namespace that it makes ---

MAKES = {**ORDERS, "create_namespace": True}


@PREVIEW
def test_a_namespace_that_is_there_is_not_made(preview: bool) -> None:
    text = error({NAMESPACE: live(None)}, MAKES, preview=preview)
    assert text.startswith("mysql-ha:create_namespace: namespace 'shop' is there already")


def test_its_own_namespace_is_made_again() -> None:
    accepted({NAMESPACE: live(OWN)}, MAKES)
    first = plain(accepted(None, MAKES).outputs)
    accepted({NAMESPACE: live(None)}, MAKES, previous=first)
    text = error({NAMESPACE: live(OWN)}, ORDERS, previous=first)
    assert text.startswith("mysql-ha:create_namespace: ")


# --- the Secrets of its store ---

KEYS = {"AWS_ACCESS_KEY_ID": "aWQ=", "AWS_SECRET_ACCESS_KEY": "a2V5"}
CREDENTIALS = "backup.store.s3.credentials.existing_secret"


def stored(name: str = "store", *, ca: str | None = None, **keys: str) -> dict[str, Any]:
    """A bucket with its keys in a Secret."""
    authority = {"ca": {"name": ca, "key": "ca.crt"}} if ca else {}
    return {
        "endpoint": "s3.example.com",
        "bucket": "backups",
        "credentials": {"existing_secret": {"name": name, **keys}},
        **authority,
    }


def backed_up(**s3: str) -> dict[str, Any]:
    return {**ORDERS, "backup": {"store": {"s3": stored(**s3)}}}


def secret(name: str, *keys: str) -> dict[str, Any]:
    """What the API has at the path of a Secret."""
    return {f"{NAMESPACE}/secrets/{name}": {"metadata": {}, "data": {key: "aWQ=" for key in keys}}}


@PREVIEW
def test_a_store_whose_secret_is_not_there(preview: bool) -> None:
    text = error({f"{NAMESPACE}/secrets/store": None}, backed_up(), preview=preview)
    assert text == (
        f"mysql-ha:{CREDENTIALS}: Secret 'store' is not in namespace 'shop'. "
        "Fix: create it there, or name another."
    )


def test_a_secret_of_a_store_that_lacks_a_key() -> None:
    found = secret("store", "AWS_ACCESS_KEY_ID", "other")
    assert error(found, backed_up()) == (
        f"mysql-ha:{CREDENTIALS}: Secret 'store' in namespace 'shop' has no key "
        "'AWS_SECRET_ACCESS_KEY'. Fix: add what is missing, or name another."
    )
    own = backed_up(access_key="id", secret_key="key", session_token="token")
    assert "has no key 'id' or 'key' or 'token'. " in error(found, own)
    accepted(secret("store", "id", "key", "token"), own)
    empty: dict[str, Any] = {f"{NAMESPACE}/secrets/store": {"metadata": {}}}
    assert "has no key 'AWS_ACCESS_KEY_ID' or 'AWS_SECRET_ACCESS_KEY'" in error(empty, backed_up())


def test_an_authority_of_a_store_that_is_not_there() -> None:
    found = {**secret("store", *KEYS), f"{NAMESPACE}/secrets/theirs": None}
    text = error(found, backed_up(ca="theirs"))
    assert text.startswith("mysql-ha:backup.store.s3.ca: Secret 'theirs' is not in namespace")
    text = error({**found, **secret("theirs", "tls.crt")}, backed_up(ca="theirs"))
    assert "backup.store.s3.ca: Secret 'theirs' in namespace 'shop' has no key 'ca.crt'" in text
    accepted({**found, **secret("theirs", "ca.crt")}, backed_up(ca="theirs"))


def test_one_line_for_a_secret_that_many_name() -> None:
    """Databases by a common key or by their own, and two keys of one."""
    found = {f"{NAMESPACE}/secrets/store": None}
    common = {
        "size": "small",
        "namespace": "shop",
        "backup": {"store": {"s3": stored(ca="store")}},
    }
    text = error(found, {**common, "databases": {"a": {}, "b": {}}})
    assert text == (
        f"mysql-ha:{CREDENTIALS}: Secret 'store' is not in namespace 'shop', which "
        "backup.store.s3.ca needs too. Fix: create it there, or name another."
    )
    own = {"backup": {"store": {"s3": stored(ca="store")}}}
    text = error(found, {**common, "backup": {}, "databases": {"a": own, "b": own}})
    assert text.startswith(f"mysql-ha:databases.a.{CREDENTIALS}: ")
    assert f"databases.a.backup.store.s3.ca, databases.b.{CREDENTIALS}, databases.b." in text


def test_a_store_of_azure() -> None:
    azure = {
        "account": "account",
        "container": "backups",
        "credentials": {"existing_secret": {"name": "store", "key": "AZURE_STORAGE_ACCOUNT_KEY"}},
    }
    config = {
        **ORDERS,
        "engine": "percona",
        "backup": {"store": {"azure": azure}, "drill": {"enabled": False}},
    }
    text = error(secret("store", "AZURE_STORAGE_ACCOUNT_KEY"), config)
    assert text.startswith(
        "mysql-ha:backup.store.azure.credentials.existing_secret: Secret 'store'"
    )
    assert "has no key 'AZURE_STORAGE_ACCOUNT_NAME'" in text


def test_backups_that_are_off_need_no_secret() -> None:
    off = {**ORDERS, "backup": {"enabled": False, "store": {"s3": stored()}}}
    accepted({f"{NAMESPACE}/secrets/store": None}, off)


RESTORED: dict[str, Any] = {
    **ORDERS,
    "credentials": {"root": {"existing_secret": {"name": "then", "key": "password"}}},
    "database": {
        "restore_from": {
            "id": "incident",
            "backup": "physicalbackup-20260102021700.xb.gz",
            "prefix": "prod/shop/old/1/full",
            "s3": stored("theirs", ca="authority"),
        }
    },
}
THEN = {"shop/then": {"password": "text-of-the-root"}}
NONE_OF_ITS_SOURCE: dict[str, Any] = {
    f"{NAMESPACE}/secrets/theirs": None,
    f"{NAMESPACE}/secrets/authority": None,
}


@PREVIEW
def test_a_restore_whose_secrets_are_not_there(preview: bool) -> None:
    recording = recorder.run(RESTORED, found=NONE_OF_ITS_SOURCE, existing=THEN, preview=preview)
    lines = str(recording.error).splitlines()
    assert [line.partition(" is not ")[0] for line in lines] == [
        "mysql-ha:database.restore_from.s3.ca: Secret 'authority'",
        "mysql-ha:database.restore_from.s3.credentials.existing_secret: Secret 'theirs'",
    ]
    assert recording.resources == []


def test_a_restore_whose_root_password_is_not_there() -> None:
    """Neither the Secret nor its key, and the source is there."""
    path = "mysql-ha:credentials.root.existing_secret: "
    assert error(None, RESTORED).startswith(f"{path}Secret 'then' is not in namespace 'shop'")
    recording = recorder.run(RESTORED, existing={"shop/then": {"other": "x"}})
    assert str(recording.error).startswith(f"{path}Secret 'then' has no key 'password'")


def test_a_restore_that_is_done_needs_its_secrets_no_more() -> None:
    first = plain(accepted(None, RESTORED, existing=THEN).outputs)
    accepted(NONE_OF_ITS_SOURCE, RESTORED, existing=THEN, previous=first)


def test_a_user_who_may_not_read_secrets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{NAMESPACE}/secrets/store"

    class Hidden(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            if key == path:
                raise Refused(f"refuses GET {key} (403)")
            return super().get(key, default)

    said: list[str] = []
    monkeypatch.setattr("components.guards.target.pulumi.log.warn", said.append)
    accepted(Hidden({path: None}), backed_up(ca="store"))
    assert said == [f"not looked at, as this user may not: GET {path}"]


def test_no_value_of_a_secret_is_told_or_kept() -> None:
    canary = {"metadata": {}, "data": {key: "Q0FOQVJZ" for key in KEYS}}
    recording = accepted({f"{NAMESPACE}/secrets/store": canary}, backed_up())
    assert "Q0FOQVJZ" not in str(recording)
    canary["data"].pop("AWS_ACCESS_KEY_ID")
    assert "Q0FOQVJZ" not in error({f"{NAMESPACE}/secrets/store": canary}, backed_up())


def test_a_namespace_that_is_made_gets_the_keys_of_its_store_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr("components.guards.target.pulumi.log.warn", said.append)
    makes = {**backed_up(), "create_namespace": True}
    gone = {NAMESPACE: None, f"{NAMESPACE}/secrets/store": None}
    first = plain(accepted(gone, makes).outputs)
    assert said == [
        f"mysql-ha:{CREDENTIALS}: no backup is made before Secret 'store' is in namespace 'shop', "
        "which this update makes. Fix: create it there afterwards, with AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY."
    ]
    # The next update looks for it.
    later = {**gone, NAMESPACE: live(OWN)}
    assert "Secret 'store' is not in namespace 'shop'" in error(later, makes, previous=first)


def test_a_restore_into_a_namespace_that_is_made_would_wait_for_its_secrets() -> None:
    makes = {**RESTORED, "create_namespace": True}
    recording = recorder.run(makes, found={NAMESPACE: None}, existing=THEN)
    for line in str(recording.error).splitlines():
        assert "which this update makes. Fix: create the namespace and the Secret first" in line
    assert len(str(recording.error).splitlines()) == 2
