"""Rules of keys at the top: `name`, `adopt`, `create_namespace`."""

from collections.abc import Iterator

from components.config.engine import ENGINES
from components.config.errors import Fault
from components.config.stack import StackConfig


def name_is_short_enough(config: StackConfig) -> Iterator[Fault]:
    longest = ENGINES[config.engine].longest_name
    if len(config.name) > longest:
        yield (
            "name",
            f"is longer than {longest} characters: names or labels derived from it would be longer "
            "than Kubernetes or the operator accepts",
            "choose a shorter name",
        )


def an_imported_cluster_gets_no_accounts(config: StackConfig) -> Iterator[Fault]:
    """Those of a Percona XtraDB Cluster are in its object."""
    if config.adopt == "import" and (config.own_proxies or config.apps):
        yield (
            "adopt",
            "leaves the cluster as it is, but accounts of proxies and apps would change it",
            "adopt it without apps, and with proxy.enabled false (or proxy.managed_by operator, if "
            "the cluster has that ProxySQL); add the rest afterwards",
        )


def the_operators_proxies_pass_a_new_namespace(config: StackConfig) -> Iterator[Fault]:
    # pkg/pxc/app/statefulset: pxc-monit and proxysql-monit get no security context.
    if config.create_namespace and config.operator_proxies:
        yield (
            "create_namespace",
            "makes a namespace that enforces Pod Security `restricted`, which the operator's "
            "ProxySQL does not pass",
            "make the namespace yourself, or set proxy.managed_by to mysql-ha",
        )


CLUSTERS_OWN = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that every cluster has (kubernetes.io/docs, "Initial namespaces")."""


def a_namespace_of_the_clusters_own_is_not_made(config: StackConfig) -> Iterator[Fault]:
    if config.create_namespace and config.namespace in CLUSTERS_OWN:
        yield (
            "create_namespace",
            f"would make namespace {config.namespace}, which every cluster has, and enforce Pod "
            "Security `restricted` on what runs there",
            "remove it, or set namespace",
        )


RULES = (a_namespace_of_the_clusters_own_is_not_made, name_is_short_enough)
PERCONA_RULES = (
    an_imported_cluster_gets_no_accounts,
    the_operators_proxies_pass_a_new_namespace,
)
