"""Joins answer as the rules do, row by row."""

import random
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from athanor.features.errors import BadInstant
from athanor.features.logic.columns import as_instants
from tests.features import oracle, wide


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


@pytest.mark.parametrize("seed", [1, 2, 3, 6, 116, 38])
def test_wide_joins_answer_as_the_rules_do(tmp_path: Path, seed: int) -> None:
    case = wide.wide_case(seed)
    assert wide.by_us(case, tmp_path) == wide.by_rules(case)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_five_thousand_wide_joins_answer_as_the_rules_do(tmp_path: Path) -> None:
    first = random.SystemRandom().randrange(1 << 40)
    for seed in range(first, first + 5_000):
        folder = tmp_path / str(seed)
        folder.mkdir()
        case = wide.wide_case(seed)
        assert wide.by_us(case, folder) == wide.by_rules(case), seed
        shutil.rmtree(folder)


@pytest.mark.parametrize("most", [(1 << 31) - 1, -(1 << 31)])
def test_a_day_beyond_what_microseconds_hold_is_refused(most: int) -> None:
    with pytest.raises(BadInstant, match="beyond what microseconds hold"):
        as_instants("at", pa.array([most], pa.int32()).cast(pa.date32()))
    with pytest.raises(BadInstant, match="beyond what microseconds hold"):
        as_instants("at", pa.array([-(1 << 63)], pa.timestamp("s")))
