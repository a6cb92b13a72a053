"""Shares of the traffic on the command line: percents in, percents out."""

from athanor.kernel.errors import Invalid

_ALL = 100.0


class OptionUnreadable(Invalid):
    """An option that does not say what it must."""

    def __init__(self, option: str, value: str, form: str) -> None:
        super().__init__(f"{option} can't be {value!r}.", hint=f"Give it as {form}.")


def part_of(option: str, text: str | None) -> float | None:
    """The share, 0 to 1, that `10`, `10%` or `0.5%` says.

    A bare number between 0 and 1 is refused: whoever writes 0.1 may mean a tenth.
    Raises: OptionUnreadable.
    """
    if text is None:
        return None
    told = text.strip()
    try:
        percent = float(told.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if 0 < percent < 1 and not told.endswith("%"):
        as_share, as_percent = percent * _ALL, f"{told}%"
        form = f"percents: {as_share:g} for that part of 1, {as_percent} for less than a hundredth"
        raise OptionUnreadable(option, text, form)
    if not 0 <= percent <= _ALL:
        raise OptionUnreadable(option, text, "percents, 0 to 100: 10 for a tenth")
    return percent / _ALL


def percent(share: float) -> str:
    """A share, 0 to 1, in percents, with as many digits as tell it from nothing and from all."""
    whole = share * _ALL
    if 1 <= whole <= _ALL - 1:
        return f"{whole:.1f}".removesuffix(".0") + "%"
    return f"{whole:.3g}%" if whole < 1 else f"{whole:.6g}%"
