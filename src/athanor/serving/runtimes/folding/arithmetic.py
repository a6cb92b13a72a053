"""What generated programs call. Its text is copied into them, so that they need no other file."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from math import (
    acosh,
    asinh,
    cbrt,
    copysign,
    cos,
    exp,
    exp2,
    expm1,
    fabs,
    inf,
    isnan,
    log,
    log1p,
    log2,
    log10,
    nan,
    sin,
    sqrt,
    tanh,
)
from statistics import NormalDist

_PLAIN = {
    "log": log,
    "log1p": log1p,
    "log2": log2,
    "log10": log10,
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "sqrt": sqrt,
    "cbrt": cbrt,
    "abs": fabs,
    "sin": sin,
    "cos": cos,
    "tanh": tanh,
    "asinh": asinh,
    "acosh": acosh,
}
_POLES = {"log": 0.0, "log2": 0.0, "log10": 0.0, "log1p": -1.0}
_NORMAL = NormalDist()
_LEAST = 1e-7


def apply(name: str, value: float) -> float:
    """A function of one number, as numpy has it: NaN outside of where it is defined."""
    if name == "square":
        return value * value
    if name == "negative":
        return -value
    if name == "sign":
        return value if isnan(value) or value == 0.0 else copysign(1.0, value)
    if name == "reciprocal":
        return 1.0 / value if value != 0.0 else copysign(inf, value)
    try:
        return _PLAIN[name](value)
    except ValueError:
        return -inf if value == _POLES.get(name) else nan
    except OverflowError:
        return inf


def yeo_johnson(value: float, power: float) -> float:
    """As scipy.stats.yeojohnson with a known power."""
    if value >= 0.0:
        return log1p(value) if power == 0.0 else apply("expm1", power * log1p(value)) / power
    if value < 0.0:
        if power == 2.0:
            return -log1p(-value)
        return -apply("expm1", (2.0 - power) * log1p(-value)) / (2.0 - power)
    return nan


def box_cox(value: float, power: float) -> float:
    """As scipy.special.boxcox; NaN where the value is not positive."""
    if not value > 0.0:
        return nan
    return log(value) if power == 0.0 else apply("expm1", power * log(value)) / power


def interpolate(
    value: float, quantiles: Sequence[float], references: Sequence[float], *, normal: bool
) -> float:
    """As scikit-learn's QuantileTransformer."""
    if isnan(value):
        return nan
    low, high = quantiles[0], quantiles[-1]
    if (value + _LEAST > high) if normal else value == high:
        found = 1.0
    elif (value - _LEAST < low) if normal else value == low:
        found = 0.0
    else:
        upper = _between(value, quantiles, references, bisect_right(quantiles, value) - 1)
        lower = _between(value, quantiles, references, bisect_left(quantiles, value) - 1)
        found = 0.5 * (upper + lower)
    if not normal:
        return found
    least = _LEAST - 2.220446049250313e-16
    return _NORMAL.inv_cdf(min(max(found, least), 1.0 - least))


def _between(value: float, xs: Sequence[float], ys: Sequence[float], place: int) -> float:
    if place < 0:
        return ys[0]
    if place >= len(xs) - 1:
        return ys[-1]
    slope = (ys[place + 1] - ys[place]) / (xs[place + 1] - xs[place])
    return slope * (value - xs[place]) + ys[place]


class Words:
    """Counts and weighs a text's terms."""

    def __init__(self, vocabulary: Mapping[str, int], settings: Mapping[str, object]) -> None:
        self._vocabulary = vocabulary
        self._find = re.compile(str(settings["pattern"])).findall
        runs: Sequence[int] = settings["words"]  # type: ignore[assignment]
        self._low, self._high = runs[0], runs[1]
        self._lowercase = bool(settings["lowercase"])
        self._stops = frozenset(settings["stops"])  # type: ignore[call-overload]
        self._binary, self._sublinear = bool(settings["binary"]), bool(settings["sublinear"])
        self._idf: Sequence[float] = settings["idf"]  # type: ignore[assignment]
        self._norm = settings["norm"]

    def __call__(self, text: str) -> dict[int, float]:
        """The weights of the terms that it holds, by their place."""
        found = self._find(text.lower() if self._lowercase else text)
        if self._stops:
            found = [word for word in found if word not in self._stops]
        counts: dict[int, float] = {}
        for term in found if self._high == 1 else self._runs(found):
            place = self._vocabulary.get(term)
            if place is not None:
                counts[place] = counts.get(place, 0.0) + 1.0
        if self._binary:
            counts = dict.fromkeys(counts, 1.0)
        if self._sublinear:
            counts = {place: log(count) + 1.0 for place, count in counts.items()}
        if self._idf:
            counts = {place: count * self._idf[place] for place, count in counts.items()}
        if self._norm == "l2":
            whole = sqrt(sum([count * count for count in counts.values()]))
        else:
            whole = sum(map(fabs, counts.values())) if self._norm == "l1" else 0.0
        return {place: count / whole for place, count in counts.items()} if whole else counts

    def _runs(self, words: list[str]) -> list[str]:
        runs: list[str] = []
        for size in range(self._low, min(self._high, len(words)) + 1):
            runs += [" ".join(words[at : at + size]) for at in range(len(words) - size + 1)]
        return runs
