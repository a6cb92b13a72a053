"""Wall clocks of time zones in SQL, by Python's own table of offsets.

DuckDB has a table of its own (ICU's), which is of another day than the one that pandas and serving
read: a zone whose law changed between the two would stand an hour apart. So the SQL form asks no
table: the offsets stand in it, as a tree of comparisons up to the year from which on a zone keeps
to one rule, and as the rule from then on, one for each of the fourteen kinds of years.
"""

import zoneinfo
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

_DAY = 86_400
_FIRST, _LAST = 1830, 2129
"""No zone had a law before the one; what zones do in the years before the other they do forever."""
_KINDS = range(2101, 2129)
"""Years of every kind: by the weekday of their first day, and with a leap day or without."""
_EPOCH = datetime(1970, 1, 1)
_MICRO = 1_000_000
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds of the years 1 to 9999."""
_SHORT = 100

Change = tuple[int, int]
"""When, in seconds, and the offset from then on, in seconds east of UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsets:
    """What a zone's clocks are ahead of UTC by."""

    first: int
    changes: tuple[Change, ...]
    """By seconds since 1970, until `since`."""
    since: int
    """The year from which on the rule holds."""
    rule: dict[int, tuple[int, tuple[Change, ...]]]
    """Of each kind of year the offset that it begins with, and changes by seconds since then."""


@cache
def offsets_of(zone: str) -> Offsets:
    """The offsets of a zone of Python's table.

    Raises: ValueError, KeyError or OSError where there is none.
    """
    first, changes = _sampled(zone)
    times = [time for time, _ in changes]

    def of_year(year: int) -> tuple[int, tuple[Change, ...]]:
        begin, end = _begin(year), _begin(year + 1)
        low, high = bisect_right(times, begin), bisect_right(times, end - 1)
        before = changes[low - 1][1] if low else first
        return before, tuple((time - begin, offset) for time, offset in changes[low:high])

    rule = {_kind(year): of_year(year) for year in _KINDS}
    since = _KINDS[0]
    while since > _FIRST and of_year(since - 1) == rule[_kind(since - 1)]:
        since -= 1
    # Around its first moment a year of the rule has one offset, whichever clock is looked at.
    while any(abs(time - _begin(since)) < 2 * _DAY for time in times):
        since += 1
    early = tuple(change for change in changes if change[0] < _begin(since))
    return Offsets(first=first, changes=early, since=since, rule=rule)


def in_zone_sql(instant: str, zone: str) -> str:
    """The wall clock at an instant, a TIMESTAMP in UTC; missing outside of the years 1 to 9999."""
    return _bound(instant, lambda time: _moved(time, offsets_of(zone), wall=False))


def from_zone_sql(wall: str, zone: str) -> str:
    """The instant in UTC of a wall clock's time, the later one where there are two.

    Up to the end of a gap the offset before it holds, which is what a clock shows that nobody set.
    """
    return _bound(wall, lambda time: _moved(time, offsets_of(zone), wall=True))


def _bound(time: str, made: Callable[[str], str]) -> str:
    """SQL that names a time often: long ones are worked out before, which is slower to run."""
    if len(time) <= _SHORT:
        return made(time)
    return f"list_transform([{time}], lambda t: {made('t')})[1]"


def _moved(time: str, found: Offsets, *, wall: bool) -> str:
    sign = -1 if wall else 1
    first, (begins, changes) = found.first, found.rule[_kind(9999)]
    last = changes[-1][1] if changes else begins
    low, high = _EARLIEST - sign * first * _MICRO, _LATEST - sign * last * _MICRO
    tree = _tree(time, found, wall=int(wall))
    later = f"{time} {'-' if wall else '+'} to_seconds({tree})"
    return f"CASE WHEN epoch_us({time}) BETWEEN {low} AND {high} THEN {later} END"


def _sampled(zone: str) -> tuple[int, list[Change]]:
    """All changes, found by looking at each day: none is undone on the day that it is made."""
    clock = zoneinfo.ZoneInfo(zone)

    def offset(second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, clock).utcoffset()

    begin = _begin(_FIRST)
    first = before = offset(begin)
    changes = []
    for day in range(begin + _DAY, _begin(_LAST), _DAY):
        after = offset(day)
        if after != before:
            low, high = day - _DAY, day
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            changes.append((high, _seconds(after)))
            before = after
    return _seconds(first), changes


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset // timedelta(seconds=1)


def _begin(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _kind(year: int) -> int:
    return 10 * datetime(year, 1, 1).isoweekday() + datetime(year, 12, 31).isoweekday()


def _tree(time: str, found: Offsets, *, wall: int) -> str:
    """The offset at a time; `wall` is 1 where that is a wall clock's, else 0."""

    def at(second: int) -> str:
        return f"TIMESTAMP '{_EPOCH + timedelta(seconds=second)}'"

    changes = [(at(second + wall * after), after) for second, after in found.changes]
    early = _split(found.first, changes, time)
    rules = {kind: _within(time, told, wall) for kind, told in found.rule.items()}
    late = next(iter(rules.values()))
    if len(set(rules.values())) > 1:
        told = " ".join(f"WHEN {kind} THEN {rule}" for kind, rule in sorted(rules.items()))
        days = [f"isodow(make_date(year({time}), {day}))" for day in ("1, 1", "12, 31")]
        late = f"CASE 10 * {days[0]} + {days[1]} {told} END"
    if early == late:
        return early
    return f"CASE WHEN year({time}) < {found.since} THEN {early} ELSE {late} END"


def _within(time: str, told: tuple[int, Sequence[Change]], wall: int) -> str:
    first, changes = told
    passed = f"epoch_us({time}) - epoch_us(date_trunc('year', {time}))"
    parts = [(f"{(second + wall * after) * _MICRO}", after) for second, after in changes]
    return _split(first, parts, passed)


def _split(first: int, changes: Sequence[tuple[str, int]], what: str) -> str:
    """A tree of comparisons as deep as the logarithm of the number of changes."""
    if not changes:
        return str(first)
    middle = len(changes) // 2
    place, after = changes[middle]
    low, high = _split(first, changes[:middle], what), _split(after, changes[middle + 1 :], what)
    return f"CASE WHEN {what} < {place} THEN {low} ELSE {high} END"
