"""The certificate that the proxies show to clients."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components import names
from components.config.engine import ENGINES
from components.config.stack import StackConfig
from components.proxysql.layout import CA_FILE, CERT_FILE, KEY_FILE


def secret(config: StackConfig) -> str | None:
    """The Secret with the proxies' certificate; None when each Pod makes its own."""
    tls = config.proxy.tls
    return tls.secret or (names.proxysql_tls(config.name) if tls.issuer else None)


def secret_key(config: StackConfig) -> dict[str, str] | None:
    """Where clients find the CA that signed the certificate, as the outputs name it."""
    name = secret(config)
    return {"name": name, "key": config.proxy.tls.ca_key} if name else None


def certificate(
    name: str, config: StackConfig, opts: pulumi.ResourceOptions
) -> k8s.apiextensions.CustomResource | None:
    """A cert-manager Certificate for every name of the client Service, where an issuer is named.

    Nothing waits for it: a Pod starts when the Secret is there.
    """
    issuer = config.proxy.tls.issuer
    if issuer is None:
        return None
    service = ENGINES[config.engine].proxies(config.name)
    full = names.service_host(service, config.namespace, config.cluster_domain)
    return k8s.apiextensions.CustomResource(
        f"{name}-proxysql-tls",
        api_version="cert-manager.io/v1",
        kind="Certificate",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=names.proxysql_tls(config.name),
            namespace=config.namespace,
            labels=names.labels(config.name, "proxysql"),
        ),
        spec={
            "secretName": names.proxysql_tls(config.name),
            "commonName": service,
            "dnsNames": [
                service,
                f"{service}.{config.namespace}",
                f"{service}.{config.namespace}.svc",
                full,
            ],
            "usages": ["server auth"],
            "privateKey": {"algorithm": "RSA", "size": 2048, "rotationPolicy": "Always"},
            "issuerRef": issuer.model_dump(),
        },
        opts=opts,
    )


def volume_items(config: StackConfig) -> list[k8s.core.v1.KeyToPathArgs]:
    """Keys of the Secret and the file names they get; a missing key keeps a Pod from starting."""
    files = (("tls.crt", CERT_FILE), ("tls.key", KEY_FILE), (config.proxy.tls.ca_key, CA_FILE))
    return [k8s.core.v1.KeyToPathArgs(key=key, path=path) for key, path in files]
