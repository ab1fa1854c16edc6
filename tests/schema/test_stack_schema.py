"""schema/stack.schema.json: what editors accept, refuse and offer in a stack file."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from components.config.load import KEYS, resolve
from components.config.stack import StackKeys
from render.recorder import ROOT
from tests.program.cases import SECURE, all_cases, shop, stack_files
from tests.program.test_malformed import NEIGHBOURS, PLAIN, Bad
from tests.schema import language_server
from tests.schema.language_server import Editor
from tools import stack_schema
from tools.keys import model_of

pytestmark = pytest.mark.broad

FILE = ROOT / "schema" / "stack.schema.json"
FILES = stack_files()
CASES = {case.id: case for case in all_cases()}


@cache
def validator() -> Any:
    schema = json.loads(FILE.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def faults(stack: Any) -> list[str]:
    """Where the schema refuses a stack file, and why."""
    found = validator().iter_errors(stack)
    return [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in found]


def stack(**keys: Any) -> dict[str, Any]:
    return {"config": {f"mysql-ha:{key}": value for key, value in keys.items()}}


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_it_is_what_the_models_say() -> None:
    assert FILE.read_text() == stack_schema.text()


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_a_stack_file_names_the_schema_and_keeps_to_it(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match and (file.parent / match[1]).resolve() == FILE
    assert faults(yaml.safe_load(file.read_text())) == []


@pytest.mark.parametrize("name", CASES)
def test_it_accepts_what_the_program_loads(name: str) -> None:
    source = CASES[name].source
    keys = {key if ":" in key else f"mysql-ha:{key}": value for key, value in source.items()}
    assert faults({"config": keys}) == []


@pytest.mark.parametrize("config", NEIGHBOURS, ids=str)
def test_it_accepts_what_is_nearly_refused(config: dict[str, Any]) -> None:
    assert faults(stack(**config)) == []


KEYS_AND_TYPES = [bad for bad in PLAIN if bad.id.startswith(("key-", "type-"))]


@pytest.mark.parametrize("bad", KEYS_AND_TYPES, ids=lambda bad: bad.id)
def test_it_refuses_wrong_keys_and_types_as_the_program_does(bad: Bad) -> None:
    assert faults(stack(**bad.config))


def models(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every mapping of ours below a model; `[]` is an entry of a list."""
    for name, field in model.model_fields.items():
        below, listed = model_of(field.annotation)
        if below:
            here = (*path, name, "[]") if listed else (*path, name)
            yield here
            yield from models(below, here)


def nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = [value] if key == "[]" else {key: value}
    return value


@pytest.mark.parametrize("path", [*models(StackKeys)], ids=".".join)
def test_a_misspelt_key_is_refused_at_every_depth(path: tuple[str, ...]) -> None:
    tree = cast(dict[str, Any], nested(path, {"misspelt": 1}))
    for wrong in (stack(**tree), stack(databases={"orders": tree})):
        assert any("'misspelt' was unexpected" in fault for fault in faults(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"confg": {}},
        stack(databse={}),
        {"config": {"size": "dev"}},
        stack(databases={"orders": {"name": "orders"}}),
        stack(databases={"Orders": {}}),
        stack(size="medium"),
        stack(database={"replicas": 10}),
        stack(database={"replicas": "3"}),
        stack(database={"ready_timeout": "20 m"}),
        stack(database={"ready_timeout": ""}),
        stack(database={"storage": {"size": "10 GB"}}),
        stack(database={"pod_labels": {"app.kubernetes.io/name": "mine"}}),
        stack(proxy={"hostgroups": {"comment": "it's"}}),
        stack(proxy={"mysql_variables": {"wait_timeuot": 1}}),
        stack(proxy={"users": [{"password": SECURE}]}),
        stack(proxy={"users": [{"username": "app", "password": "in clear text"}]}),
        stack(apps=[{"name": "shop"}]),
        stack(apps=[{"name": "shop", "databases": {"shop": "admin"}}]),
        stack(apps=[{"name": "shop", "databases": {"shop": ["select"]}}]),
        stack(images={"proxy": {"tag": "latest"}}),
        stack(scheduling={"proxy": {"affinity": {"podAfinity": {}}}}),
    ],
    ids=json.dumps,
)
def test_what_the_program_refuses_by_itself_is_refused(wrong: dict[str, Any]) -> None:
    assert len(faults(wrong)) == 1


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"config": {}, "encryptionsalt": "v1:salt", "environment": ["production"]},
        {"config": {"kubernetes:context": "kind", "pulumi:tags": {"team": "shop"}}},
        stack(create_namespace="true", await_sql=False),
        stack(credentials={"root": {"password": SECURE}}),
        stack(database={"storage": {"storage_class": None}}),
        stack(proxy={"users": [{"username": "app", "password": SECURE}]}),
        stack(apps=[shop(password=SECURE)], retire=["orders"]),
    ],
    ids=json.dumps,
)
def test_what_pulumi_writes_is_accepted(right: dict[str, Any]) -> None:
    assert faults(right) == []


