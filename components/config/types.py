"""The types of config values: what a name, a quantity, a port or a tag may be."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import AF_INET, AF_INET6, AddressFamily, inet_ntop, inet_pton
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components import names
from components.config import collations, cron, quantity
from components.config.errors import field_error
from components.config.proxysql import OWN_PORTS
from components.config.proxysql_variables import MAX_INT


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


_DNS_DOMAIN = (
    r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*"
)


def _dns_domain(value: str) -> str:
    return _matching(
        _DNS_DOMAIN,
        value,
        "must be a DNS domain of at most 63 characters, without a dot at its end",
        "use the one that the kubelets have as clusterDomain, such as 'cluster.local'",
    )


_HOST_NAME = r"(?=.{1,253}$)" + _DNS_DOMAIN.removeprefix("(?=.{1,63}$)")


def _host_name(value: str) -> str:
    return _matching(
        _HOST_NAME,
        value,
        "must be a host's name in lower case, or an IPv4 address",
        "use one such as 'reports.example.com'",
    )


_NAMESPACE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def _namespace(value: str) -> str:
    return _matching(
        _NAMESPACE,
        value,
        "must be a namespace name (lower-case letters, digits and '-', at most 63)",
        "use a name such as 'orders'",
    )


_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_OBJECT_NAME = rf"(?=.{{1,253}}$){_SUBDOMAIN}"
"""A DNS subdomain (apimachinery pkg/util/validation, IsDNS1123Subdomain)."""


def _object_name(value: str) -> str:
    return _matching(
        _OBJECT_NAME,
        value,
        "must be the name of a Kubernetes object (lower-case letters, digits, '-' and '.', each "
        "part between dots with a letter or digit at both ends)",
        "use the name that `kubectl get` prints",
    )


_SECRET_KEY = r"(?!\.\.|\.$)[-._a-zA-Z0-9]{1,253}"
"""It becomes the name of a file (apimachinery pkg/util/validation, IsConfigMapKey)."""


def _secret_key(value: str) -> str:
    return _matching(
        _SECRET_KEY,
        value,
        "must be a key of a Secret (letters, digits, '-', '_' and '.'; not '.', nor '..' at the "
        "start)",
        "use a key that `kubectl describe secret` lists",
    )


def _cores(value: str) -> str:
    if re.fullmatch(quantity.CORES, value) is None:
        raise field_error("must be a number of cores", "use a value such as 500m, 2 or 1.5")
    return _positive(value)


def _bytes(value: str) -> str:
    if re.fullmatch(quantity.BYTES, value) is None:
        raise field_error(
            "must be a number of bytes with a unit (k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei)",
            "use a value such as 512Mi or 10Gi",
        )
    if quantity.parse(value) > quantity.MAX_BYTES:
        raise field_error("is more than Kubernetes can count", "use a smaller one")
    return _positive(value)


def _positive(value: str) -> str:
    if quantity.parse(value) <= 0:
        raise field_error("must be greater than zero", "raise it")
    return value


_DURATION = r"(?=.)([1-9][0-9]{0,7}h)?([1-9][0-9]{0,7}m)?([1-9][0-9]{0,7}s)?"
"""It begins with a look ahead: one of the parts must be there."""


MAX_HOURS = 2_562_047
"""Longest time that Go counts, in nanoseconds of an int64 (time.Duration)."""


def _duration(value: str) -> str:
    if re.fullmatch(_DURATION, value) is None:
        raise field_error("must be a duration", "use a value such as 90s, 20m or 1h30m")
    if seconds(value) > MAX_HOURS * 3600:
        raise field_error(f"is longer than {MAX_HOURS}h, the longest there is", "shorten it")
    return value


OLDEST_YEAR, NEWEST_YEAR = 2000, 2999


def _instant(value: object) -> str:
    """In UTC. YAML makes a time of what looks like one. Other centuries are typing errors: the ends
    of what Python can count have no time in UTC, and years below 1000 no four digits."""
    at = value
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
    if not isinstance(at, datetime) or at.tzinfo is None or at.microsecond:
        raise field_error(
            "must be a time with its zone, in whole seconds",
            "write it as 2026-11-27T02:00:00Z; names of backups have UTC, which is Z",
        )
    if not OLDEST_YEAR <= at.year <= NEWEST_YEAR:
        raise field_error(
            f"is of a year that is not from {OLDEST_YEAR} to {NEWEST_YEAR}",
            "write it as 2026-11-27T02:00:00Z",
        )
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


_PREFIX = r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*"


def _prefix(value: str) -> str:
    return _matching(
        _PREFIX,
        value,
        "must be the folder of the backups in the store, without '/' at its ends",
        "use the source's place such as prod/shop/orders/1/full",
    )


def _cron(value: str) -> str:
    try:
        cron.runs(value)
    except ValueError:
        raise field_error(
            "must be a cron expression of five fields, in UTC, that comes at some time",
            "use one such as '17 2 * * *': minute, hour, day, month, weekday from 0 (Sunday) to 6",
        ) from None
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
_LABEL_KEY = rf"((?=[^/]{{1,253}}/){_SUBDOMAIN}/)?{_LABEL_NAME}"
"""apimachinery pkg/util/validation, IsQualifiedName."""
MAX_METADATA = 240 * 1024
"""Bytes of all annotations of an object, keys and values. Kubernetes has 256 KiB (apimachinery
pkg/api/validation, TotalAnnotationSizeLimitB), of which the program and Pulumi use some."""


def _label_map(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if re.fullmatch(_LABEL_KEY, key) is None:
            raise field_error(
                "has a key that Kubernetes does not accept", "use keys such as 'example.com/team'"
            )
    if sum(len(text.encode()) for pair in value.items() for text in pair) > MAX_METADATA:
        raise field_error(
            f"has more than {MAX_METADATA // 1024} KiB of keys and values",
            "keep the text elsewhere",
        )
    return value


def _annotations(value: dict[str, str]) -> dict[str, str]:
    for key in _label_map(value):
        if re.match(r"([^/]*\.)?pulumi\.com/", key):
            raise field_error(
                "has an annotation of Pulumi's own, which changes how it makes, awaits or deletes "
                "the object",
                "remove it",
            )
    return value


def _label_key(value: str) -> str:
    return _matching(
        _LABEL_KEY, value, "must be the key of a label", "use one such as 'example.com/team'"
    )


def _taint_key(value: str) -> str:
    """Empty, as unset, means every taint."""
    return value and _label_key(value)


def _label_value(value: str) -> str:
    return _matching(
        f"({_LABEL_NAME})?",
        value,
        "must be the value of a label (at most 63 letters, digits, '-', '_' and '.')",
        "use one such as 'shop'",
    )


def _label_values(value: dict[str, str]) -> dict[str, str]:
    for text in value.values():
        if re.fullmatch(f"({_LABEL_NAME})?", text) is None:
            raise field_error(
                "has a value that is not a valid label value",
                "use at most 63 letters, digits, '-', '_' and '.'",
            )
    return _label_map(value)


def _interfaces(value: str) -> str:
    everywhere, inside = ("0.0.0.0", "[::]"), ("127.0.0.1", "[::1]")
    ports: list[tuple[bool, int]] = []
    for part in value.split(";"):
        address, _, port = part.rpartition(":")
        if re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) is None or not _is_address(address):
            raise field_error(
                "must be a list 'address:port;…' of listening addresses, IPv6 ones in brackets",
                "use a value such as '0.0.0.0:6033' or '[::]:6033'",
            )
        if address not in (*everywhere, *(inside if ports else ())):
            raise field_error(
                f"has {address}, where no probe and no Service reaches the port",
                "use 0.0.0.0 or [::], which are all IPv4 and all IPv6 addresses of the Pod; "
                "127.0.0.1 and [::1] after it are for other containers of the Pod",
            )
        if not 1024 <= int(port) < 65536:
            raise field_error(
                "has a port that is not from 1024 to 65535: the proxies run without the right to "
                "open a lower one",
                "use a value such as '0.0.0.0:6033', and proxy.service.port for the Service's",
            )
        ports.append((address.startswith("["), int(port)))
    if len(set(ports)) < len(ports) or OWN_PORTS.keys() & {port for _, port in ports}:
        raise field_error(
            "has a port twice, or one of ProxySQL's own ("
            + ", ".join(f"{port} {name}" for port, name in OWN_PORTS.items())
            + ")",
            "use other ports",
        )
    return value


_CIDR = r"[0-9a-f.:]{2,45}/(0|[1-9][0-9]{0,2})"


def _cidr(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        network = None
    # Python also takes addresses without a length, and netmasks.
    if network is None or value != str(network):
        raise field_error(
            "must be a range of addresses in its usual form, without bits after its length",
            "use a value such as 10.0.0.0/8 or fd00::/8",
        )
    return value


def _load_balancer_class(value: str) -> str:
    return _matching(
        _LABEL_KEY,
        value,
        "must be a class of load balancers, a name like a label's key",
        "use the one that its controller's documentation has, such as 'service.k8s.aws/nlb'",
    )


def _is_address(value: str) -> bool:
    """Whether it is an IPv4 address, or an IPv6 one in brackets."""
    inside = re.fullmatch(r"\[(.*)\]", value)
    family, address = (AF_INET6, inside[1]) if inside else (AF_INET, value)
    return _canonical(family, address) is not None


_PROVIDER_OPTION = r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+"
_PROVIDER_VALUE = r"[A-Za-z0-9_.:/+-]{1,200}"


def _provider_option(value: str) -> str:
    return _matching(
        _PROVIDER_OPTION,
        value,
        "must be an option of Galera's provider",
        "use a name such as 'gcache.size'",
    )


def _provider_value(value: str) -> str:
    return _matching(
        _PROVIDER_VALUE,
        value,
        "must be letters, digits and `_ . : / + -`",
        "use a value such as 512M, PT5S or yes",
    )


def _provider_text(value: object) -> object:
    """Galera reads texts; YAML has booleans and numbers."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int | float) else value


