"""Rules of `proxy.query_rules`: among themselves, with the hostgroups and with the logins."""

from collections.abc import Iterator

from components.config import regex
from components.config.errors import Fault
from components.config.proxy import Hostgroups, QueryRule
from components.config.stack import StackConfig


def _rules(config: StackConfig) -> Iterator[tuple[str, QueryRule]]:
    """Each query rule with its config path."""
    for index, rule in enumerate(config.proxy.query_rules):
        yield f"proxy.query_rules[{index}]", rule


def rule_has_its_own_number(config: StackConfig) -> Iterator[Fault]:
    seen: set[int] = set()
    for path, rule in _rules(config):
        if rule.rule_id in seen:
            yield (
                f"{path}.rule_id",
                f"{rule.rule_id} is used twice",
                "give each rule its own number",
            )
        seen.add(rule.rule_id)


def rule_leads_to_a_hostgroup(config: StackConfig) -> Iterator[Fault]:
    known = config.hostgroups_in_use
    for path, rule in _rules(config):
        if rule.destination_hostgroup is not None and rule.destination_hostgroup not in known:
            yield (
                f"{path}.destination_hostgroup",
                "is not a hostgroup of this topology that takes statements",
                f"use one of {', '.join(map(str, sorted(known)))}",
            )


def only_reads_run_again(config: StackConfig) -> Iterator[Fault]:
    for path, rule in _rules(config):
        if rule.retries and not _takes_reads_only(rule, config.proxy.hostgroups):
            yield (
                f"{path}.retries",
                "could run a write twice if its result was lost",
                "set it only in a rule that matches '^SELECT…', goes to the reader hostgroup and "
                "has apply",
            )


def _takes_reads_only(rule: QueryRule, groups: Hostgroups) -> bool:
    """Not if a later rule may apply (lib/Query_Processor.cpp), nor by the hostgroup alone: a
    node of Galera takes writes as a reader too."""
    text = (rule.match_digest or rule.match_pattern or "").upper()
    selects = text.startswith("^SELECT") and not rule.negate_match_pattern
    return selects and rule.apply and rule.destination_hostgroup == groups.reader


def rule_is_of_a_port(config: StackConfig) -> Iterator[Fault]:
    ports = config.proxy.ports
    for path, rule in _rules(config):
        if rule.proxy_port is not None and rule.proxy_port not in ports:
            yield (
                f"{path}.proxy_port",
                f"{rule.proxy_port} is not in proxy.interfaces, so this rule never runs",
                f"use one of {', '.join(map(str, sorted(ports)))}, or add it to proxy.interfaces",
            )


def rule_is_of_a_user(config: StackConfig) -> Iterator[Fault]:
    known = config.usernames
    for path, rule in _rules(config):
        if rule.username is not None and rule.username not in known:
            yield (
                f"{path}.username",
                f"'{rule.username}' is not a user of the proxies, so this rule never runs",
                "correct it, or add the user",
            )


def rule_is_reached(config: StackConfig) -> Iterator[Fault]:
    every = config.proxy.query_rules
    for path, rule in _rules(config):
        before = (other for other in every if other.active and other.rule_id < rule.rule_id)
        later = {other.next_query_flag_in for other in every if other.active}
        if rule.flag_in not in {0, *(other.flag_out for other in before), *later}:
            yield (
                f"{path}.flag_in",
                f"{rule.flag_in} is not the flag_out of any earlier active rule, nor the "
                "next_query_flag_in of any, so this rule never runs",
                "correct it",
            )


def _engine(config: StackConfig) -> regex.Engine:
    """What ProxySQL compiles patterns with."""
    chosen = config.proxy.mysql_variables.get("query_processor_regex")
    return "RE2" if str(chosen) == "2" else "PCRE"


def patterns_are_taken(config: StackConfig) -> Iterator[Fault]:
    """A pattern that does not compile matches nothing, and nothing says so."""
    engine = _engine(config)
    for path, rule in _rules(config):
        groups = 0
        for name in ("match_digest", "match_pattern"):
            pattern: str | None = getattr(rule, name)
            if pattern is None:
                continue
            try:
                groups = regex.check(pattern, engine)
            except regex.RegexError as error:
                yield f"{path}.{name}", error.rule, error.fix
        if rule.replace_pattern and rule.match_pattern:
            try:
                regex.check_replacement(rule.replace_pattern, groups)
            except regex.RegexError as error:
                yield f"{path}.replace_pattern", error.rule, error.fix


RULES = (
    rule_has_its_own_number,
    rule_leads_to_a_hostgroup,
    only_reads_run_again,
    rule_is_of_a_port,
    rule_is_of_a_user,
    rule_is_reached,
    patterns_are_taken,
)
