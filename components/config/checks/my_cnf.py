"""Rules of `database.my_cnf`."""

import re
from collections.abc import Iterator

from components.config import memory, my_cnf, server_options
from components.config.errors import Fault
from components.config.stack import StackConfig

PATH = "database.my_cnf"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TEMPLATE = re.compile(r"\{\{[\s0-9*/+().-]*containerMemoryLimit[\s0-9*/+().-]*\}\}")
"""Of the bytes in `database.resources.limits.memory`; other templates could write any line."""


def every_line_sets_a_free_option(config: StackConfig) -> Iterator[Fault]:
    known = my_cnf.sections(config.engine, config.server_version)
    foreign = False
    for line in my_cnf.lines(config.database.my_cnf):
        if line.text.startswith("["):
            foreign = line.section not in known
        fault = _unreadable(line) or _no_option(line, known)
        if fault is None and not foreign:
            fault = _reserved(line, config.database.topology)
        if fault is not None:
            rule, fix = fault
            yield PATH, f"line {line.number} {rule}", fix


def _unreadable(line: my_cnf.Line) -> tuple[str, str] | None:
    if _CONTROL.search(line.text):
        return "has a control character", "remove it"
    if len(line.text.encode(errors="replace")) > my_cnf.MAX_LINE:
        return (
            f"is longer than {my_cnf.MAX_LINE} bytes, and servers would take its end for a line of "
            "its own",
            "shorten it",
        )
    return None


def _no_option(line: my_cnf.Line, known: frozenset[str]) -> tuple[str, str] | None:
    if line.is_comment or line.section in known:
        return None
    if line.text.startswith("!"):
        return "includes files that this program cannot see", "remove it"
    if line.text.startswith("["):
        names = ", ".join(f"[{name}]" for name in sorted(known))
        return (
            f"begins a section that this server does not read: only {names} may stand here",
            "remove the section with its lines; clients have files of their own",
        )
    if my_cnf.OPTION.fullmatch(line.name) is None:
        return (
            "is not an option: its name has other characters than `A-Z a-z 0-9 _ . -`",
            "write `name = value`",
        )
    return None


def _reserved(line: my_cnf.Line, topology: str) -> tuple[str, str] | None:
    why = None if line.is_comment else server_options.refusal(line.name, topology)
    if why is None:
        return None
    return why, "write the whole name" if "abbreviate" in why else "remove the line"


def a_template_has_its_memory_limit(config: StackConfig) -> Iterator[Fault]:
    # pkg/apis/pxc/v1/pxc_types.go, executeConfigurationTemplate.
    text, memory = config.database.my_cnf, config.database.resources.limits.memory
    if config.engine == "percona" and "{{" in text and not memory:
        yield (
            PATH,
            "has '{{': the operator fills in such a template, which needs a memory limit",
            "set database.resources.limits.memory, or remove the braces",
        )


def a_template_is_of_the_memory_limit(config: StackConfig) -> Iterator[Fault]:
    rest = _TEMPLATE.sub("", config.database.my_cnf)
    if config.engine == "percona" and re.search(r"\{[{%#]", rest):
        yield (
            PATH,
            "has a template of something else than containerMemoryLimit, and what the operator "
            "would write in its place is unknown",
            "use {{containerMemoryLimit}} with numbers and * / + - ( )",
        )


def memory_is_enough(config: StackConfig) -> Iterator[Fault]:
    limit, pool = memory.limit(config), memory.pool(config)
    if limit is None or (needed := memory.needed(config, pool)) <= limit:
        return
    tuned = memory.is_tuned(config)
    yield (
        PATH if tuned else "database.resources.limits.memory",
        f"servers need {-(-needed // memory.MIB)} MiB for a buffer pool of {pool // memory.MIB} "
        f"MiB, {config.database.max_connections} connections and themselves, but the memory limit "
        f"is {limit // memory.MIB} MiB",
        "lower the sizes in it or database.max_connections, or raise the limit"
        if tuned
        else "raise it, or lower database.max_connections",
    )


RULES = (
    every_line_sets_a_free_option,
    a_template_has_its_memory_limit,
    a_template_is_of_the_memory_limit,
    memory_is_enough,
)
