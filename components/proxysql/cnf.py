"""`proxysql.cnf`: from a plain model to libconfig text. Pure.

Sources: ProxySQL v2.7 and v3.0 lib/ProxySQL_Config.cpp (the sections and keys that are read),
libconfig 1.7.3 (the syntax). ProxySQL puts values into SQL unescaped and drops a row that breaks it
with only a log line, so the startup probe counts rows: see `self_check`.
"""

import hashlib
import json
from collections.abc import Mapping

from components.config.credentials import PROXY_ROLES
from components.proxysql import layout
from components.proxysql.libconfig import Document, render_document
from components.proxysql.model import CnfModel, Secrets
from components.proxysql.query_rules import rule_rows
from components.proxysql.scheduler import scheduler_rows
from components.proxysql.servers import server_rows, topology_tables
from components.proxysql.variables import admin_variables, mysql_variables, pgsql_variables


def render(model: CnfModel, secrets: Secrets) -> str:
    """The whole `proxysql.cnf`."""
    sections: Document = {
        "datadir": layout.DATA_DIR,
        "admin_variables": admin_variables(model, secrets),
        "mysql_variables": mysql_variables(model, secrets),
        "pgsql_variables": pgsql_variables(model),
        **topology_tables(model),
        "mysql_servers": server_rows(model),
        "mysql_query_rules": rule_rows(model),
        "scheduler": scheduler_rows(model),
    }
    included = "".join(
        f'@include "{layout.LIVE_DIR}/{file}"\n' for file in (layout.USERS_FILE, layout.PEERS_FILE)
    )
    return render_document({key: value for key, value in sections.items() if value}) + included


def digest(model: CnfModel, sources: Mapping[str, str]) -> str:
    """12 hex digits that change iff the file's non-secret part or the source of a password does.

    `sources`: where each password comes from, with its rotation counter, by config path. Secret
    values stay out of it, so that a preview can show the name and the Pod template.
    """
    blank = Secrets(**dict.fromkeys(PROXY_ROLES, ""))
    watcher = repr(model.watch) if model.watch else ""
    text = render(model, blank) + watcher + json.dumps(dict(sorted(sources.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
