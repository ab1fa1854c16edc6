"""What servers take of their memory limit: the buffer pool, and what must fit beside it. In bytes.

A sum of what is known beforehand. A limit that it exceeds is refused: the kernel would kill the
server, and the primary first. tests/database/test_memory.py holds the constants against a server.
"""

import re
from collections.abc import Mapping

from components.config import my_cnf, quantity
from components.config.server_options import INTERPRETED
from components.config.stack import StackConfig

MIB = 2**20
DEFAULT_POOL = 128 * MIB
"""Of both engines; also the chunk by which a pool grows."""
SERVER = {"mariadb": 96 * MIB, "percona": 256 * MIB}
"""A server without its pool and connections. Percona's has the performance schema on."""
CACHES = {"mariadb": 128 * MIB, "percona": 0}
"""`aria_pagecache_buffer_size`, which fills with temporary tables only."""
CONNECTION = MIB // 4
"""One connection that waits."""
SESSION = {
    "sort_buffer_size": 2 * MIB,
    "join_buffer_size": MIB // 4,
    "read_buffer_size": MIB // 8,
    "read_rnd_buffer_size": MIB // 4,
}
"""What a statement may take on top, by MariaDB's defaults; so much is meant for one connection in
ten. Proxies share connections, so that few of them work at once."""
LOG_BUFFER, LOG_FILE = 16 * MIB, 96 * MIB
"""`innodb_log_buffer_size`; `innodb_log_file_size` or `innodb_redo_log_capacity`, mapped into
memory by MariaDB and kept in the page cache by both."""

_SIZE = re.compile(r"([0-9]{1,18})([kmgtpe]?)", re.IGNORECASE)
_TEMPLATE = re.compile(
    r"\{\{\s*containerMemoryLimit\s*(?:\*\s*([0-9]{1,9})\s*)?(?:/\s*([0-9]{1,9})\s*)?\}\}"
)


def limit(config: StackConfig) -> int | None:
    """The memory limit of a server's container."""
    text = config.database.resources.limits.memory
    return int(quantity.parse(text)) if text else None


def is_tuned(config: StackConfig) -> bool:
    """Whether `database.my_cnf` sets a part of the sum."""
    return bool(_own(config))


def generated_pool(config: StackConfig) -> int | None:
    """The buffer pool that this program's part of the my.cnf sets; None: it sets none.

    Percona's operator has a rule of its own, which is left to it unless the rest of the memory
    would not fit beside.
    """
    memory = limit(config)
    if memory is None or _sets_pool(config):
        return None
    if config.engine == "percona" and needed(config, operators_pool(memory)) <= memory:
        return None
    free = memory * 95 // 100 - _careful(config)
    whole = free * 10 // 11 // DEFAULT_POOL * DEFAULT_POOL
    return max(whole, min(DEFAULT_POOL, memory // 4 // MIB * MIB))


def pool(config: StackConfig) -> int:
    """The buffer pool that the servers have."""
    memory, own = limit(config), _own(config).get("innodb_buffer_pool_size")
    if own is not None:
        return own
    generated = generated_pool(config)
    if generated is None and memory and config.engine == "percona" and not _sets_pool(config):
        return operators_pool(memory)
    return generated or DEFAULT_POOL


def operators_pool(memory: int) -> int:
    """Percona's choice (pkg/pxc/app/config/autotune.go, getAutoTuneParams)."""
    size = memory // 100 * 75
    if memory - size < 1_000_000_000:
        size = memory // 100 * 50
    size = -(-size // DEFAULT_POOL) * DEFAULT_POOL
    # Eight instances of whole mebibytes.
    return (size // 8 // MIB + 1) * MIB * 8 if size > 1024 * MIB else size


def needed(config: StackConfig, size: int) -> int:
    """What a server surely takes with a buffer pool of that size, whose pages have a tenth more."""
    own, connections = _own(config), config.database.max_connections
    more = sum(max(own.get(name, 0) - default, 0) for name, default in SESSION.items())
    caches = own.get("aria_pagecache_buffer_size", 0) + own.get("key_buffer_size", 0)
    return (
        size * 11 // 10
        + SERVER[config.engine]
        + caches
        + own.get("innodb_log_buffer_size", LOG_BUFFER)
        + connections * CONNECTION
        + connections * more // 10
    )


def _careful(config: StackConfig) -> int:
    """What is to stay free beside a buffer pool that this program chooses."""
    own = _own(config)
    log = own.get("innodb_log_file_size", own.get("innodb_redo_log_capacity", LOG_FILE))
    caches = 0 if "aria_pagecache_buffer_size" in own else CACHES[config.engine]
    working = config.database.max_connections * sum(SESSION.values()) // 10
    return needed(config, 0) + log + caches + working


def _sets_pool(config: StackConfig) -> bool:
    """Whether the stack's own text sets the buffer pool, to whatever."""
    return "innodb_buffer_pool_size" in my_cnf.values(config.database.my_cnf, INTERPRETED)


def _own(config: StackConfig) -> Mapping[str, int]:
    """The sizes that `database.my_cnf` sets, as far as they are numbers."""
    texts = my_cnf.values(config.database.my_cnf, INTERPRETED)
    sizes = {name: _bytes(text, limit(config)) for name, text in texts.items()}
    return {name: size for name, size in sizes.items() if size is not None}


def _bytes(text: str, memory: int | None) -> int | None:
    """A number of bytes such as `5G`, or Percona's template of the memory limit."""
    if template := _TEMPLATE.fullmatch(text):
        factor, divisor = int(template[1] or 1), int(template[2] or 1)
        return memory * factor // divisor if memory and divisor else None
    if size := _SIZE.fullmatch(text):
        return int(size[1]) << 10 * " kmgtpe".index(size[2].lower() or " ")
    return None
