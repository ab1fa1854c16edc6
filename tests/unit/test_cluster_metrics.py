"""What tests on real nodes make of rules and of the kubelets' figures."""

from testbed.cluster.metrics import CAPACITY, played
from testbed.cluster.monitoring import hurried

KUBELET = """\
# TYPE kubelet_volume_stats_available_bytes gauge
kubelet_volume_stats_available_bytes{namespace="a",persistentvolumeclaim="storage-n-0"} 4.7e+10
kubelet_volume_stats_capacity_bytes{namespace="a",persistentvolumeclaim="storage-n-0"} 2.52e+11
kubelet_volume_stats_inodes{namespace="a",persistentvolumeclaim="storage-n-0"} 1.6e+07
kubelet_running_pods 7
"""


def test_a_volume_keeps_its_labels_and_gets_other_figures() -> None:
    of = '{namespace="a",persistentvolumeclaim="storage-n-0"}'
    assert played(KUBELET, {}).splitlines() == [
        f"kubelet_volume_stats_available_bytes{of} {CAPACITY // 2}",
        f"kubelet_volume_stats_capacity_bytes{of} {CAPACITY}",
    ]
    left, _ = played(KUBELET, {"storage-n-0": 0.25}).splitlines()
    assert left.endswith(f" {CAPACITY // 4}")


def test_rules_wait_for_less_and_are_the_same_otherwise() -> None:
    waits = {"alert": "A", "expr": "rate(x[5m]) > 1", "for": "1h20m", "labels": {"severity": "s"}}
    at_once = {"alert": "B", "expr": "predict_linear(y[6h], 14400) < 0"}
    (group,) = hurried([{"name": "g", "rules": [waits, at_once]}])
    assert group["name"] == "g"
    assert group["rules"] == [
        {**waits, "expr": "rate(x[37500ms]) > 1", "for": "600000ms"},
        {**at_once, "expr": "predict_linear(y[2700000ms], 14400) < 0"},
    ]
