"""What the watcher asks a server: one statement that answers with one word. Pure."""

ROUND = 0.02
"""Seconds between two checks of `read_only`, inside the server."""
LOOK_EVERY = 5
"""Rounds between two checks of the replicas, which cost half a millisecond each."""

_STATUS = tuple(
    f"'RPL_SEMI_SYNC_MASTER_{name}'" for name in ("CLIENTS", "STATUS", "WAIT_SESSIONS", "YES_TX")
)
"""Rows of GLOBAL_STATUS: replicas that acknowledge, whether semi-sync is on, commits that wait for
a replica, commits that one acknowledged."""


def statement(replicas: int, rounds: int, silent_looks: int) -> str:
    """A compound statement that returns one word when something is wrong, or after `rounds`.

    `fit`; `read-only`; and where `replicas` is not 0: `lone`, fewer semi-sync replicas than that;
    `silent`, a commit waits and none was acknowledged for `silent_looks` looks; `unacknowledged`,
    semi-sync has given up waiting. It goes on while a silence lasts. What it reads is open to every
    account. The text of `read_only` is a number or, from MariaDB 12 on, a word.
    """
    more = f"(round < {rounds} OR silent > 0) AND verdict = 'fit'"
    return f"""\
BEGIN NOT ATOMIC
  DECLARE round, clients, waiting, acknowledged, silent INT DEFAULT 0;
  DECLARE last INT DEFAULT -1;
  DECLARE verdict, semi_sync VARCHAR(20) DEFAULT 'fit';
  WHILE {more} DO
    IF CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF') THEN
      SET verdict = 'read-only';
    END IF;{_look(replicas, silent_looks) if replicas else ""}
    SET round = round + 1;
    IF {more} THEN DO SLEEP({ROUND}); END IF;
  END WHILE;
  SELECT verdict;
END//"""


def _look(replicas: int, silent_looks: int) -> str:
    """A look at the replicas.

    A server that is fit waits for them from then on even if they leave
    (`rpl_semi_sync_master_wait_no_slave`, by REPLICATION MASTER ADMIN): what was on its way when
    the last one left is not acknowledged before the proxies have cut it off.
    """
    columns = ",\n          ".join(
        f"MAX(IF(VARIABLE_NAME={name}, VARIABLE_VALUE, NULL))" for name in _STATUS
    )
    return f"""
    IF verdict = 'fit' AND MOD(round, {LOOK_EVERY}) = 0 THEN
      SELECT {columns}
        INTO clients, semi_sync, waiting, acknowledged
        FROM information_schema.GLOBAL_STATUS
        WHERE VARIABLE_NAME IN ({", ".join(_STATUS)});
      SET silent = IF(waiting > 0 AND acknowledged = last, silent + 1, 0);
      SET last = acknowledged;
      SET verdict = CASE
        WHEN clients < {replicas} THEN 'lone'
        WHEN semi_sync <> 'ON' THEN 'unacknowledged'
        WHEN silent >= {silent_looks} THEN 'silent'
        ELSE 'fit' END;
      IF verdict = 'fit' AND NOT @@global.rpl_semi_sync_master_wait_no_slave THEN
        SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON;
      END IF;
    END IF;"""
