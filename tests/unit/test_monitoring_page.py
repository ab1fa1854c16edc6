"""docs/monitoring.md: its stack files are accepted, and its jobs are, and read what there is."""

import re
from pathlib import Path
from typing import Any

import yaml

from components.config.load import merge, resolve
from components.engines.wiring import WIRING
from components.operations import exporter
from local import commands

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"


def blocks() -> list[Any]:
    """What each YAML text of the page says."""
    texts = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [yaml.safe_load(text) for text in texts]


def stacks() -> list[dict[str, Any]]:
    """The stack files of the page, as trees."""
    files = [block["config"] for block in blocks() if "config" in block]
    return [{key.removeprefix("mysql-ha:"): below for key, below in one.items()} for one in files]


def jobs() -> dict[str, dict[str, Any]]:
    """The jobs for a Prometheus without prometheus-operator."""
    (found,) = (block["scrape_configs"] for block in blocks() if "scrape_configs" in block)
    return {job["job_name"]: job for job in found}


def sources(job: str, kind: str) -> set[str]:
    """Labels or annotations, as a Prometheus has them, of which a job makes something."""
    used = {name for rule in jobs()[job]["relabel_configs"] for name in rule["source_labels"]}
    prefix = f"__meta_kubernetes_{kind}_"
    return {name.removeprefix(prefix) for name in used if name.startswith(prefix)}


def seen(names: Any) -> set[str]:
    """As a Prometheus writes names of labels and annotations."""
    return {re.sub(r"[^a-zA-Z0-9_]", "_", name) for name in names}


def test_the_stack_files_are_accepted() -> None:
    """Both scrapers, and nobody."""
    found = {
        resolve(merge({"size": "small", "engine": engine}, stack)).monitoring.scrape
        for stack in stacks()
        for engine in ("mariadb", "percona")
    }
    assert found == {"prometheus_operator", "annotations", "none"}


def test_a_prometheus_takes_the_jobs(promtool: Path, tmp_path: Path) -> None:
    """But for how it finds the Pods: Debian's is built without Kubernetes."""
    file, found = tmp_path / "prometheus.yml", jobs()
    roles = [job.pop("kubernetes_sd_configs") for job in found.values()]
    assert roles == [[{"role": "endpoints"}], [{"role": "pod"}]]
    file.write_text(yaml.safe_dump({"scrape_configs": [*found.values()]}))
    assert "SUCCESS" in commands.run([promtool, "check", "config", file])


def test_the_jobs_read_what_is_there() -> None:
    config = resolve({"size": "small", "monitoring": {"scrape": "annotations"}})
    services = exporter.services(config, WIRING[config.engine].topology(config))
    assert services
    for annotations in services.values():
        wanted = sources("mysql-ha-servers", "service_annotation")
        assert wanted
        assert wanted <= seen(annotations)
    labels = {"app.kubernetes.io/part-of", "app.kubernetes.io/name"}
    assert sources("mysql-ha-proxies", "pod_label") == seen(labels)
