"""The local random plugin: RandomPassword, RandomString and RandomId.

Upstream: pulumi-random bridges terraform-provider-random (internal/provider/resource_password.go
and internal/random/password.go): at least so many of each class, the rest from all allowed
characters, then shuffled. Everything comes from the operating system's generator.
"""

import base64
import secrets
import string
from importlib import metadata as distributions
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import (
    CheckFailure,
    CheckRequest,
    CheckResponse,
    ConfigureRequest,
    ConfigureResponse,
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    DiffRequest,
    DiffResponse,
    PropertyDiff,
    PropertyDiffKind,
    Provider,
    ReadRequest,
    ReadResponse,
)

from local.plugins.serving import Engine, Failure, serve
from local.plugins.values import UNKNOWN, has_unknown, plain_map, wrap_map

PACKAGE = "pulumi-random"
ANNOUNCEMENT = (
    "This is the local random plugin of mysql-ha, not Pulumi's official one. "
    "Install the official plugin wherever it can be downloaded."
)

PASSWORD = "random:index/randomPassword:RandomPassword"
STRING = "random:index/randomString:RandomString"
IDENTIFIER = "random:index/randomId:RandomId"

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
CLASSES = {
    "special": ("minSpecial", SPECIAL),
    "upper": ("minUpper", string.ascii_uppercase),
    "lower": ("minLower", string.ascii_lowercase),
    "numeric": ("minNumeric", string.digits),
}
DEFAULTS: dict[str, Any] = {
    **{name: True for name in (*CLASSES, "number")},
    **{minimum: 0 for minimum, _ in CLASSES.values()},
}
"""What upstream keeps in state for arguments that are not given."""
OUTPUTS = ("result", "bcryptHash", "b64Std", "b64Url", "dec", "hex", "id")


def password(arguments: dict[str, Any]) -> str:
    """A random text by the arguments of RandomPassword."""
    length = int(arguments["length"])
    chosen: list[str] = []
    allowed = ""
    for name, (minimum, characters) in CLASSES.items():
        if name == "special":
            characters = arguments.get("overrideSpecial") or characters
        if _numeric(arguments) if name == "numeric" else arguments.get(name, True):
            allowed += characters
            chosen += [secrets.choice(characters) for _ in range(int(arguments.get(minimum) or 0))]
    if not allowed:
        raise ValueError("no character class is allowed")
    if len(chosen) > length:
        raise ValueError(f"length is {length}, less than the minima together ({len(chosen)})")
    chosen += [secrets.choice(allowed) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def _numeric(arguments: dict[str, Any]) -> bool:
    """Whether digits are allowed; `number` is the deprecated name of `numeric`."""
    return bool(arguments.get("numeric", True) and arguments.get("number", True))


def identifier(arguments: dict[str, Any]) -> dict[str, str]:
    """The outputs of RandomId."""
    raw = secrets.token_bytes(int(arguments["byteLength"]))
    prefix = str(arguments.get("prefix") or "")
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {
        "id": url,
        "b64Url": prefix + url,
        "b64Std": prefix + base64.b64encode(raw).decode(),
        "hex": prefix + raw.hex(),
        "dec": prefix + str(int.from_bytes(raw)),
    }


def _type(request: Any) -> str:
    """The type of a request's resource; in the URN those of its parents stand before it."""
    return str(request.type).rpartition("$")[2]


class RandomProvider(Provider):
    """Values are made once and kept in state; any change of an argument makes a new one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._announced = False

    async def diff_config(self, request: DiffRequest) -> DiffResponse:
        return DiffResponse(changes=False)

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:
        if not self._announced:
            self._announced = True
            await self._engine.warn(ANNOUNCEMENT)
        return ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: CheckRequest) -> CheckResponse:
        """Refuses what the generator would; fills in the defaults as the bridge does."""
        inputs = dict(request.new_inputs)
        failures: list[CheckFailure] = []
        if _type(request) in (PASSWORD, STRING):
            arguments = plain_map(inputs)
            try:
                if "length" not in arguments:
                    raise ValueError("length is required")
                if not has_unknown(arguments):
                    if int(arguments["length"]) < 1:
                        raise ValueError("length is at least 1")
                    password(arguments)
            except ValueError as error:
                failures.append(CheckFailure("length", str(error)))
        elif _type(request) != IDENTIFIER:
            failures.append(
                CheckFailure("", f"the local random plugin does not have {_type(request)}")
            )
        return CheckResponse(inputs, failures)

    async def diff(self, request: DiffRequest) -> DiffResponse:
        """Every argument replaces: the value must not outlive what it was made for."""
        defaults = {} if request.type == IDENTIFIER else DEFAULTS
        old = defaults | plain_map(request.old_state)
        new = defaults | plain_map(request.new_inputs)
        if "numeric" in request.new_inputs or "number" in request.new_inputs:
            new["numeric"] = new["number"] = _numeric(new)
        changed = {
            key: PropertyDiff(
                PropertyDiffKind.ADD_REPLACE
                if key not in old
                else PropertyDiffKind.DELETE_REPLACE
                if key not in new
                else PropertyDiffKind.UPDATE_REPLACE,
                input_diff=True,
            )
            for key in {*old, *new}
            if key not in OUTPUTS and old.get(key) != new.get(key)
        }
        return DiffResponse(changes=bool(changed), replaces=sorted(changed), detailed_diff=changed)

    async def create(self, request: CreateRequest) -> CreateResponse:
        arguments = plain_map(request.properties)
        secret = _type(request) == PASSWORD
        if request.preview:
            names = (
                ("b64Std", "b64Url", "dec", "hex") if _type(request) == IDENTIFIER else ("result",)
            )
            made = {name: UNKNOWN for name in names}
            resource_id = ""
        elif _type(request) == IDENTIFIER:
            made = identifier(arguments)
            resource_id = made.pop("id")
        else:
            made = {"result": password(arguments)}
            resource_id = "none" if secret else made["result"]
        values = {key: PropertyValue(text, is_secret=secret) for key, text in made.items()}
        defaults = {} if request.type == IDENTIFIER else wrap_map(DEFAULTS)
        if "numeric" in arguments or "number" in arguments:  # two names of one argument
            for name in ("numeric", "number"):
                defaults[name] = PropertyValue(_numeric(arguments))
        return CreateResponse(resource_id, {**defaults, **request.properties, **values})

    async def read(self, request: ReadRequest) -> ReadResponse:
        """A refresh keeps the state: the value lives nowhere else."""
        if not request.properties.get("result") and _type(request) != IDENTIFIER:
            raise Failure("the local random plugin cannot import")
        return ReadResponse(request.resource_id, request.properties, request.inputs)

    async def delete(self, request: DeleteRequest) -> None:
        """Nothing to do: the value was only in the state."""


if __name__ == "__main__":
    serve(distributions.version(PACKAGE), RandomProvider)