NOT_OURS = ("admin_variables", "mysql_variables", "affinity")
"""Keys below which ProxySQL or Kubernetes names everything."""


def test_every_key_is_explained() -> None:
    def unexplained(schema: dict[str, Any], path: str) -> Iterator[str]:
        for key, below in schema.get("properties", {}).items():
            where = f"{path}.{key}"
            if not below.get("description"):
                yield where
            if key not in NOT_OURS:
                yield from unexplained(below, where)
                yield from unexplained(below.get("items", {}), f"{where}[]")

    definitions = stack_schema.stack_schema()["definitions"]
    assert {*definitions, "databases", "retire"} == set(KEYS)
    assert [*unexplained({"properties": definitions}, "")] == []


def test_a_default_is_the_one_of_the_size() -> None:
    replicas = stack_schema.stack_schema()["definitions"]["database"]["properties"]["replicas"]
    for size in ("dev", "small", "large"):
        assert f"{size} `{resolve({'size': size}).database.replicas}`" in replicas["description"]


# --- in an editor --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    try:
        with language_server.editor() as found:
            yield found
    except language_server.NotThere as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_an_editor_marks_a_misspelt_key_and_nothing_else(editor: Editor, file: Path) -> None:
    written = file.read_text()
    assert editor.problems(file.parent, written) == []
    (problem,) = editor.problems(file.parent, written + "  mysql-ha:databse: {}\n")
    assert "mysql-ha:databse" in problem


def test_an_editor_marks_a_misspelt_key_below_others(editor: Editor) -> None:
    text = HEAD + "  mysql-ha:databases:\n    orders:\n      proxy:\n        replcas: 3\n"
    (problem,) = editor.problems(ROOT, text)
    assert "replcas" in problem


HEAD = "# yaml-language-server: $schema=schema/stack.schema.json\nconfig:\n"


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("  ", {"mysql-ha:size", "mysql-ha:database", "mysql-ha:databases"}),
        ("  mysql-ha:size: ", {"dev", "small", "large"}),
        ("  mysql-ha:database:\n    ", {"replicas", "storage", "my_cnf"}),
        ("  mysql-ha:proxy:\n    users:\n      - ", {"username", "existing_secret"}),
        ("  mysql-ha:proxy:\n    mysql_variables:\n      ", {"wait_timeout"}),
        ("  mysql-ha:databases:\n    orders:\n      ", {"size", "database", "apps"}),
        ("  mysql-ha:databases:\n    orders:\n      proxy:\n        ", {"replicas", "routing"}),
    ],
)
def test_an_editor_offers_keys_and_values(editor: Editor, begun: str, offered: set[str]) -> None:
    assert offered <= editor.offers(ROOT, HEAD + begun)


def test_an_editor_shows_what_a_key_means(editor: Editor) -> None:
    text = f"{HEAD}  mysql-ha:database:\n    max_connections: 200\n"
    shown = editor.explains(ROOT, text, "max_connections")
    assert "shared by all proxies and the operator" in shown
    assert "small" in shown and "500" in shown
