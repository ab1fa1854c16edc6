"""ProxySQL's query rules: a stack's own, and those of the read/write split. Pure."""

from collections.abc import Sequence

from components.config.proxy import Hostgroups, QueryRule
from components.proxysql.libconfig import Group
from components.proxysql.model import CnfModel

LOCKING = r"\bFOR\b[\s\S]{1,200}?\b(UPDATE|SHARE)\b|\bLOCK\b[\s\S]{1,200}?\bSHARE\b"
"""Reads that take locks; there may be comments between the words."""
STATEFUL = (
    r"\bINTO\b|@|\bSQL_CALC_FOUND_ROWS\b|\b(GET_LOCK|RELEASE_LOCK|RELEASE_ALL_LOCKS|IS_FREE_LOCK"
    r"|IS_USED_LOCK|LAST_INSERT_ID|FOUND_ROWS|ROW_COUNT|CONNECTION_ID)\s*\("
    r"|\bWSREP_\w+\s*\(|\b(NEXTVAL|LASTVAL|SETVAL|CURRVAL)\b|\b(NEXT|PREVIOUS)\b[\s\S]{1,200}?\bVALUE\b"
)
"""Reads that depend on the session or change something."""
HIDDEN = r"/\*M?!|;\s*\S"
"""Comments that the server runs, and statements after the first."""

_KEYS = {
    "flag_in": "flagIN",
    "flag_out": "flagOUT",
    "next_query_flag_in": "next_query_flagIN",
    "ok_msg": "OK_msg",
}
"""Where ProxySQL's spelling of a field is another."""


def rule_rows(model: CnfModel) -> Sequence[Group]:
    """The stack's own rules, then those of the read/write split."""
    own = [_own(rule) for rule in model.proxy.query_rules]
    return [*own, *_split(model.proxy.hostgroups)] if model.proxy.read_write_split else own


def _own(rule: QueryRule) -> Group:
    values = rule.model_dump(exclude_none=True)
    return {
        _KEYS.get(key, key): int(value) if isinstance(value, bool) else value
        for key, value in values.items()
    }


def _split(groups: Hostgroups) -> list[Group]:
    """To the readers goes what starts with SELECT, unless one of three rules before finds more.

    Thrice: the digest has no comments, which may stand between two words, but leaves out what it
    takes for one and what comes after `query_digests_max_query_length`; the text is complete. The
    last is apart because its search may exceed the engine's limit, and a rule that does matches
    nothing.
    """
    to_writer: Group = {"active": 1, "destination_hostgroup": groups.writer, "apply": 1}
    to_reader: Group = {"active": 1, "destination_hostgroup": groups.reader, "apply": 1}
    text = f"{LOCKING}|{STATEFUL}|{HIDDEN}"
    return [
        {"rule_id": 1_000_000_001, "match_digest": f"{LOCKING}|{STATEFUL}", **to_writer},
        {"rule_id": 1_000_000_002, "match_pattern": text, **to_writer},
        {"rule_id": 1_000_000_003, "match_pattern": LOCKING.replace("{1,200}?", "*"), **to_writer},
        # Only what starts so: `WITH` and `(SELECT` may go on in many ways.
        {"rule_id": 1_000_000_004, "match_digest": r"^SELECT\b", **to_reader},
    ]
