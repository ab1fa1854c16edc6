"""docs/topology.svg: what each panel is drawn from, and how a stale picture is found."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from components.config.engine import ENGINES
from components.config.presets import SIZES
from tools import topology

pytestmark = pytest.mark.broad

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawn: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def test_replicated_servers_stand_behind_two_services() -> None:
    panel = topology.panel("small", "mariadb")
    assert (panel.service, panel.service_by, panel.port) == ("orders-proxysql", "program", 6033)
    assert (panel.proxies, panel.proxy_count) == ("StatefulSet orders-proxysql", 3)
    assert [(route.use, route.service, route.port) for route in panel.routes] == [
        ("writes", "orders-primary", 3306),
        ("reads", "orders-secondary", 3306),
    ]
    assert panel.servers == ("orders-0", "orders-1", "orders-2")
    assert panel.roles == ("primary", "replica", "replica")
    assert (panel.app_secret, panel.root_secret) == ("orders-app-shop", "orders-root")
    assert panel.ca_secret is None


def test_one_server_has_no_proxy() -> None:
    panel = topology.panel("dev", "mariadb")
    assert (panel.service, panel.service_by, panel.port) == ("orders", "operator", 3306)
    assert (panel.proxies, panel.proxy_count, panel.routes) == (None, 0, ())
    assert (panel.topology, panel.servers) == ("standalone", ("orders-0",))


def test_the_operator_makes_the_proxies_of_a_percona_cluster() -> None:
    panel = topology.panel("large", "percona")
    assert (panel.service, panel.service_by, panel.port) == ("orders-proxysql", "operator", 3306)
    assert (panel.proxies_by, panel.proxy_count) == ("operator", 3)
    assert panel.ca_secret == "orders-ssl"
    assert (panel.topology, panel.storage) == ("galera", "100Gi")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", SIZES)
def test_a_panel_names_what_it_shows(size: str, engine: str) -> None:
    panel = topology.panel(size, engine)
    shown = texts(topology.svg([panel]))
    for name in (panel.service, panel.app_secret, panel.root_secret, *panel.servers):
        assert name in shown
    assert shown.count("no proxies") == (0 if panel.proxies else 1)
    assert sum(text.startswith("ProxySQL ") for text in shown) == (
        panel.proxy_count + (panel.proxies or "").startswith("ProxySQL ")
    )


def test_a_stale_picture_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(topology, "ROOT", tmp_path)
    monkeypatch.setattr(topology, "PICTURE", tmp_path / "topology.svg")
    assert topology.main(["--check"]) == 1
    assert "topology.svg is stale" in capsys.readouterr().err
    assert topology.main([]) == 0
    assert topology.main(["--check"]) == 0
    topology.PICTURE.write_text("old")
    assert topology.main(["--check"]) == 1
    assert topology.PICTURE.read_text() == "old"


def test_the_stack_of_the_readme_is_one_of_the_picture() -> None:
    block = (topology.ROOT / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    config = yaml.safe_load(block)["config"]
    shown = topology.stack("small", "mariadb")
    assert config == {f"mysql-ha:{key}": value for key, value in shown.items()}
