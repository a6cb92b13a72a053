"""Histories are thinned out alike for all runs."""

from hypothesis import given
from hypothesis import strategies as st

from athanor.tracking.logic.sampling import shared_steps

_HISTORIES = st.lists(st.lists(st.integers(-50, 2000), max_size=300), max_size=5)


def test_few_steps_are_all_there() -> None:
    assert shared_steps([[3, 1], [2, 1]], 3) == {1, 2, 3}


def test_many_are_taken_evenly_and_each_run_s_ends_too() -> None:
    assert shared_steps([list(range(10))], 5) == {0, 2, 4, 6, 8, 9}
    assert shared_steps([list(range(10)), list(range(20))], 5) == {0, 4, 8, 9, 12, 16, 19}


@given(_HISTORIES, st.integers(1, 50))
def test_never_many_more_than_asked_and_the_ends_always(
    histories: list[list[int]], most: int
) -> None:
    taken = shared_steps(histories, most)
    assert len(taken) <= most + 1 + 2 * len(histories)
    assert taken <= {step for steps in histories for step in steps}
    for steps in filter(None, histories):
        assert {min(steps), max(steps)} <= taken
