"""The buffer pool by the memory limit, and limits that are too small for what they hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config import memory
from components.config.errors import ConfigError
from components.config.memory import MIB
from components.engines import mariadb, percona
from tests.unit.models import config


def limited(limit: str, connections: int = 500, my_cnf: str = "", **more: Any) -> dict[str, Any]:
    resources = {"requests": {"memory": "1Mi"}, "limits": {"memory": limit}}
    return {
        "database": {"resources": resources, "max_connections": connections, "my_cnf": my_cnf},
        **more,
    }


@pytest.mark.parametrize(("size", "pool"), [("dev", 128), ("small", 1152), ("large", 6272)])
def test_the_pool_of_a_size(size: str, pool: int) -> None:
    chosen = config(size)
    assert memory.pool(chosen) == pool * MIB
    line = f"innodb_buffer_pool_size = {pool * MIB}"
    # Without a limit the server's default stays.
    assert (line in mariadb.my_cnf(chosen).splitlines()) == (size != "dev")


@pytest.mark.parametrize(("size", "pool"), [("dev", 128), ("small", 1024), ("large", 6152)])
def test_perconas_operator_has_a_rule_of_its_own(size: str, pool: int) -> None:
    chosen = config(size, engine="percona")
    assert memory.pool(chosen) == pool * MIB
    assert "innodb_buffer_pool_size" not in percona.my_cnf(chosen)


def test_perconas_rule_is_replaced_where_connections_would_not_fit() -> None:
    chosen = config(**limited("2Gi", 4000, engine="percona"))
    assert memory.needed(chosen, memory.operators_pool(2048 * MIB)) > 2048 * MIB
    assert "innodb_buffer_pool_size" in percona.my_cnf(chosen)


@given(st.integers(256, 1_000_000), st.integers(20, 100_000))
def test_what_is_chosen_fits_or_is_refused(mebibytes: int, connections: int) -> None:
    limit = mebibytes * MIB
    try:
        chosen = config(**limited(f"{mebibytes}Mi", connections, proxy={"enabled": False}))
    except ConfigError as error:
        ((path, rule, _),) = error.faults
        assert path == "database.resources.limits.memory"
        assert f"the memory limit is {mebibytes} MiB" in rule
        assert connections * memory.CONNECTION + memory.SERVER["mariadb"] > limit // 2
        return
    pool = memory.pool(chosen)
    assert memory.needed(chosen, pool) <= limit
    assert pool >= min(memory.DEFAULT_POOL, limit // 5)


@given(st.integers(1, 500), st.integers(0, 500))
def test_more_memory_is_never_a_smaller_pool(gibibytes: int, more: int) -> None:
    small, large = (config(**limited(f"{g}Gi")) for g in (gibibytes, gibibytes + more))
    assert memory.pool(small) <= memory.pool(large)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("innodb_buffer_pool_size = 2G", "2Gi"),
        ("innodb-buffer-pool-size=2147483648", "2Gi"),
        ("loose_innodb_buffer_pool_size = 1900m", "2Gi"),
        ("innodb_buffer_pool_size = 1G\nkey_buffer_size = 1G", "2Gi"),
        ("innodb_log_buffer_size = 1G\ninnodb_buffer_pool_size = 1G", "2Gi"),
        ("innodb_buffer_pool_size = 1G\nsort_buffer_size = 64M", "2Gi"),
    ],
)
def test_a_my_cnf_that_does_not_fit_is_refused(text: str, limit: str) -> None:
    with pytest.raises(ConfigError, match=r"mysql-ha:database\.my_cnf: servers need \d+ MiB"):
        config(**limited(limit, my_cnf=text))
    assert config(**limited("64Gi", my_cnf=text))


def test_ones_own_pool_stays() -> None:
    chosen = config(**limited("4Gi", my_cnf="innodb_buffer_pool_size = 1G"))
    assert memory.pool(chosen) == 1024 * MIB
    assert mariadb.my_cnf(chosen).count("innodb_buffer_pool_size") == 1


def test_perconas_template_is_read() -> None:
    text = "innodb_buffer_pool_size = {{containerMemoryLimit * 3 / 4}}"
    with pytest.raises(ConfigError, match=r"mysql-ha:database\.my_cnf: servers need 1\d{3} MiB"):
        config(**limited("1Gi", my_cnf=text, engine="percona"))
    assert config(**limited("8Gi", my_cnf=text, engine="percona"))
