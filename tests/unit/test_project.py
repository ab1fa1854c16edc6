"""`Pulumi.yaml`: the config keys as the CLI knows them."""

import yaml

from components.config import KEYS
from components.errors import PROJECT
from tests.program.recorder import ROOT


def test_every_key_is_declared_and_described() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert declared.keys() == {f"{PROJECT}:{key}" for key in KEYS}
    assert all(entry["type"] and entry["description"] for entry in declared.values())
