"""Rules of `security`."""

from collections.abc import Iterator

from components.config.errors import Fault
from components.config.stack import StackConfig


def one_certificate(config: StackConfig) -> Iterator[Fault]:
    tls = config.security.tls
    if tls.issuer and tls.secret:
        yield "security.tls", "has two certificates", "keep either issuer or secret"


def a_certificate_is_used(config: StackConfig) -> Iterator[Fault]:
    tls = config.security.tls
    if (tls.issuer or tls.secret) and not tls.enabled:
        yield "security.tls", "has a certificate and is off", "set enabled to true"


RULES = (one_certificate, a_certificate_is_used)
