"""Judging shares while they are still being counted, as often as one likes.

A canary is looked at after every request, so that a fixed-sample test would cry wolf sooner or
later. The bounds here hold at all times at once: for observations that are 0 or 1, each with the
same chance p given what came before, the ratio of the Jeffreys mixture Beta(1/2, 1/2) to the
likelihood at p is a non-negative martingale that starts at 1. By Ville's inequality it ever reaches
1/alpha with probability at most alpha, so that the p's where it has not are a confidence sequence
(Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences", Annals of Statistics 2021).
"""

import math
from dataclasses import dataclass

_HALVINGS = 40
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How often something was so, and the bounds of how often it is, valid at all times."""

    hits: int
    trials: int
    low: float
    """Lower bound, 0 to 1."""
    high: float
    """Upper bound, 0 to 1."""

    @property
    def rate(self) -> float:
        """The share that was seen; 0 where nothing was."""
        return self.hits / self.trials if self.trials else 0.0


def share(hits: int, trials: int, alpha: float = 0.05) -> Share:
    """The confidence sequence's interval after so many trials; alpha is split over both sides.

    `0 <= hits <= trials`, `0 < alpha < 1`.
    """
    if trials == 0:
        return Share(hits=0, trials=0, low=0.0, high=1.0)
    rate = hits / trials
    limit = math.log(2.0 / alpha)
    low = _edge(hits, trials, limit, inside=rate, outside=0.0) if hits else 0.0
    high = _edge(hits, trials, limit, inside=rate, outside=1.0) if hits < trials else 1.0
    return Share(hits=hits, trials=trials, low=low, high=high)


def _edge(hits: int, trials: int, limit: float, *, inside: float, outside: float) -> float:
    """Where the martingale crosses its limit between a point that it admits and one beyond."""
    misses = trials - hits
    # The martingale's logarithm is the mixture's less the likelihood's.
    least = _log_beta(hits + 0.5, misses + 0.5) - _log_beta(0.5, 0.5) - limit

    def admitted(chance: float) -> bool:
        held = min(max(chance, _SMALLEST), 1 - _SMALLEST)
        return hits * math.log(held) + misses * math.log1p(-held) > least

    if admitted(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if admitted(middle):
            inside = middle
        else:
            outside = middle
    return outside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
