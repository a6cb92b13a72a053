"""Wall clocks in SQL are those of Python's table, in all zones and at all instants."""

import random
import zoneinfo
from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pytest

from athanor.data.logic.recipes import scalars, zones

_EPOCH = datetime(1970, 1, 1)
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
_1900, _2100 = -2_208_988_800, 4_133_980_800
ZONES = ("America/Vancouver", "Australia/Lord_Howe", "UTC")


def _instants(zone: str, count: int) -> list[datetime]:
    """Around each change of the offset, at the ends of the calendar, and anywhere."""
    found, some = zones.offsets_of(zone), random.Random(zone)
    near = (-3600, -1, 0, 1800, 3599) if count > 100 else (-1, 0)
    seconds = [at + aside for at, after in found.changes for aside in (*near, after, after - 1)]
    seconds += [some.randrange(_1900, _2100) for _ in range(count)]
    seconds += [some.randrange(_FIRST, _LAST + 1) for _ in range(count // 4)]
    seconds += [_FIRST + aside for aside in range(0, 86_401, 1800)]
    seconds += [_LAST - aside for aside in range(0, 86_401, 1800)]
    for year in (found.since - 1, found.since, 2037, 2038, 2100, 2400, 9998):
        begin = int((datetime(year, 1, 1) - _EPOCH).total_seconds())
        seconds += [begin + some.randrange(366 * 86_400) for _ in range(count // 10)]
        seconds += [begin + aside for aside in (-86_400, -1, 0, 1, 86_400)]
    return [
        _EPOCH + timedelta(seconds=min(max(at, _FIRST), _LAST), microseconds=some.choice((0, 999)))
        for at in seconds
        if at < _LAST
    ]


def _unlike(names: Sequence[str], count: int) -> list[tuple[str, datetime, object, object]]:
    found: list[tuple[str, datetime, object, object]] = []
    with duckdb.connect() as connection:
        for name in names:
            times = _instants(name, count)
            connection.register("rows", pa.table({"t": [None, *times]}))
            for sql, scalar in (
                (zones.in_zone_sql("t", name), scalars.in_zone),
                (zones.from_zone_sql("t", name), scalars.from_zone),
            ):
                missing, *got = connection.execute(f"SELECT {sql} FROM rows").fetchall()
                assert missing == (None,)
                for time, (cell,) in zip(times, got, strict=True):
                    if cell != scalar(time, name):
                        found.append((name, time, cell, scalar(time, name)))
    return found


def test_wall_clocks_in_sql_are_pythons() -> None:
    assert _unlike(ZONES, 60) == []


@pytest.mark.soak
def test_wall_clocks_in_sql_are_pythons_in_every_zone() -> None:
    assert _unlike(sorted(zoneinfo.available_timezones()), 400) == []


def test_a_long_expression_is_worked_out_once() -> None:
    inner = zones.from_zone_sql('"t"', "Europe/Berlin")
    sql = zones.in_zone_sql(inner, "America/New_York")
    assert sql.count(inner) == 1
    with duckdb.connect() as connection:
        [row] = connection.execute(
            f"SELECT {sql} FROM (SELECT TIMESTAMP '2026-07-01' AS t)"
        ).fetchall()
    assert row == (datetime(2026, 6, 30, 18),)
