"""The files of a proxy's configuration directory. Pure."""

from components import names
from components.config import password_sources
from components.config.stack import StackConfig
from components.proxysql import cnf, layout, scripts, watcher
from components.proxysql.model import CnfModel, Secrets
from components.proxysql.self_check import self_check
from components.proxysql.watcher import Watch


def secret_name(config: StackConfig, model: CnfModel) -> str:
    """The Secret that has them: another one for each version of what is not secret."""
    digest = cnf.digest(model, password_sources.password_sources(config))
    return names.proxysql_config(config.name, digest)


def files(model: CnfModel, secrets: Secrets) -> dict[str, str]:
    """Their texts, by name."""
    texts = {
        layout.CNF_FILE: cnf.render(model, secrets),
        layout.ADMIN_LOGIN_FILE: scripts.admin_login(secrets.proxy_admin),
        layout.SELF_CHECK_FILE: self_check(model),
        layout.RELOAD_LIVE_FILE: scripts.reload_live(scripts.ADMIN),
    }
    if model.watch:
        login = watcher.login(model.watch, model.monitor_username, secrets.monitor)
        texts[layout.MONITOR_LOGIN_FILE] = login
        texts[layout.WATCHER_FILE] = _watcher(model.watch)
    if model.certificate:
        texts[layout.RELOAD_TLS_FILE] = scripts.reload_tls(scripts.ADMIN, layout.DATA_DIR)
    return texts


def _watcher(watch: Watch) -> str:
    servers = scripts.client(layout.MONITOR_LOGIN_FILE)
    return watcher.script(watch, scripts.ADMIN, servers, f"{layout.DATA_DIR}/watch")
