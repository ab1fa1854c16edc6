"""The types of config values: what a name, a quantity, a port or a tag may be."""

import ipaddress
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, Strict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components import names
from components.config import quantity
from components.config.errors import field_error
from components.config.proxysql import (
    ADMIN_PORT,
    METRICS_PORT,
    OWN_PORTS,
    PGSQL_ADMIN_PORT,
    PGSQL_PORT,
)

MAX_INT = 2**31 - 1
"""Largest integer ProxySQL reads from its file; above it the value silently becomes 0."""


@dataclass(frozen=True, eq=False)
class Described:
    """What a validator accepts, told to people and to editors; it checks nothing itself."""

    words: str
    """For the tables of the documentation."""
    schema: Mapping[str, Any]
    """A JSON schema. It accepts at least what the validator does."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.schema)


def _text(words: str, pattern: str, **more: Any) -> Described:
    """A text of which the whole matches; `pattern` is one that JavaScript reads alike."""
    return Described(words, {"type": "string", "pattern": f"^(?:{pattern})$", **more})


def _matching(pattern: str, value: str, rule: str, fix: str) -> str:
    """`value`, if the whole of it matches; else the rule and the fix as a validation error."""
    if re.fullmatch(pattern, value) is None:
        raise field_error(rule, fix)
    return value


def _dns_label(value: str) -> str:
    if not names.is_dns_label(value):
        raise field_error(
            "must be a DNS label (lower-case letters, digits and '-', starting with a letter)",
            "use a name such as 'orders-db'",
        )
    return value


_NAMESPACE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def _namespace(value: str) -> str:
    return _matching(
        _NAMESPACE,
        value,
        "must be a namespace name (lower-case letters, digits and '-', at most 63)",
        "use a name such as 'orders'",
    )


_OBJECT_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"


def _object_name(value: str) -> str:
    return _matching(
        _OBJECT_NAME,
        value,
        "must be the name of a Kubernetes object (lower-case letters, digits, '-' and '.')",
        "use the name that `kubectl get` prints",
    )


_SECRET_KEY = r"[-._a-zA-Z0-9]{1,253}"


def _secret_key(value: str) -> str:
    return _matching(
        _SECRET_KEY,
        value,
        "must be a key of a Secret (letters, digits, '-', '_' and '.')",
        "use a key that `kubectl describe secret` lists",
    )


def _quantity(value: str) -> str:
    try:
        parsed = quantity.parse(value)
    except ValueError:
        raise field_error(
            "must be a Kubernetes quantity", "use a value such as 500m, 2 or 10Gi"
        ) from None
    if parsed <= 0:
        raise field_error("must be greater than zero", "use a value such as 500m, 2 or 10Gi")
    return value


_DURATION = r"(?=.)([1-9][0-9]{0,7}h)?([1-9][0-9]{0,7}m)?([1-9][0-9]{0,7}s)?"
"""It begins with a look ahead: one of the parts must be there."""


def _duration(value: str) -> str:
    if re.fullmatch(_DURATION, value) is None:
        raise field_error("must be a duration", "use a value such as 90s, 20m or 1h30m")
    return value


_USER_NAME = r"[A-Za-z0-9_.-]{1,80}"


def _user_name(value: str) -> str:
    return _matching(
        _USER_NAME,
        value,
        "must be 1 to 80 letters, digits, '_', '.' or '-'",
        "choose a user name of these characters",
    )


_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = f"({_OBJECT_NAME}/)?{_LABEL_NAME}"


def _label_map(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if re.fullmatch(_LABEL_KEY, key) is None:
            raise field_error(
                "has a key that Kubernetes does not accept", "use keys such as 'example.com/team'"
            )
    return value


def _label_values(value: dict[str, str]) -> dict[str, str]:
    for text in value.values():
        if re.fullmatch(f"({_LABEL_NAME})?", text) is None:
            raise field_error(
                "has a value that is not a valid label value",
                "use at most 63 letters, digits, '-', '_' and '.'",
            )
    return _label_map(value)


def _cidr(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        value = ""
    if "/" not in value:
        raise field_error(
            "must be a network in CIDR notation, without bits after its prefix",
            "use a value such as '10.20.0.0/16'",
        )
    return value


def _interfaces(value: str) -> str:
    ports: list[int] = []
    for part in value.split(";"):
        address, _, port = part.rpartition(":")
        try:
            ipaddress.IPv4Address(address)
            ports.append(int(port) if port.isascii() and port.isdigit() else 0)
        except ValueError:
            ports.append(0)
    if not all(0 < port < 65536 for port in ports):
        raise field_error(
            "must be a list 'address:port;…' of listening IPv4 addresses",
            "use a value such as '0.0.0.0:6033'",
        )
    if len(set(ports)) < len(ports) or OWN_PORTS & set(ports):
        raise field_error(
            f"has a port twice, or one of ProxySQL's own ({ADMIN_PORT} admin, {METRICS_PORT} "
            f"metrics, {PGSQL_ADMIN_PORT} and {PGSQL_PORT} PostgreSQL)",
            "use other ports",
        )
    return value


def _regex(value: str) -> str:
    """ProxySQL compiles it with PCRE (or RE2): what Python reads alike is taken."""
    _sql_text(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of POSIX classes, which PCRE has
            re.compile(value)
    except re.error:
        value = ""
    if not value or re.search(r"\\[uUN]|\(\?[aLu]", value):
        raise field_error(
            "is not a regular expression that both PCRE and Python accept",
            "correct it; use only syntax that both of them have",
        )
    return value


def seconds(duration: str) -> int:
    """The seconds of a Duration such as `90s` or `1h30m`."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms])", duration))


