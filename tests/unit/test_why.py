"""Why a database is not ready: the objects and events of a namespace, as kubectl gives them."""

from typing import Any

from tools.why import belonging, reasons


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, **more}


def event(kind: str, name: str, message: str, at: int, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"creationTimestamp": f"2026-01-01T00:00:{at:02}Z"},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": message,
        "involvedObject": {"kind": kind, "name": name},
        **more,
    }


SERVERS = named("StatefulSet", "shop", spec={"replicas": 3}, status={"replicas": 0})
QUOTA = 'pods "shop-0" is forbidden: exceeded quota: small'


def test_a_quota_is_named() -> None:
    """The operator's object says nothing of it."""
    not_ready = {"type": "Ready", "status": "False", "reason": "StatefulSetNotReady"}
    mariadb = named("MariaDB", "shop", status={"conditions": [not_ready]})
    events = [
        event("StatefulSet", "shop", QUOTA, 2),
        event("StatefulSet", "shop", QUOTA, 3),
        event("StatefulSet", "shop-2", "of a neighbour", 1),
        event("StatefulSet", "shop", "all is well", 1, type="Normal"),
    ]
    assert [*reasons([mariadb, SERVERS], events)] == [
        "MariaDB shop: Ready is False: StatefulSetNotReady",
        "StatefulSet shop: 0 of 3 Pods are ready, 0 are made",
        f"StatefulSet shop: FailedCreate: {QUOTA}",
    ]


def test_a_pod_says_what_it_waits_for() -> None:
    message = "0/3 nodes are available"
    scheduled = {"type": "PodScheduled", "status": "False", "message": message}
    nowhere = named("Pod", "shop-0", status={"conditions": [scheduled]})
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    begins = {"waiting": {"reason": "PodInitializing"}}
    pulling = named(
        "Pod",
        "shop-1",
        status={
            "initContainerStatuses": [{"name": "init", "state": waiting}],
            "containerStatuses": [{"name": "mariadb", "state": begins}],
        },
    )
    assert [*reasons([nowhere, pulling], [])] == [
        f"Pod shop-0: PodScheduled is False: {message}",
        "Pod shop-1: container init waits: ImagePullBackOff: no such image",
    ]


def test_percona_has_a_state() -> None:
    status = {"state": "error", "message": ["pxc: no password"], "conditions": []}
    cluster = named("PerconaXtraDBCluster", "shop", status=status)
    assert [*reasons([cluster], [])] == [
        "PerconaXtraDBCluster shop: state is error: pxc: no password"
    ]


def test_what_is_ready_is_not_mentioned() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    objects = [
        named("MariaDB", "shop", status={"conditions": ready}),
        named("PerconaXtraDBCluster", "shop", status={"state": "ready"}),
        named("StatefulSet", "shop", spec={"replicas": 1}, status={"readyReplicas": 1}),
        named("Pod", "shop-0", status={"conditions": ready}),
        named("PersistentVolumeClaim", "storage-shop-0"),
    ]
    assert not [*reasons(objects, [])]


def test_whose_an_object_is() -> None:
    """A StatefulSet of mariadb-operator has an owner and no label, its Pods the label alone."""
    label = {"app.kubernetes.io/instance": "shop"}
    owned = {
        "kind": "StatefulSet",
        "metadata": {"name": "shop", "ownerReferences": [{"name": "shop"}]},
    }
    labelled = {"kind": "Pod", "metadata": {"name": "shop-0", "labels": label}}
    other = {"kind": "Pod", "metadata": {"name": "shop-2-0", "labels": {"a": "b"}}}
    assert belonging([owned, labelled, other], "shop") == [owned, labelled]