def seconds(duration: str) -> int:
    """The seconds of a Duration such as `90s` or `1h30m`."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"([0-9]+)([hms])", duration))


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


def _collation(value: str) -> str:
    return _matching(
        collations.PATTERN,
        value,
        "must be a collation of ascii, binary, latin1, utf8mb3 or utf8mb4 that MariaDB has",
        "use one such as utf8mb4_bin; the server lists them with SHOW COLLATION",
    )


DATABASE_PRIVILEGES = frozenset(
    {"ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES"}
    | {"CREATE VIEW", "DELETE", "DROP", "EVENT", "EXECUTE", "INDEX", "INSERT", "LOCK TABLES"}
    | {"REFERENCES", "SELECT", "SHOW VIEW", "TRIGGER", "UPDATE"}
)
"""What both engines grant on a database (mariadb.com/docs, GRANT; dev.mysql.com, "Privileges")."""


GlobalPrivilege = Literal[
    "BINLOG MONITOR", "PROCESS", "REPLICATION SLAVE", "SHOW DATABASES", "SLAVE MONITOR"
]
"""What shows something of the whole server and changes nothing (mariadb.com/docs, GRANT). None with
which an app could write to a replica (SUPER, READ_ONLY ADMIN), remove binary logs (RELOAD, by RESET
MASTER; BINLOG ADMIN) or become another account (CREATE USER, SET USER)."""
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


_CLIENT_ADDRESS = r"[0-9a-f.:]{1,45}%?|%"


def _client_address(value: str) -> str:
    """ProxySQL compares texts, one with `%` as a start (lib/Query_Processor.cpp)."""
    start = value.removesuffix("%")
    if start == value:
        possible = value in (_canonical(AF_INET, value), _canonical(AF_INET6, value))
    else:
        possible = _begins_an_ipv4(start) or _begins_an_ipv6(start)
    if not possible:
        raise field_error(
            "must be an address in its usual form, or the start of one and '%', or no client ever "
            "matches it",
            "use a value such as 10.0.0.7, 10.0.% or fe80::1",
        )
    return value


def _canonical(family: AddressFamily, value: str) -> str | None:
    """An address as ProxySQL writes it; none if it is no address."""
    try:
        return inet_ntop(family, inet_pton(family, value))
    except OSError:
        return None


def _begins_an_ipv4(start: str) -> bool:
    parts = start.split(".")
    *whole, last = parts
    octet = r"0|[1-9][0-9]{0,2}"
    return len(parts) <= 4 and all(
        re.fullmatch(octet, part, re.ASCII) and int(part) < 256
        for part in (*whole, *([last] if last else []))
    )


def _begins_an_ipv6(start: str) -> bool:
    groups = re.fullmatch(r"(::|(0|[1-9a-f][0-9a-f]{0,3}):{1,2})*([1-9a-f][0-9a-f]{0,3}|0)?", start)
    return groups is not None and start.count("::") <= 1 and start.count(":") <= 7


def _digest(value: str) -> str:
    if re.fullmatch(_DIGEST, value) is None or int(value, 16) in (0, 2**64 - 1):
        # ProxySQL drops the condition: the rule would match every statement.
        raise field_error(
            "must be 0x and 16 hexadecimal digits, neither all 0 nor all F",
            "use a digest that stats_mysql_query_digest lists, in quotes",
        )
    return value


_DIGEST = r"0x[0-9A-Fa-f]{16}"


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
_FLOATING = ("latest", "main", "master", "edge", "nightly", "stable", "lts", "rc")
"""Whatever their case, and a number alone as well."""


def _tag(value: str) -> str:
    if re.fullmatch(_TAG, value) is None:
        raise field_error("must be an image tag", "use a tag such as '11.8.5'")
    if value.lower() in _FLOATING or re.fullmatch(r"v?[0-9]+", value):
        raise field_error(
            "is a floating tag", "pin a version, or set a digest beside a version tag"
        )
    return value


_HOST = r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?"
_REGISTRY = rf"(localhost|(?=[^:]*[.:]){_HOST}(\.{_HOST})*)(:[0-9]{{1,5}})?"
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_ENDPOINT = rf"(?!https?$)(?=[^:]{{1,253}}(:|$)){_HOST}(\.{_HOST})*(:{_PORT})?"
_REPOSITORY = r"(?=.{1,200}$)[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)*"
"""Both: github.com/distribution/reference, regexp.go."""


def _registry(value: str) -> str:
    return _matching(
        _REGISTRY,
        value,
        "must be the host of a registry, with a dot or a port: another word is a folder of "
        "docker.io",
        "use a host such as registry.example.com or registry.example.com:5000",
    )


def _endpoint(value: str) -> str:
    return _matching(
        _ENDPOINT,
        value,
        "must be a host (253 characters at most), with a port (1 to 65535) or without, and without "
        "'https://': there is no plain HTTP unless allow_plain_http says so",
        "use a host such as s3.eu-central-1.amazonaws.com or s3.example.com:9000",
    )


_WEB_URL = rf"https?://(?=[^:/]{{1,253}}([:/]|$)){_HOST}(\.{_HOST})*(:{_PORT})?(/[-._~!$&'()*+,;=:@%/a-zA-Z0-9]*)?"


def _web_url(value: str) -> str:
    return _matching(
        _WEB_URL,
        value,
        "must be an address of the web, with 'https://' or 'http://', and without '?' and '#'",
        "use one such as https://wiki.example.com/runbooks",
    ).rstrip("/")


_BUCKET = r"(?!.*\.\.)[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]"
"""docs.aws.amazon.com, "General purpose bucket naming rules"."""


def _bucket(value: str) -> str:
    return _matching(
        _BUCKET,
        value,
        "must be the name of a bucket (3 to 63 lower-case letters, digits, '-' and '.'); the place "
        "in it is computed",
        "use the name alone, without 's3://' and folders",
    )


_REGION = r"[a-z0-9][-a-z0-9]{0,61}"


def _region(value: str) -> str:
    return _matching(
        _REGION,
        value,
        "must be a region (lower-case letters, digits and '-')",
        "use one such as eu-central-1",
    )


_ACCOUNT = r"[a-z0-9]{3,24}"
_CONTAINER = r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*"
"""Both: learn.microsoft.com, "Naming rules and restrictions for Azure resources"."""


def _account(value: str) -> str:
    return _matching(
        _ACCOUNT,
        value,
        "must be a storage account (3 to 24 lower-case letters and digits)",
        "use the name alone, without '.blob.core.windows.net'",
    )


def _container(value: str) -> str:
    return _matching(
        _CONTAINER,
        value,
        "must be the name of a container (3 to 63 lower-case letters, digits and single '-')",
        "use the name alone, without the account",
    )


def _repository(value: str) -> str:
    return _matching(
        _REPOSITORY,
        value,
        "must be the path of an image (lower-case letters and digits, with '.', '_', '__' or '-' "
        "between, and '/' between folders)",
        "use a path such as library/mariadb",
    )


_VARIABLE_NAME = r"[A-Za-z0-9_.-]{1,100}"


def _variable_name(value: str) -> str:
    return _matching(
        _VARIABLE_NAME,
        value,
        "must be the name of a variable (letters, digits and '_')",
        "use a name of ProxySQL's, without the prefix",
    )


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
NodeName = Annotated[str, AfterValidator(_object_name), _text("node name", _OBJECT_NAME)]
LabelKey = Annotated[str, AfterValidator(_label_key), _text("label key", _LABEL_KEY)]
Cidr = Annotated[str, AfterValidator(_cidr), _text("range of addresses (`10.0.0.0/8`)", _CIDR)]
LoadBalancerClass = Annotated[
    str, AfterValidator(_load_balancer_class), _text("class of load balancers", _LABEL_KEY)
]
TaintKey = Annotated[str, AfterValidator(_taint_key), _text("key of a taint", f"({_LABEL_KEY})?")]
LabelValue = Annotated[str, AfterValidator(_label_value), _text("label value", f"({_LABEL_NAME})?")]
Cores = Annotated[
    str, AfterValidator(_cores), _text("cores above 0 (`500m`, `2`, `1.5`)", quantity.CORES)
]
Bytes = Annotated[
    str, AfterValidator(_bytes), _text("bytes above 0, with a unit (`512Mi`)", quantity.BYTES)
]
Endpoint = Annotated[
    str, AfterValidator(_endpoint), _text("host, with a port or without; no scheme", _ENDPOINT)
]
Bucket = Annotated[str, AfterValidator(_bucket), _text("name of a bucket", _BUCKET)]
Region = Annotated[str, AfterValidator(_region), _text("region (`eu-central-1`)", _REGION)]
StorageAccount = Annotated[
    str, AfterValidator(_account), _text("name of a storage account", _ACCOUNT)
]
Container = Annotated[str, AfterValidator(_container), _text("name of a container", _CONTAINER)]
Cron = Annotated[
    str, AfterValidator(_cron), _text("cron expression of five fields (`17 2 * * *`)", cron.PATTERN)
]
Instant = Annotated[
    str,
    BeforeValidator(_instant),
    Described(
        "time with its zone (`2026-11-27T02:00:00Z`)", {"type": "string", "format": "date-time"}
    ),
]
Prefix = Annotated[
    str, AfterValidator(_prefix), _text("folder in the store, such as `a/b/c`", _PREFIX)
]
Registry = Annotated[str, AfterValidator(_registry), _text("host with a dot or a port", _REGISTRY)]
Repository = Annotated[str, AfterValidator(_repository), _text("path of an image", _REPOSITORY)]
WebUrl = Annotated[str, AfterValidator(_web_url), _text("address of the web", _WEB_URL)]
VariableName = Annotated[
    str, AfterValidator(_variable_name), Described("variable", {"type": "string"})
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
    AfterValidator(_annotations),
    _labels("mapping of annotation key to text; none of Pulumi's own", {}, {}),
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
    AfterValidator(_sql_text),
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
Digest = Annotated[str, AfterValidator(_digest), _text("`0x` and 16 hexadecimal digits", _DIGEST)]
SchemaName = Annotated[
    str, AfterValidator(_schema_name), _text("1 to 64 of `A-Z a-z 0-9 _ $ -`", _SCHEMA_NAME)
]
Collation = Annotated[
    str,
    AfterValidator(_collation),
    _text("collation of ascii, binary, latin1, utf8mb3 or utf8mb4", collations.PATTERN),
]
Comment = Annotated[str, Field(pattern=r"""^[^'"\\\x00-\x1f]{0,200}$""")]
"""ProxySQL puts it into SQL unescaped, hence no quotes."""
Granted = Annotated[
    Role | tuple[str, ...],
    PlainValidator(_granted),
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
Interfaces = Annotated[
    str,
    AfterValidator(_interfaces),
    _text(
        "`0.0.0.0:port` or `[::]:port`, more with `;`, also of 127.0.0.1 and `[::1]`; from 1024, "
        f"not {', '.join(map(str, OWN_PORTS))}",
        r"(0\.0\.0\.0|\[::\]):[0-9]+(;(0\.0\.0\.0|127\.0\.0\.1|\[::1?\]):[0-9]+)*",
    ),
]
Tag = Annotated[
    str,
    AfterValidator(_tag),
    _text(
        "version tag, none that floats (`latest`, `main`, `lts`, `11`, …)",
        _TAG,
        **{"not": {"enum": list(_FLOATING)}},
    ),
]
ProviderOption = Annotated[
    str,
    AfterValidator(_provider_option),
    _text("name of an option of Galera's provider", _PROVIDER_OPTION),
]
ProviderValue = Annotated[
    str,
    BeforeValidator(_provider_text),
    AfterValidator(_provider_value),
    Described(
        "text, number, `true` or `false`",
        {
            "anyOf": [
                {"type": ["number", "boolean"]},
                {"type": "string", "pattern": f"^{_PROVIDER_VALUE}$"},
            ]
        },
    ),
]
DnsDomain = Annotated[
    str,
    AfterValidator(_dns_domain),
    _text("DNS domain, at most 63 characters", _DNS_DOMAIN),
]
HostName = Annotated[
    str,
    AfterValidator(_host_name),
    _text("name of a host, or IPv4 address", _HOST_NAME),
]
Variable = Annotated[
    int | bool | str,
    # It decides alone: a choice that pydantic makes would be a part of the error's path.
    PlainValidator(_variable, json_schema_input_type=int | bool | str),
]
TopologyKind = Literal["standalone", "replication", "galera"]
