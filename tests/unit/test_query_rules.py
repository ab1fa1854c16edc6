"""`proxy.query_rules`: from the stack's own rows to ProxySQL's `mysql_query_rules`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.config.errors import ConfigError
from components.config.load import resolve
from components.config.proxy import QueryRule
from components.config.stack import StackConfig
from components.proxysql.self_check import self_check
from tests.unit.models import cnf_model, config, parsed_cnf, proxied_configs

SPELLED = {
    "flag_in": "flagIN",
    "flag_out": "flagOUT",
    "next_query_flag_in": "next_query_flagIN",
    "ok_msg": "OK_msg",
}
"""Fields whose ProxySQL key is another; all others have its name."""
EVERY: dict[str, Any] = {
    "rule_id": 7,
    "active": True,
    "username": "app",
    "schemaname": "shop",
    "flag_in": 3,
    "client_addr": "10.0.%",
    "proxy_port": 6033,
    "digest": "0x0123456789ABCDEF",
    "match_digest": r"^SELECT \d+ FROM `t`\.\w+ WHERE a = 'it''s' -- \\ $",
    "match_pattern": "(é|{x})|#|%s",
    "negate_match_pattern": False,
    "re_modifiers": "CASELESS,GLOBAL",
    "flag_out": 4,
    "replace_pattern": r"\1 'x'",
    "destination_hostgroup": 20,
    "cache_ttl": 5,
    "cache_empty_result": False,
    "timeout": 100,
    "retries": 0,
    "delay": 200,
    "error_msg": "it's closed",
    "ok_msg": "it's done",
    "next_query_flag_in": 3,
    "multiplex": 0,
    "log": False,
    "apply": False,
    "comment": "a comment",
}


USERS = [{"username": "app", "password": "(secret)"}]


def rules(*entries: dict[str, Any]) -> StackConfig:
    return config(proxy={"query_rules": list(entries), "users": USERS})


def rendered(config: StackConfig) -> list[dict[str, Any]]:
    return parsed_cnf(config).get("mysql_query_rules", [])


def test_every_field_is_tested() -> None:
    assert EVERY.keys() == QueryRule.model_fields.keys()


def test_every_field_arrives_under_the_name_that_proxysql_reads() -> None:
    """It ignores a key that it does not know (lib/ProxySQL_Config.cpp)."""
    opener = {"rule_id": 1, "flag_out": 3, "apply": False}
    row = rendered(rules(opener, EVERY))[1]
    assert row == {SPELLED.get(key, key): value for key, value in EVERY.items()}
    flags = {"active": 1, "negate_match_pattern": 0, "log": 0, "apply": 0, "cache_empty_result": 0}
    assert {key: repr(row[key]) for key in flags} == {k: str(v) for k, v in flags.items()}


def test_what_is_not_set_is_not_written() -> None:
    """-1 or an empty text would be a condition of its own."""
    (row,) = rendered(rules({"rule_id": 1, "timeout": 1000}))
    assert row == {
        "rule_id": 1,
        "active": 1,
        "flagIN": 0,
        "negate_match_pattern": 0,
        "re_modifiers": "CASELESS",
        "timeout": 1000,
        "apply": 1,
        "comment": "",
    }


def test_an_empty_replacement_deletes_the_match() -> None:
    entry = {"rule_id": 1, "match_pattern": "/[*].*?[*]/", "replace_pattern": ""}
    assert rendered(rules(entry))[0]["replace_pattern"] == ""


@given(proxied_configs())
def test_rules_come_in_the_stacks_order_with_its_numbers(config: StackConfig) -> None:
    """ProxySQL sorts by rule_id; those of the split have the highest."""
    own = [rule.rule_id for rule in config.proxy.query_rules]
    found = [row["rule_id"] for row in rendered(config)]
    assert found[: len(own)] == own
    split = found[len(own) :]
    assert len(split) == (4 if config.proxy.read_write_split else 0)
    assert not own or not split or max(own) < min(split)
    assert split == sorted(split)


@given(proxied_configs())
def test_rules_survive_the_file(config: StackConfig) -> None:
    own = rendered(config)[: len(config.proxy.query_rules)]
    for row, rule in zip(own, config.proxy.query_rules, strict=True):
        given = rule.model_dump(exclude_none=True)
        assert row == {SPELLED.get(key, key): value for key, value in given.items()}
        assert row["active"] in (0, 1)
        assert not any(isinstance(value, bool) for value in row.values())


@given(proxied_configs())
def test_the_self_check_counts_active_rules(config: StackConfig) -> None:
    """ProxySQL loads no other into its runtime table; peers may have added some by hand."""
    active = sum(row["active"] for row in rendered(config))
    sign = ">=" if config.proxy.clustering == "runtime" else "="
    counted = f"(SELECT COUNT(*) FROM runtime_mysql_query_rules){sign}{active} THEN"
    assert counted in self_check(cnf_model(config))


def test_without_rules_there_is_no_table() -> None:
    assert "mysql_query_rules" not in parsed_cnf(config())


# --- texts that would break ProxySQL's SQL ---

TEXTS = ("match_digest", "match_pattern", "replace_pattern", "error_msg", "ok_msg", "comment")
ONE_LINE = st.text(
    st.characters(codec="utf-8", exclude_characters='"', exclude_categories=["Cc"]),
    min_size=1,
    max_size=50,
)


def rule(**fields: Any) -> QueryRule:
    return QueryRule.model_validate({"rule_id": 1, "timeout": 100, "match_pattern": "x", **fields})


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("unsafe", ['"', "\n", "\t", "\r", "\0", "\x1f"], ids=repr)
def test_a_text_that_would_break_the_sql_is_refused(field: str, unsafe: str) -> None:
    for text in (unsafe, f"a{unsafe}", f"{unsafe}a", f"a{unsafe}b"):
        with pytest.raises(ValidationError):
            rule(**{field: text})


@pytest.mark.parametrize("unsafe", ["'", "\\", '"'])
def test_a_comment_takes_no_quote_at_all(unsafe: str) -> None:
    """ProxySQL puts it between single quotes, the other texts between double ones."""
    with pytest.raises(ValidationError):
        rule(comment=f"a{unsafe}")


@pytest.mark.parametrize("field", ["username", "schemaname", "client_addr", "digest"])
@pytest.mark.parametrize("unsafe", ['"', "'", "\n", " ", ";"], ids=repr)
def test_names_and_addresses_take_no_quote(field: str, unsafe: str) -> None:
    with pytest.raises(ValidationError):
        rule(**{field: f"a{unsafe}"})


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("username", "app\n"),
        ("schemaname", "shop\n"),
        ("client_addr", "10.0.0.7\n"),
        ("digest", "0x0123456789ABCDEF\n"),
        ("comment", "a\n"),
    ],
)
def test_a_newline_at_the_end_is_refused(field: str, text: str) -> None:
    with pytest.raises(ValidationError):
        rule(**{field: text})


@given(ONE_LINE, st.sampled_from(["error_msg", "replace_pattern"]))
def test_any_other_text_survives(text: str, field: str) -> None:
    if field == "replace_pattern":
        text = text.replace("\\", r"\\")
    own = rules({"rule_id": 1, "match_pattern": "x", field: text})
    assert rendered(own)[0][field] == text


ADDRESSES = ["10.0.0.7", "10.0.%", "10.0%", "10%", "%", "fe80::1", "fe80:%", "fe8%", "2001:db8::%"]


@pytest.mark.parametrize("address", [*ADDRESSES, "::1", "::%", "::ffff:10.0.0.7"])
def test_client_addresses(address: str) -> None:
    assert rule(client_addr=address).client_addr == address


@pytest.mark.parametrize(
    "address",
    ["", "10.0.*", "%.1", "host", "10.0.0.0/8", "10.0.%%", "999.1.1.1", "10.0.0", "10.0.0.07"]
    # As ProxySQL writes an address, it is never one of these.
    + ["FE80::1", "fe80:0:0:0:0:0:0:1", "256.%", "10.01.%", "1.2.3.4.%", "10..%", "::1::%", "0a:%"],
)
def test_what_is_no_client_address(address: str) -> None:
    with pytest.raises(ValidationError):
        rule(client_addr=address)


@pytest.mark.parametrize("digest", ["0x" + "0" * 16, "0x" + "F" * 16, "0x" + "f" * 16])
def test_a_digest_that_proxysql_would_drop_is_refused(digest: str) -> None:
    """The rule would match every statement (lib/Query_Processor.cpp, new_query_rule)."""
    with pytest.raises(ValidationError):
        rule(digest=digest)


# --- what rules may say together ---


def refusal(tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(tree)
    return str(caught.value)


def chained(flag_in: int) -> dict[str, Any]:
    first = {"rule_id": 1, "username": "app", "flag_out": 5, "apply": False}
    second = {"rule_id": 2, "flag_in": flag_in, "timeout": 1000}
    return {"size": "small", "proxy": {"query_rules": [first, second], "users": USERS}}


def test_rules_in_a_chain() -> None:
    assert [row["flagIN"] for row in rendered(resolve(chained(5)))] == [0, 5]
    assert "query_rules[1].flag_in: 6 is not the flag_out of any earlier active rule" in refusal(
        chained(6)
    )


def test_rules_of_the_next_statement() -> None:
    first = {"rule_id": 2, "username": "app", "next_query_flag_in": 5}
    second = {"rule_id": 1, "flag_in": 5, "timeout": 1000}
    rows = rendered(rules(first, second))
    assert rows[0]["next_query_flagIN"] == rows[1]["flagIN"] == 5


def test_no_result_is_kept_without_a_time() -> None:
    with pytest.raises(ValidationError, match="keeps no result"):
        rule(cache_empty_result=True)


@pytest.mark.parametrize(
    ("entry", "path"), [({"username": "ap"}, "username"), ({"proxy_port": 6034}, "proxy_port")]
)
def test_a_rule_that_would_never_run_is_refused(entry: dict[str, Any], path: str) -> None:
    rule = {"rule_id": 1, "timeout": 100, **entry}
    tree = {"size": "small", "proxy": {"query_rules": [rule], "users": USERS}}
    assert f"query_rules[0].{path}: " in refusal(tree)


@pytest.mark.parametrize("topology", ["replication", "galera"])
def test_reads_may_run_again(topology: str) -> None:
    entry: dict[str, Any] = {
        "rule_id": 1,
        "match_digest": "^SELECT a FROM t$",
        "destination_hostgroup": 20,
        "retries": 1,
    }
    tree = {"size": "small", "database": {"topology": topology}, "proxy": {"query_rules": [entry]}}
    assert rendered(resolve(tree))[0]["retries"] == 1
    for other in (
        {"destination_hostgroup": 10},
        {"destination_hostgroup": None},
        {"match_digest": "."},
        {"apply": False},
        {"negate_match_pattern": True},
    ):
        tree["proxy"] = {"query_rules": [{**entry, **other}]}
        assert "query_rules[0].retries" in refusal(tree)


def test_no_retry_is_no_risk() -> None:
    assert rendered(rules({"rule_id": 1, "retries": 0}))[0]["retries"] == 0


@pytest.mark.parametrize("field", ["match_digest", "match_pattern"])
@pytest.mark.parametrize("pattern", ["(", "a)", "[", "*a", "a{2,1}", "(?P<a", "^(a|b)+$"])
def test_a_pattern_that_the_engine_does_not_take_is_refused(field: str, pattern: str) -> None:
    """ProxySQL would say nothing, and the rule would match nothing."""
    entry = {"rule_id": 1, "timeout": 100, field: pattern}
    assert f"query_rules[0].{field}: " in refusal(
        {"size": "small", "proxy": {"query_rules": [entry]}}
    )


def test_the_engine_is_the_one_that_the_stack_chose() -> None:
    def tree(pattern: str) -> dict[str, Any]:
        entry = {"rule_id": 1, "timeout": 100, "match_pattern": pattern}
        chosen = {"mysql_variables": {"query_processor_regex": 2}}
        return {"size": "small", "proxy": {"query_rules": [entry], **chosen}}

    resolve(tree("^(a|b)+$"))
    assert "RE2 does not know" in refusal(tree("a(?=b)"))


def test_a_session_keeps_what_it_has_set() -> None:
    entry = {"rule_id": 1, "match_digest": "^SELECT", "destination_hostgroup": 20}
    off = {"mysql_variables": {"set_query_lock_on_hostgroup": 0}}
    path = "proxy.mysql_variables.set_query_lock_on_hostgroup"
    for routed in ({"query_rules": [entry]}, {"read_write_split": True}):
        assert path in refusal({"size": "small", "proxy": {**routed, **off}})
    resolve({"size": "small", "proxy": off})


@pytest.mark.parametrize("off", [False, 0, "0", "FALSE"])
def test_conditions_on_digests_need_digests(off: object) -> None:
    """Without them ProxySQL skips the condition, and the rule matches every statement."""
    variables = {"mysql_variables": {"query_digests": off}}
    for rule in ({"digest": "0x0123456789ABCDEF"}, {"match_digest": "^SELECT"}):
        entry = {"rule_id": 1, "error_msg": "closed", **rule}
        tree = {"size": "small", "proxy": {"query_rules": [entry], **variables}}
        assert "proxy.mysql_variables.query_digests" in refusal(tree)
    entry = {"rule_id": 1, "error_msg": "closed", "match_pattern": "^SELECT"}
    resolve({"size": "small", "proxy": {"query_rules": [entry], **variables}})
