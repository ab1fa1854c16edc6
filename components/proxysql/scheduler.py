"""ProxySQL's scheduler: the scripts that it runs itself, every so often. Pure."""

from collections.abc import Sequence

from components.proxysql import layout, watcher
from components.proxysql.libconfig import Group
from components.proxysql.model import CnfModel

RELOAD_LIVE_INTERVAL = 5_000
"""Milliseconds between two looks at the files of logins and peers; the kubelet takes a minute to
renew them."""
RELOAD_TLS_INTERVAL = 30_000
"""Milliseconds between two looks at the certificate; the kubelet takes a minute to renew it."""


def scheduler_rows(model: CnfModel) -> Sequence[Group]:
    """One row per script: those that load Secrets that changed, and the watcher."""
    jobs = {layout.RELOAD_LIVE_FILE: RELOAD_LIVE_INTERVAL}
    if model.certificate:
        jobs[layout.RELOAD_TLS_FILE] = RELOAD_TLS_INTERVAL
    if model.watch:
        jobs[layout.WATCHER_FILE] = watcher.INTERVAL
    return [
        {
            "id": number,
            "active": 1,
            "interval_ms": interval,
            "filename": "/bin/sh",
            "arg1": f"{layout.CONFIG_DIR}/{script}",
            "comment": script,
        }
        for number, (script, interval) in enumerate(jobs.items(), 1)
    ]