_SQL_TEXT = r"""[^"\x00-\x1f]{1,2000}"""


def _sql_text(value: str) -> str:
    return _matching(
        _SQL_TEXT,
        value,
        "must be 1 to 2000 characters without a double quote or a control character, which "
        "ProxySQL puts into SQL unescaped",
        "leave them out; `.` matches a double quote",
    )


def _replacement(value: str) -> str:
    return value if value == "" else _sql_text(value)


DATABASE_PRIVILEGES = frozenset(
    {"ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES"}
    | {"CREATE VIEW", "DELETE", "DROP", "EVENT", "EXECUTE", "INDEX", "INSERT", "LOCK TABLES"}
    | {"REFERENCES", "SELECT", "SHOW VIEW", "TRIGGER", "UPDATE"}
)
"""What both engines grant on a database (mariadb.com/docs, GRANT; dev.mysql.com, "Privileges")."""


Role = Literal["readonly", "readwrite", "owner"]
"""Of an app in a database: reads; reads and writes rows; does everything to its objects."""


def _granted(value: object) -> object:
    """A role or a list of privileges, with one error whichever was meant."""
    if isinstance(value, str):
        if value not in get_args(Role):
            raise field_error(
                f"must be a role ({', '.join(get_args(Role))}) or a list of privileges",
                "choose a role, or write the privileges as a YAML list",
            )
        return value
    if not isinstance(value, list | tuple) or not value:
        raise field_error(
            "must be a role or a list of privileges",
            "choose a role, or name one privilege or more",
        )
    for number, privilege in enumerate(cast(Sequence[object], value), 1):
        if not isinstance(privilege, str) or privilege not in DATABASE_PRIVILEGES:
            raise field_error(
                f"has entry {number}, which is not a privilege on a database",
                f"use, in capitals, {', '.join(sorted(DATABASE_PRIVILEGES))}, or a role",
            )
    return tuple(dict.fromkeys(cast(Sequence[object], value)))


_SCHEMA_NAME = r"[A-Za-z0-9_$-]{1,64}"


def _schema_name(value: str) -> str:
    return _matching(
        _SCHEMA_NAME,
        value,
        "must be 1 to 64 letters, digits, '_', '$' or '-'",
        "choose a name of these characters",
    )


_CLIENT_ADDRESS = r"[0-9a-fA-F.:]{1,45}%?|%"


def _client_address(value: str) -> str:
    return _matching(
        _CLIENT_ADDRESS,
        value,
        "must be an address, or the start of one and '%'",
        "use a value such as 10.0.0.7 or 10.0.%",
    )


def _variable(value: object) -> object:
    if not isinstance(value, int | str):
        raise field_error("must be a whole number, true, false or text", "give one of these")
    return value


_SELECTING = ("app.kubernetes.io/", "statefulset.kubernetes.io/", "k8s.mariadb.com/")
"""How labels begin by which Services and controllers find the Pods."""


