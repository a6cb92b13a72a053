"""The statistics against other implementations of them, and against what they promise."""

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from athanor.monitoring.logic import measures

COUNTS = arrays(np.int64, 8, elements=st.integers(0, 500)).filter(lambda counts: counts.sum() > 0)


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys_and_a_distance(left: np.ndarray, right: np.ndarray) -> None:
    ours = float(measures.jensen_shannon(left, right))
    assert ours == pytest.approx(scipy.spatial.distance.jensenshannon(left, right), abs=1e-7)
    assert ours == pytest.approx(float(measures.jensen_shannon(right, left)), abs=1e-12)
    assert 0 <= ours <= np.sqrt(np.log(2)) + 1e-12
    assert float(measures.jensen_shannon(left, 3 * left)) == pytest.approx(0, abs=1e-7)


@given(COUNTS, COUNTS)
def test_chi_squared_is_scipys(left: np.ndarray, right: np.ndarray) -> None:
    table = np.stack([left, right])[:, left + right > 0]
    if table.shape[1] < 2:
        assert float(measures.chi_squared(left, right)) == pytest.approx(0, abs=1e-9)
        return
    expected = scipy.stats.chi2_contingency(table, correction=False).statistic
    assert float(measures.chi_squared(left, right)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_anderson_darling_is_scipys_up_to_its_normalisation(seed: int) -> None:
    random = np.random.default_rng(seed)
    left, right = random.integers(0, 12, 60), random.integers(2, 14, 45)
    counts = [np.bincount(side, minlength=14) for side in (left, right)]
    ours = float(measures.anderson_darling(*counts))
    # The same formula as it stands in the paper: a loop over samples and distinct values.
    assert ours == pytest.approx(_by_the_paper(left, right), rel=1e-9)


def _by_the_paper(left: np.ndarray, right: np.ndarray) -> float:
    pooled = np.concatenate([left, right])
    total, statistic = pooled.size, 0.0
    for sample in (left, right):
        inner = 0.0
        for value in np.unique(pooled):
            ties = (pooled == value).sum()
            below = (pooled < value).sum() + ties / 2
            mine = (sample < value).sum() + (sample == value).sum() / 2
            room = below * (total - below) - total * ties / 4
            inner += ties / total * (total * mine - sample.size * below) ** 2 / room
        statistic += inner / sample.size
    return float(statistic * (total - 1) / total)


@given(COUNTS)
def test_equal_histograms_are_no_distance_apart(counts: np.ndarray) -> None:
    centres = np.arange(counts.size, dtype=float)
    for value in (
        measures.chi_squared(counts, counts),
        measures.anderson_darling(counts, counts),
        measures.stability_index(counts, counts),
        measures.wasserstein(counts, counts, centres),
    ):
        assert float(value) == pytest.approx(0, abs=1e-9)


def test_the_earth_movers_distance_of_a_shift_is_the_shift() -> None:
    left, right = np.array([10, 0, 0, 0]), np.array([0, 0, 0, 10])
    centres = np.array([0.0, 1.0, 5.0, 7.5])
    assert float(measures.wasserstein(left, right, centres)) == pytest.approx(7.5)


def test_many_pairs_are_measured_as_each_alone() -> None:
    random = np.random.default_rng(0)
    left, right = random.integers(0, 50, (2, 30, 9))
    for measure in (
        measures.jensen_shannon,
        measures.chi_squared,
        measures.anderson_darling,
        measures.stability_index,
    ):
        together = measure(left, right)
        alone = [float(measure(a, b)) for a, b in zip(left, right, strict=True)]
        np.testing.assert_allclose(together, alone)


def test_empty_histograms_give_figures_and_no_warning() -> None:
    nothing, some = np.zeros(4, dtype=np.int64), np.array([1, 2, 3, 4])
    for measure in (measures.jensen_shannon, measures.chi_squared, measures.anderson_darling):
        assert np.isfinite(measure(nothing, some))
