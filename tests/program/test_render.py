"""`make render`: objects as YAML without secrets, from a stack file alone."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import LocalError
from render.__main__ import HOME, render, write
from render.manifests import HEADER, PLACEHOLDER, manifests
from render.recorder import ROOT
from tests.program.cases import all_cases, by_id, canaries, recorded

pytestmark = pytest.mark.broad

GOLDEN = ROOT / "tests" / "golden"
EXISTING = {"existing_secret": {"name": "theirs", "key": "pw"}}


def command(*args: str, seed: int = 0) -> subprocess.CompletedProcess[str]:
    """`python -m render` where no program and no home is found."""
    environment = {"PATH": "", "HOME": "/nowhere", "PYTHONHASHSEED": str(seed)}
    line = [sys.executable, "-m", "render", *args]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)


def texts(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def stack(folder: Path, **config: Any) -> str:
    """The path of a stack file `own`."""
    file = folder / "Pulumi.own.yaml"
    keys = {key if ":" in key else f"mysql-ha:{key}": value for key, value in config.items()}
    file.write_text(yaml.safe_dump({"config": keys}))
    return str(file)


# --- the command ---


def test_it_writes_the_goldens_each_time_the_same(tmp_path: Path) -> None:
    # Objects say which stack they are of.
    golden = {
        file: text.replace("/example-apps\n", "/apps\n")
        for file, text in texts(GOLDEN / "example-apps").items()
    }
    assert len(golden) > 20
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        done = command("examples/Pulumi.apps.yaml", "--output", str(folder), seed=seed)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{len(golden)} files of apps in {folder}\n"
        assert texts(folder) == golden


def test_what_is_refused_says_why_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "rendered"
    refused = stack(tmp_path, size="small", database={"replicas": 99})
    for wanted, why in ((refused, "mysql-ha:database.replicas"), ("nothing", "no stack file")):
        done = command(wanted, "--output", str(folder))
        assert done.returncode == 1
        assert why in done.stderr
        assert "Traceback" not in done.stderr
    assert not folder.exists()


def test_it_goes_where_git_does_not_look() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/{HOME.relative_to(ROOT).parts[0]}/" in ignored


# --- the folder ---


def test_what_is_no_more_declared_goes_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("by: hand\n")
    write({"a.yaml": HEADER + "a: 1\n", "b.yaml": HEADER + "b: 1\n"}, tmp_path)
    write({"b.yaml": HEADER + "b: 2\n"}, tmp_path)
    assert texts(tmp_path) == {"own.yaml": "by: hand\n", "b.yaml": HEADER + "b: 2\n"}


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("by: hand\n")
    (tmp_path / "b.yaml").write_text(HEADER)
    with pytest.raises(LocalError, match=r"a\.yaml was not made"):
        write({"a.yaml": HEADER}, tmp_path)
    assert texts(tmp_path) == {"a.yaml": "by: hand\n", "b.yaml": HEADER}


def test_rules_have_a_folder_of_their_own(tmp_path: Path) -> None:
    """Whoever applies the objects' folder applies no rules, and a database that has none more loses
    its file."""
    write({"a.yaml": HEADER, "prometheus/a.rules.yaml": HEADER}, tmp_path)
    assert set(texts(tmp_path / "prometheus")) == {"a.rules.yaml"}
    (tmp_path / "prometheus" / "own.yaml").write_text("by: hand\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.yaml").write_text(HEADER)
    write({"a.yaml": HEADER}, tmp_path)
    assert set(texts(tmp_path / "prometheus")) == {"own.yaml"}
    assert set(texts(tmp_path / "other")) == {"b.yaml"}


@pytest.mark.parametrize("scrape", ["annotations", "prometheus_operator"])
def test_rules_are_a_file_of_each_database(scrape: str, tmp_path: Path) -> None:
    quiet: dict[str, Any] = {"monitoring": {"scrape": "none"}}
    config = {"orders": {}, "stock": {}, "logs": quiet, "jobs": {"monitoring": NO_ALERTS}}
    _, files = render(stack(tmp_path, databases=config, monitoring={"scrape": scrape}))
    rules = {name: text for name, text in files.items() if name.startswith("prometheus/")}
    assert set(rules) == {f"prometheus/default-{name}.rules.yaml" for name in ("orders", "stock")}
    objects = sorted(name for name in files if name.startswith("prometheusrule-"))
    made = ["prometheusrule-orders.yaml", "prometheusrule-stock.yaml"]
    assert objects == (made if scrape == "prometheus_operator" else [])
    for name in objects:
        (database,) = (each for each in ("orders", "stock") if each in name)
        spec = yaml.safe_load(files[name])["spec"]
        assert spec == yaml.safe_load(rules[f"prometheus/default-{database}.rules.yaml"])


NO_ALERTS = {"alerts": {"enabled": False}}


# --- the objects ---


@pytest.mark.parametrize("name", [case.id for case in all_cases()])
def test_no_password_is_in_a_file(name: str) -> None:
    case, recording = by_id()[name], recorded(name)
    rendered = "".join(manifests(recording, case.passwords(recording)).values())
    hidden = canaries(case, recording)
    assert hidden
    assert not [what for text, what in hidden.items() if text in rendered]
    assert "CANARY" not in rendered
    assert PLACEHOLDER in rendered


def test_each_object_is_a_file_called_after_it() -> None:
    _, files = render("small")
    for name, text in files.items():
        found = yaml.safe_load(text)
        assert name == f"{found['kind']}-{found['metadata']['name']}.yaml".lower()
        keys = re.findall(r"^(\w+):", text, re.MULTILINE)
        assert keys[:3] == ["apiVersion", "kind", "metadata"]


def test_the_files_of_the_proxies_can_be_read() -> None:
    """As texts of several lines, whole but for the passwords."""
    _, files = render("examples/Pulumi.chart-values.yaml")
    (config,) = (text for name, text in files.items() if "-proxysql-cnf-" in name)
    users = files["secret-mysql-chart-proxysql-users.yaml"]
    assert "\n  proxysql.cnf: |\n    datadir = " in config
    assert '      monitor_password = "(secret)"\n' in config
    assert "\n  users.cnf: |\n    mysql_users =\n" in users
    assert '        username = "app"\n        password = "(secret)"\n' in users


def test_nothing_of_the_stack_is_decrypted_or_read(tmp_path: Path) -> None:
    secure = {"secure": "v1:ciphertext"}
    config: dict[str, Any] = {
        "size": "small",
        "name": "orders",
        "kubernetes:kubeconfig": secure,
        "credentials": {"proxy_admin": {"password": secure}},
        "proxy": {"users": [{"username": "shop", **EXISTING}]},
    }
    _, files = render(stack(tmp_path, **config))
    assert "ciphertext" not in "".join(files.values())
    assert "  password: (secret)\n" in files["secret-orders-proxysql-admin.yaml"]
    assert "secret-theirs.yaml" not in files


@pytest.mark.parametrize("adopt", ["import", "take_over"])
def test_an_adopted_database_is_shown_as_a_new_one(adopt: str, tmp_path: Path) -> None:
    given = {"root": EXISTING}
    base: dict[str, Any] = {"size": "dev", "name": "orders", "credentials": given}
    _, new = render(stack(tmp_path, **base))
    _, adopted = render(stack(tmp_path, **base, adopt=adopt))
    assert adopted == new
    several = {"size": "dev", "databases": {"orders": {"adopt": adopt, "credentials": given}}}
    _, among = render(stack(tmp_path, **several))
    assert among == new
