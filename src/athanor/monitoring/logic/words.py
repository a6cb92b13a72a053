"""Figures as people read them."""

import math

_FEW = 1000
_SMALL = 0.001


def number(value: float) -> str:
    """A value of a column: 4,404 or 0.273 or 1.2e-05."""
    if not math.isfinite(value):
        return str(value)
    if value == 0 or abs(value) >= _FEW:
        return f"{value:,.0f}"
    if abs(value) < _SMALL:
        return f"{value:.2g}"
    return f"{value:.3g}"


def share(value: float) -> str:
    """A share of 0 to 1 as per cent: 7 %, 0.4 %, below 0.1 %."""
    percent = 100 * value
    if percent == 0:
        return "0 %"
    if percent < 0.1:
        return "below 0.1 %"
    if percent < 10:
        return f"{percent:.1f} %".replace(".0 %", " %")
    return f"{percent:.0f} %"


def odds(level: float) -> str:
    """A probability near 1 as healthy windows: 0.999 is `999 of 1,000`."""
    if level >= 1:
        return "all"
    of = round(1 / (1 - level))
    return f"{of - 1:,} of {of:,}"
