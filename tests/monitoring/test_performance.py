"""Performance from late labels, evidence over time, figures in words, bad values."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from athanor.monitoring.logic.evidence import Evidence, bet_against
from athanor.monitoring.logic.performance import (
    area_under_curve,
    judge_accuracy,
    judge_ranking,
)
from athanor.monitoring.logic.quality import poisson_tail, upper_tail
from athanor.monitoring.logic.words import number, odds, share


@given(st.integers(0, 2**32 - 1))
def test_the_area_is_scikit_learns_with_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    positive = random.random(80) < 0.3
    positive[:4] = [True, True, False, False]
    scores = np.asarray(np.round(random.random(80) + 0.4 * positive, 1), dtype=np.float64)
    value, error = area_under_curve(scores, positive)
    assert value == pytest.approx(roc_auc_score(positive, scores))
    assert 0 <= error < 0.2


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = scipy.stats.norm.cdf(1 / np.sqrt(2))
    random, covered = np.random.default_rng(0), 0
    for _ in range(300):
        positive = random.random(400) < 0.3
        found = judge_ranking(
            random.normal(size=400) + positive, positive, rows=500, reference=None, rate=0.001
        )
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / 300 <= 0.985


def test_a_worse_model_is_told_and_an_equal_one_is_not() -> None:
    random = np.random.default_rng(1)
    positive = random.random(1_000) < 0.3
    scores = random.normal(size=1_000) + positive
    worse = judge_ranking(scores, positive, rows=1_200, reference=0.95, rate=0.001)
    assert worse.degraded
    assert "worse than the 0.950 of its evaluation" in worse.explanation
    equal = judge_ranking(scores, positive, rows=1_200, reference=0.76, rate=0.001)
    assert not equal.degraded
    assert "1,000 labelled rows of 1,200" in equal.explanation


def test_too_few_labels_say_nothing() -> None:
    positive = np.zeros(300, dtype=bool)
    positive[:9] = True
    found = judge_ranking(np.linspace(0, 1, 300), positive, rows=500, reference=0.9, rate=0.001)
    assert found.value is None
    assert not found.degraded
    assert "the rarer class 9" in found.explanation
    assert judge_accuracy(np.ones(3, dtype=bool), rows=5, reference=1.0, rate=0.01).value is None


def test_accuracy_has_an_interval_also_where_everything_is_right() -> None:
    found = judge_accuracy(np.ones(200, dtype=bool), rows=200, reference=0.9, rate=0.001)
    assert found.value == 1.0
    assert found.low is not None
    assert 0.95 < found.low < 1.0
    assert judge_accuracy(np.arange(200) < 120, rows=200, reference=0.9, rate=0.001).degraded


def test_a_bet_against_health_wins_nothing_on_average() -> None:
    grid = (np.arange(200_000) + 0.5) / 200_000
    assert np.mean([bet_against(p) for p in grid]) == pytest.approx(1.0, abs=0.02)


def test_the_detector_alarms_rarely_in_health_and_soon_after_a_small_change() -> None:
    random = np.random.default_rng(3)
    alarms, windows = 0, 4_000
    evidence = Evidence()
    for _ in range(windows):
        evidence = evidence.after(random.random(20).tolist())
        if evidence.alarms(365):
            alarms += 1
            evidence = Evidence()
    assert alarms <= windows / 365 + 3 * np.sqrt(windows / 365)
    delays = []
    for _ in range(40):
        evidence = Evidence()
        while not evidence.alarms(365):
            p_values = random.random(20)
            p_values[0] = scipy.stats.norm.sf(random.normal() + 1.5)
            evidence = evidence.after(p_values.tolist())
        delays.append(evidence.windows)
    assert np.median(delays) < 120


def test_no_columns_leave_the_evidence_as_it_is() -> None:
    evidence = Evidence(value=3.0, windows=2)
    assert evidence.after([]) == evidence


@given(st.integers(0, 30), st.integers(31, 200), st.integers(0, 40), st.integers(41, 400))
def test_the_share_of_bad_rows_is_fishers_exact_test(bad: int, n: int, usual: int, m: int) -> None:
    expected = scipy.stats.hypergeom.sf(bad - 1, n + m, bad + usual, n)
    assert upper_tail(bad, n, usual, m) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.integers(0, 40), st.floats(0.01, 20))
def test_unseen_levels_are_counted_by_poisson(found: int, expected: float) -> None:
    tail = scipy.stats.poisson.sf(found - 1, expected)
    assert poisson_tail(found, expected) == pytest.approx(tail, rel=1e-3, abs=1e-9)


def test_figures_read_as_people_write_them() -> None:
    assert [number(x) for x in (4404.2, 0.2731, 0.0000123, 0, 65.4, -1500)] == [
        "4,404",
        "0.273",
        "1.2e-05",
        "0",
        "65.4",
        "-1,500",
    ]
    assert [share(x) for x in (0, 0.0004, 0.054, 0.07, 0.934)] == [
        "0 %",
        "below 0.1 %",
        "5.4 %",
        "7 %",
        "93 %",
    ]
    assert (odds(0.999), odds(0.99)) == ("999 of 1,000", "99 of 100")
