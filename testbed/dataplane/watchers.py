"""The watcher beside each proxy, seen from outside, and watchers that die at a given step."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from components.proxysql.layout import DATA_DIR, WATCHER_FILE

from .deployment import Deployment
from .nodes import MONITOR
from .proxies import Proxy
from .release import Release

SCRIPT = f"config/{WATCHER_FILE}"
STEPS: Mapping[str, str] = {
    "has noted that writes wait": "    since_now\n  fi\n",
    "has stopped writes": '&& say "${verdict:-hold before}: writes wait"\n  fi\n',
    "has asked who is the primary": "|| verdict=unreachable\n",
    "has ended tied sessions": """(exec 9>&-; cut "AND command='Sleep'")\n""",
    "has cut off the old primary": 'fit=${fit:-$(now)}\n      (exec 9>&-; cut "")\n',
    "has let writes go on": "(exec 9>&-; status ONLINE) || return\n",
}
"""What a watcher has just done in a switchover, and the lines of its script that do it."""


def watched(site: Deployment) -> bool:
    """Whether each proxy has a watcher, with a statement that is open on the primary.

    That of a watcher that was killed stays open for up to five seconds.
    """
    asked = site.primary.query(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST "
        f"WHERE USER='{MONITOR.user}' AND STATE='User sleep'"
    )
    began = all(state(proxy, "pid").exists() for proxy in site.tier.proxies)
    return began and int(asked.value or 0) >= len(site.tier.proxies)


def holding(site: Deployment) -> set[str | None]:
    """Statuses of the Service's row in the writer hostgroup: OFFLINE_SOFT while writes wait."""
    sql = "SELECT status FROM runtime_mysql_servers WHERE hostgroup_id=10"
    return {proxy.admin(sql).value for proxy in site.tier.proxies}


def state(proxy: Proxy, name: str) -> Path:
    """A file of the watcher."""
    return proxy.directory / "data" / f"watch.{name}"


def kill_watcher(proxy: Proxy, sign: signal.Signals = signal.SIGKILL) -> None:
    """A signal to the watcher that runs, if one does."""
    with suppress(ProcessLookupError):
        os.kill(int(state(proxy, "pid").read_text()), sign)


def dying_after(release: Release, step: str) -> Release:
    """The same proxies with a watcher that kills itself once, after a step of STEPS.

    Its file `.died` says that it did.
    """
    script, lines = release.files[SCRIPT], STEPS[step]
    assert script.count(lines) == 1, step
    died = f"{DATA_DIR}/watch.died"
    death = f"[ -e {died} ] || {{ : > {died}; kill -s KILL $$; }}\n"
    return replace(release, files={**release.files, SCRIPT: script.replace(lines, lines + death)})
