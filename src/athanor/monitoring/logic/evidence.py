"""Evidence over time: small changes that no single window shows add up.

An e-value is a bet against "nothing has changed" whose expected gain is nothing while that is so.
The detector adds up the bets that started at each window so far (Shin, Ramdas and Rinaldo,
"E-detectors", 2203.03532). It alarms when they reach A; while nothing changes, alarms are A windows
or more apart on average, whatever the data look like.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LEAST = 1e-6
"""Smaller p-values are cut here: no single window may decide by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What has been gathered since the reference was set."""

    value: float = 0.0
    windows: int = 0

    def after(self, p_values: Sequence[float]) -> "Evidence":
        """With one more window, whose p-values (one a column) may depend on each other.

        Each must be valid given the earlier windows: compare with the reference and all earlier
        windows pooled.
        """
        if not p_values:
            return self
        bet = sum(bet_against(p) for p in p_values) / len(p_values)
        return Evidence(value=(1.0 + self.value) * bet, windows=self.windows + 1)

    def alarms(self, windows_between: float) -> bool:
        """Whether to alarm when false alarms may come once in `windows_between` on average."""
        return self.value >= windows_between


def bet_against(p_value: float) -> float:
    """The e-value of a p-value: the mixture of all power calibrators (Vovk and Wang 2021).

    What is cut off at the smallest p-value is given to the others, so that the mean stays 1.
    """
    return _mixture(min(max(p_value, _LEAST), 1.0)) / _MEAN


def _mixture(p: float) -> float:
    if p > 1 - 1e-4:  # the limit at 1, where the formula is 0 / 0
        return 0.5
    logarithm = math.log(p)
    return (1 - p + p * logarithm) / (p * logarithm**2)


# The mixture's integral from 0 to p is (1 - p) / -ln p.
_MEAN = 1 + (1 - _LEAST) / math.log(_LEAST) + _LEAST * _mixture(_LEAST)
