"""`cluster_domain`: no host name of another domain, in whatever the program makes."""

import json

import pytest

from render.case import PREFIX, case
from render.recorder import plain
from tests.program.cases import by_id

pytestmark = pytest.mark.broad

DOMAIN = "k8s.example.com"
CASES = (
    *("small", "galera", "tls-issuer", "primary-service", "network-policy-admin", "apps"),
    *("apps-percona-operator", "apps-percona-standalone", "several", "example-replication"),
)


@pytest.mark.parametrize("name", CASES)
def test_every_host_is_of_the_domain(name: str) -> None:
    source = {**by_id()[name].source, f"{PREFIX}cluster_domain": DOMAIN}
    recording = case(f"{name}+domain", source).run()
    assert recording.error is None, recording.error
    texts = [
        json.dumps(plain(resource.inputs), default=str, sort_keys=True)
        for resource in recording.resources
    ]
    texts.append(json.dumps(plain(recording.outputs), default=str))
    assert not [text for text in texts if "cluster.local" in text]
    assert sum(f".svc.{DOMAIN}" in text for text in texts) >= 2
