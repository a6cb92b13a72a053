"""Lengths of time in words."""

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def span(seconds: float) -> str:
    """Seconds as `90 d`, `1.5 h`, `4 min` or `12 s`: to one decimal, in the largest unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:,.3g} s"
