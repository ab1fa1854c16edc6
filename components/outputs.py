"""The output contract: names and addresses, never a password."""

from collections.abc import Mapping
from typing import Any

from components import names
from components.apps import outputs as apps_outputs
from components.config.engine import ENGINES
from components.config.proxysql import ADMIN_PORT
from components.config.stack import StackConfig
from components.credentials import ResolvedCredential
from components.operations import places
from components.operations.places import Place
from components.proxysql import certificate
from components.topology import CA_KEY, Endpoint, Topology


def _host(config: StackConfig, service: str) -> str:
    return names.service_host(service, config.namespace, config.cluster_domain)


def endpoint(config: StackConfig, topology: Topology) -> Endpoint:
    """Where clients connect."""
    if not config.own_proxies:
        return Endpoint(
            host=topology.service, reader_host=topology.reader_service, port=topology.port
        )
    host = _host(config, ENGINES[config.engine].proxies(config.name))
    return Endpoint(host=host, reader_host=host, port=config.proxy.service.port)


def outputs(
    config: StackConfig, topology: Topology, root: ResolvedCredential, place: Place
) -> dict[str, Any]:
    """The output contract, `schema_version` 1; plain values, all known at preview.

    `ca_secret` has the CA that verifies the certificate of `host`, and is absent if nothing can;
    `proxysql` is absent without a proxy, `backup` without backups: Pulumi drops empty outputs.
    `place`: of the database's backups.
    """
    namespace, proxy, where = config.namespace, config.proxy, endpoint(config, topology)
    ca = {"name": topology.ca_secret, "key": CA_KEY} if topology.ca_secret else None
    if ca and config.operator_proxies:
        ca["name"] = config.security.tls.secret or names.pxc_ssl(config.name)
    if config.own_proxies:
        ca = certificate.secret_key(config)
    contract: dict[str, Any] = {
        "schema_version": 1,
        "engine": config.engine,
        "size": config.size,
        "namespace": namespace,
        "name": config.name,
        "host": where.host,
        "port": where.port,
        "reader_host": where.reader_host,
        "reader_port": where.port,
        "MYSQL_HOST": where.host,
        "MYSQL_PORT": str(where.port),
        "admin_secret": {"name": root.secret, "key": root.key},
        "apps": apps_outputs(config, where),
    }
    if ca:
        contract["ca_secret"] = ca
    if config.backup.target:
        contract["backup"] = _backup(config, place)
    if proxy.enabled:
        admin, admin_port = names.proxysql_peers, ADMIN_PORT
        if proxy.managed_by == "operator":
            admin = names.pxc_proxysql_unready
        elif proxy.service.expose_admin:
            admin, admin_port = names.proxysql_admin, proxy.service.admin_port
        contract["proxysql"] = {
            "replicas": proxy.running,
            "admin_host": _host(config, admin(config.name)),
            "admin_port": admin_port,
        }
    return contract


def _backup(config: StackConfig, place: Place) -> dict[str, Any]:
    """Where backups are, and what shows that they are made and good."""
    drill = {"drill": names.restore_drill(config.name)} if config.backup.drill.enabled else {}
    return {
        "where": places.url(config, place.prefix("full")),
        "newest_allowed_age_seconds": config.backup.newest_allowed_age,
        **drill,
    }


def exports(outputs_by_name: Mapping[str, dict[str, Any]], *, several: bool) -> dict[str, Any]:
    """The stack's outputs: the contract itself, or `databases` by name when there are several."""
    if several:
        return {"schema_version": 1, "databases": dict(outputs_by_name)}
    return next(iter(outputs_by_name.values()))
