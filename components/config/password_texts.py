"""What the text of a password may be, by who has to carry it where."""

import re
from typing import NamedTuple

from components.config.credentials import PASSWORD_RULE
from components.config.engine import ENGINES
from components.config.password_sources import AppName, Holder, Role, User
from components.config.stack import StackConfig

SHORTEST = 8
"""Characters. The proxies' Secret has hashes of logins without a salt, and any Pod that reaches a
port may try."""
LONGEST_OF_REPLICATION = 96
"""Characters that MASTER_PASSWORD takes (MariaDB 10.11, error 1470)."""


class Demand(NamedTuple):
    """What a text must be: a pattern for the whole of it, and the words of a refusal."""

    pattern: re.Pattern[str]
    rule: str
    fix: str


PROXYSQL = Demand(
    PASSWORD_RULE,
    "must be at least 24 characters of A-Z, a-z, 0-9, '_' and '-', because ProxySQL's admin and "
    "monitor settings cannot carry others",
    "choose such a password, or remove the source to have one generated",
)


IN_A_FILE = Demand(
    re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},}}"),
    f"must be at least {SHORTEST} characters of A-Z, a-z, 0-9, '_' and '-', because "
    "programs read it from an option file",
    "choose such a password, or remove the source to have one generated",
)


def demand(config: StackConfig, holder: Holder) -> Demand:
    """What the password of `holder` must be."""
    engine = ENGINES[config.engine]
    # The operator's clusters keep the password that they were made with.
    shortest = 1 if config.adopting and isinstance(holder, Role) else SHORTEST
    match holder:
        case Role(name) if name in config.proxy_roles:
            return PROXYSQL
        case Role("heartbeat" | "exporter"):
            return IN_A_FILE
        case Role("replication"):
            # pkg/controller/replication/config.go, changeMaster
            return _without(
                "'\\",
                "mariadb-operator puts it into CHANGE MASTER unescaped",
                shortest,
                LONGEST_OF_REPLICATION,
            )
        case Role() if engine.unsafe_in_root:
            reason = "the engine's image and operator put it into SQL"
            return _without(engine.unsafe_in_root, reason, shortest)
        case Role() if config.database.topology == "galera":
            # pkg/galera/config/config.go: wsrep_sst_auth="root:{{ .RootPassword }}"
            return _without(
                '"\\', "mariadb-operator puts it into Galera's file unescaped", shortest
            )
        case Role():
            return _without("", "", shortest)
        case User() if not engine.hashes:
            return _without("'", _AS_THEY_ARE, shortest, star=False)
        case User():
            return _without("", "", shortest)
        case AppName() if not engine.hashes:
            return _without("'\\", _AS_THEY_ARE, shortest, star=False)
        case AppName():
            # pkg/sql/sql.go, CreateUser
            return _without("'\\", "mariadb-operator puts it into SQL unescaped", shortest)


_AS_THEY_ARE = (
    "for this engine ProxySQL holds passwords as they are, and it and the operator put them into "
    "SQL unescaped"
)
_NAMES = {"'": "a single quote", '"': "a double quote", "\\": "a backslash"}


def _without(
    forbidden: str, reason: str, shortest: int, longest: int | None = None, *, star: bool = True
) -> Demand:
    """Any text but for these characters, control characters, and a `*` first unless `star`."""
    excluded = "".join(map(re.escape, forbidden))
    first = "" if star else r"(?!\*)"
    pattern = rf"{first}[^\x00-\x1f\x7f{excluded}]{{{shortest},{longest or ''}}}"
    least = f"at least {shortest} characters" if shortest > 1 else "at least one character"
    length = f"{least} and at most {longest}" if longest else least
    holds = " or ".join(
        [*(_NAMES[one] for one in forbidden), "a control character (a line break at its end?)"]
    )
    begin = "" if star else "start with '*' or "
    return Demand(
        re.compile(pattern),
        f"must have {length}, and must not {begin}hold {holds}{': ' * bool(reason)}{reason}",
        "choose another password; `printf %s` writes one into a file without a line break",
    )
