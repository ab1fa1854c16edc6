"""Valid configs with one leaf replaced: whatever stands there, no error but a ConfigError.

An ordinary run looks at a sample. `MUTANTS=all` looks at every one (about ten minutes, in
`make test-long`), `MUTANTS=<number>` at so many.
"""

import os
import re

import pytest

from components.config.errors import ConfigError
from components.config.load import read
from local import engine
from render.case import as_new, case
from tests.program import mutants

pytestmark = pytest.mark.broad

WANTED = os.environ.get("MUTANTS", "1500")
CHOSEN = mutants.every() if WANTED == "all" else mutants.sample(int(WANTED))
PARTS = 15


@pytest.mark.parametrize("name", mutants.valid())
def test_what_is_mutated_is_valid(name: str) -> None:
    assert read(mutants.valid()[name])


def test_there_are_enough() -> None:
    assert len(mutants.every()) >= 20_000


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_mutant_is_accepted_or_refused(part: int) -> None:
    """Anything but a ConfigError would leave the loop; its message has one fault a line."""
    refused = 0
    for one in CHOSEN[part::PARTS]:
        try:
            read(mutants.mutant(*one))
        except ConfigError as error:
            refused += 1
            for line in str(error).split("\n"):
                assert re.fullmatch(r"mysql-ha:[a-z]\S.*: .+\. Fix: .+[.?]", line), (one, line)
                assert line.isprintable(), (one, line)
        except Exception as error:
            error.add_note(f"mutant: {one}")
            raise
    assert refused > len(CHOSEN) / PARTS / 2


def test_what_make_reads_of_a_mutant_ends_in_no_traceback() -> None:
    """Beside the program: its namespaces, and what `make render` puts into it."""
    for name, keys, number in mutants.sample(1000, seed=1):
        if mutants.NASTY[number] is not mutants.DEEPEST:  # `stack_config` refuses it
            config = mutants.mutant(name, keys, number)
            assert case("mutant", as_new(config)).id == "mutant"
            assert all(engine.namespaces(config))
