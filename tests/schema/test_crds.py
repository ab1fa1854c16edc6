"""Every custom resource of every stack, against the operators' own schemas."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import LocalError, toolchain
from tests.program.cases import all_cases, recorded
from tests.program.recorder import ROOT, Resource, plain
from tests.schema import openapi

NEWEST = ROOT.parent / "shared" / "crds"
"""CRDs of later operator releases, beside the checkout."""
CASES = [case.id for case in all_cases()]
Schemas = Mapping[tuple[str, str], Mapping[str, Any]]


@pytest.fixture(scope="session")
def pinned() -> Schemas:
    """The CRDs of the operator that the local mode runs."""
    try:
        return openapi.schemas(toolchain.crds())
    except LocalError as error:
        pytest.skip(f"the operators' Go modules cannot be had: {str(error).splitlines()[0]}")


def folders() -> list[Path]:
    found = sorted(NEWEST.glob("mariadb-operator-*")) if NEWEST.is_dir() else []
    return found or [NEWEST / "mariadb-operator"]


@cache
def folder_schemas(folder: Path) -> Schemas:
    if not folder.is_dir():
        pytest.skip("no ../shared/crds beside the checkout")
    files = folder.glob("*.yaml")
    return openapi.schemas(
        crd for file in files for crd in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
    )


def custom_resources(name: str) -> list[Resource]:
    found = [
        r
        for r in recorded(name).resources
        if r.type.startswith("kubernetes:k8s.mariadb.com/") and not r.read
    ]
    assert found, "every stack has a database"
    return found


def check(resource: Resource, schemas: Schemas) -> None:
    inputs = plain(resource.inputs)
    schema = schemas[(inputs["apiVersion"], inputs["kind"])]
    assert openapi.faults(schema, inputs) == [], resource.urn


@pytest.mark.parametrize("name", CASES)
def test_the_pinned_operator_knows_every_field(name: str, pinned: Schemas) -> None:
    for resource in custom_resources(name):
        check(resource, pinned)


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", CASES)
def test_other_releases_know_every_field(name: str, folder: Path) -> None:
    for resource in custom_resources(name):
        check(resource, folder_schemas(folder))


def test_the_manifest_of_the_examples(pinned: Schemas) -> None:
    documents = list(yaml.safe_load_all((ROOT / "examples" / "app-user.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["Database", "User", "Grant"]
    for document in documents:
        schema = pinned[(document["apiVersion"], document["kind"])]
        assert openapi.faults(schema, document) == []


# --- the check itself can fail ---

SCHEMA = openapi.strict(
    {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "string"},
            "port": {"anyOf": [], "x-kubernetes-int-or-string": True},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {}}}},
            "maybe": {"type": "string", "nullable": True},
        },
    }
)


@pytest.mark.parametrize(
    "value",
    [
        {"size": "1Gi"},
        {"size": "1Gi", "port": 1},
        {"size": "1Gi", "port": "http"},
        {"size": "1Gi", "labels": {"any": "thing"}},
        {"size": "1Gi", "free": {"any": {"thing": 1}}},
        {"size": "1Gi", "list": [{"a": 1}]},
        {"size": "1Gi", "maybe": None},
    ],
    ids=str,
)
def test_good_values(value: dict[str, Any]) -> None:
    assert openapi.faults(SCHEMA, value) == []


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"size": 1},
        {"size": "1Gi", "sise": "1Gi"},
        {"size": "1Gi", "port": 1.5},
        {"size": "1Gi", "labels": {"any": 1}},
        {"size": "1Gi", "list": [{"b": 1}]},
        {"size": None},
    ],
    ids=str,
)
def test_bad_values(value: dict[str, Any]) -> None:
    assert openapi.faults(SCHEMA, value)
