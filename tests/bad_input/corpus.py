"""The whole corpus."""

from functools import cache

from tests.bad_input.accepted import accepted
from tests.bad_input.bombs import bombs
from tests.bad_input.case import Case
from tests.bad_input.damaged import damaged
from tests.bad_input.foreign import foreign


@cache
def corpus() -> tuple[Case, ...]:
    """Every case, each with a name of its own."""
    cases = (*accepted(), *damaged(), *foreign(), *bombs())
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)
    return cases
