"""The records of engines are complete, and agree with each other and with the config."""

from typing import get_args

import pytest

from components.config.checks import ENGINE_RULES
from components.config.engine import ENGINES
from components.config.errors import ConfigError
from components.config.load import resolve
from components.config.presets import SIZES
from components.config.stack import StackConfig
from components.engines.wiring import WIRING

ENGINE = pytest.mark.parametrize("engine", ENGINES)


def test_every_engine_of_a_config_has_both_records_and_its_rules() -> None:
    engines = {*get_args(StackConfig.model_fields["engine"].annotation)}
    assert engines == {*ENGINES} == {*WIRING} == {*ENGINE_RULES}


@ENGINE
def test_every_size_has_a_preset(engine: str) -> None:
    assert ENGINES[engine].presets.keys() == SIZES.keys()


@ENGINE
def test_the_default_image_is_not_too_old(engine: str) -> None:
    config, record = resolve({"engine": engine}), ENGINES[engine]
    assert config.images.database.tag == record.image["tag"]
    assert config.server_version > record.oldest_server


@ENGINE
def test_a_name_may_be_so_long_and_no_longer(engine: str) -> None:
    longest = "n" * ENGINES[engine].longest_name
    assert resolve({"engine": engine, "name": longest}).name == longest
    with pytest.raises(ConfigError, match="^mysql-ha:name: is longer than"):
        resolve({"engine": engine, "name": f"{longest}n"})


def test_no_key_is_foreign_to_all_engines() -> None:
    foreign = [key for record in ENGINES.values() for key in record.foreign_keys]
    assert len(foreign) == len(set(foreign)) > 0


@ENGINE
def test_objects_of_this_programs_proxies_are_its_own(engine: str) -> None:
    """Otherwise a second database could take the name."""
    record = ENGINES[engine]
    assert record.proxies("db") in record.owned("db", drilled=True, scraped=True)


def test_the_object_of_a_database_by_its_path() -> None:
    assert ENGINES["mariadb"].api.path("shop", "db") == (
        "/apis/k8s.mariadb.com/v1alpha1/namespaces/shop/mariadbs/db"
    )
    assert ENGINES["percona"].api.type_token == (
        "kubernetes:pxc.percona.com/v1:PerconaXtraDBCluster"
    )