def _pod_labels(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if key.startswith(_SELECTING):
            raise field_error(
                "has a key by which Services and controllers select the Pods",
                "use keys of your own",
            )
    return _label_values(value)


_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_FLOATING = ("latest", "main", "master")


def _tag(value: str) -> str:
    if re.fullmatch(_TAG, value) is None:
        raise field_error("must be an image tag", "use a tag such as '11.8.5'")
    if value in _FLOATING:
        raise field_error(
            "is a floating tag", "pin a version, or set a digest beside a version tag"
        )
    return value


Bool = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=1, le=MAX_INT)]
Natural = Annotated[int, Strict(), Field(ge=0, le=MAX_INT)]
Milliseconds = Annotated[int, Strict(), Field(ge=100, le=604_800_000)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
NodePort = Annotated[int, Strict(), Field(ge=30000, le=32767)]
Hostgroup = Annotated[int, Strict(), Field(ge=0, le=MAX_INT)]
Uid = Annotated[int, Strict(), Field(ge=1, le=MAX_INT)]
Password = Annotated[
    Literal["(secret)"],
    Described(
        "secret text",
        {
            "type": "object",
            "properties": {"secure": {"type": "string", "description": "The ciphertext."}},
            "required": ["secure"],
            "additionalProperties": False,
        },
    ),
]
"""The marker that `load` puts in place of a password; in a stack file it is `secure: …`."""
Label = Annotated[str, AfterValidator(_dns_label), _text("DNS label", names.DNS_LABEL)]
Namespace = Annotated[str, AfterValidator(_namespace), _text("namespace name", _NAMESPACE)]
ObjectName = Annotated[str, AfterValidator(_object_name), _text("object name", _OBJECT_NAME)]
SecretKey = Annotated[str, AfterValidator(_secret_key), _text("Secret key", _SECRET_KEY)]
Quantity = Annotated[
    str,
    AfterValidator(_quantity),
    _text("quantity above 0 (`500m`, `2`, `10Gi`)", quantity.PATTERN),
]
Duration = Annotated[
    str, AfterValidator(_duration), _text("duration (`90s`, `20m`, `1h30m`)", _DURATION)
]
UserName = Annotated[
    str, AfterValidator(_user_name), _text("1 to 80 of `A-Z a-z 0-9 _ . -`", _USER_NAME)
]


def _labels(words: str, key: Mapping[str, Any], value: Mapping[str, Any]) -> Described:
    """A mapping whose keys are those of labels."""
    keys = {"pattern": f"^(?:{_LABEL_KEY})$", **key}
    values = {"type": "string", **value}
    return Described(
        words, {"type": "object", "propertyNames": keys, "additionalProperties": values}
    )


_LABEL_VALUE = {"pattern": f"^(?:{_LABEL_NAME})?$"}
Annotations = Annotated[
    dict[str, str],
    AfterValidator(_label_map),
    _labels("mapping of annotation key to text", {}, {}),
]
Labels = Annotated[
    dict[str, str],
    AfterValidator(_label_values),
    _labels("mapping of label key to label value", {}, _LABEL_VALUE),
]
PodLabels = Annotated[
    dict[str, str],
    AfterValidator(_pod_labels),
    _labels(
        "mapping of label key to label value; none of "
        + ", ".join(f"`{start}`" for start in _SELECTING),
        {"not": {"pattern": f"^({'|'.join(_SELECTING)})"}},
        _LABEL_VALUE,
    ),
]
Regex = Annotated[
    str,
    AfterValidator(_regex),
    _text("regular expression without a double quote", _SQL_TEXT),
]
Replacement = Annotated[
    str,
    AfterValidator(_replacement),
    _text("text without a double quote, at most 2000 characters", f"({_SQL_TEXT})?"),
]
Message = Annotated[
    str,
    AfterValidator(_sql_text),
    _text("text without a double quote, at most 2000 characters", _SQL_TEXT),
]
ClientAddress = Annotated[
    str,
    AfterValidator(_client_address),
    _text("address, or its start and `%`", _CLIENT_ADDRESS),
]
Digest = Annotated[str, Field(pattern=r"^0x[0-9A-Fa-f]{16}$")]
SchemaName = Annotated[
    str, AfterValidator(_schema_name), _text("1 to 64 of `A-Z a-z 0-9 _ $ -`", _SCHEMA_NAME)
]
Comment = Annotated[str, Field(pattern=r"""^[^'"\\\x00-\x1f]{0,200}$""")]
"""ProxySQL puts it into SQL unescaped, hence no quotes."""
Granted = Annotated[
    Role | tuple[str, ...],
    BeforeValidator(_granted),
    Described(
        "`readonly`, `readwrite`, `owner` or list of privileges",
        {
            "anyOf": [
                {"type": "string", "enum": list(get_args(Role))},
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "enum": sorted(DATABASE_PRIVILEGES)},
                },
            ]
        },
    ),
]
Cidr = Annotated[
    str,
    AfterValidator(_cidr),
    _text("network (`10.20.0.0/16`)", r"[0-9a-fA-F.:]+/[0-9]{1,3}"),
]
Interfaces = Annotated[
    str,
    AfterValidator(_interfaces),
    _text(
        f"`address:port`, several with `;`; not {', '.join(map(str, sorted(OWN_PORTS)))}",
        r"[0-9.]{7,15}:[0-9]+(;[0-9.]{7,15}:[0-9]+)*",
    ),
]
Tag = Annotated[
    str,
    AfterValidator(_tag),
    _text(
        "version tag, not `latest`, `main` or `master`", _TAG, **{"not": {"enum": list(_FLOATING)}}
    ),
]
Variable = Annotated[int | bool | str, BeforeValidator(_variable)]
TopologyKind = Literal["standalone", "replication", "galera"]
