"""Joins answer as the rules do, row by row."""

import random
from pathlib import Path

import pytest

from tests.features import oracle


@pytest.mark.parametrize("seed", range(120))
def test_a_join_answers_as_the_rules_do(tmp_path: Path, seed: int) -> None:
    case = oracle.random_case(seed)
    assert oracle.by_us(case, tmp_path) == oracle.by_rules(case)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_thousand_joins_answer_as_the_rules_do(tmp_path: Path) -> None:
    first = random.SystemRandom().randrange(1 << 40)
    for seed in range(first, first + 10_000):
        case = oracle.random_case(seed)
        assert oracle.by_us(case, tmp_path) == oracle.by_rules(case), seed
