"""What is played of kube-state-metrics: names and labels are those of its docs/metrics."""

from typing import Any

from testbed.monitoring.kube_state import exposition


def item(kind: str, **parts: Any) -> dict[str, Any]:
    metadata = {"name": "n", "namespace": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"kind": kind, "metadata": metadata, **parts}


def test_a_job_says_who_made_it_and_how_it_ended() -> None:
    job = item(
        "Job",
        status={
            "conditions": [
                {"type": "SuccessCriteriaMet", "status": "True"},
                {"type": "Complete", "status": "True"},
            ],
            "startTime": "2026-01-01T00:00:00Z",
            "completionTime": "2026-01-01T00:01:00Z",
        },
    )
    job["metadata"]["ownerReferences"] = [
        {"kind": "PhysicalBackup", "name": "orders-backup-1", "controller": True}
    ]
    of = 'namespace="a",job_name="n"'
    assert exposition([job]).splitlines() == [
        f'kube_job_owner{{{of},owner_kind="PhysicalBackup",owner_name="orders-backup-1",'
        'owner_is_controller="true"} 1',
        f'kube_job_complete{{{of},condition="true"}} 1',
        f'kube_job_complete{{{of},condition="false"}} 0',
        f'kube_job_complete{{{of},condition="unknown"}} 0',
        f"kube_job_status_active{{{of}}} 0",
        f"kube_job_status_start_time{{{of}}} 1767225600",
        f"kube_job_status_completion_time{{{of}}} 1767225660",
    ]


def test_what_has_not_happened_has_no_series() -> None:
    assert exposition([item("Job", status={"active": 1})]).splitlines() == [
        'kube_job_status_active{namespace="a",job_name="n"} 1'
    ]
    assert exposition([item("CronJob")]).splitlines() == [
        'kube_cronjob_created{namespace="a",cronjob="n"} 1767225600'
    ]


def test_a_failed_job_and_a_cron_job_that_succeeded() -> None:
    failed = item("Job", status={"conditions": [{"type": "Failed", "status": "True"}]})
    assert 'kube_job_failed{namespace="a",job_name="n",condition="true"} 1' in exposition([failed])
    drill = item("CronJob", status={"lastSuccessfulTime": "2026-01-01T00:01:00Z"})
    said = 'kube_cronjob_status_last_successful_time{namespace="a",cronjob="n"} 1767225660'
    assert said in exposition([drill])


def test_replicas_that_are_wanted_and_there() -> None:
    told = exposition(
        [
            item("StatefulSet", spec={"replicas": 3}, status={"readyReplicas": 2}),
            item("Deployment", spec={"replicas": 1}, status={}),
        ]
    )
    assert told.splitlines() == [
        'kube_statefulset_created{namespace="a",statefulset="n"} 1767225600',
        'kube_statefulset_replicas{namespace="a",statefulset="n"} 3',
        'kube_statefulset_status_replicas_ready{namespace="a",statefulset="n"} 2',
        'kube_deployment_spec_replicas{namespace="a",deployment="n"} 1',
        'kube_deployment_status_replicas_available{namespace="a",deployment="n"} 0',
    ]
