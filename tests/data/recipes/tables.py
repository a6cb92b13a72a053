"""Random tables on which every operation's three forms are compared."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.types.recipes import Step
from athanor.data.work.recipes import Kitchen, Table, Work, by_pandas, by_rows, normal

_NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 0.5, 1.5, 1e-300, 5e-324, 1e308, -1e308, 1e15 + 0.5,
            4503599627370497.0, 9.3e18, 0.1, 2.675, 1e21, 123456.789, float("nan"), float("inf"),
            float("-inf")]  # fmt: skip
_WHOLES = [0, 1, 2, 3, -1, 7, (1 << 63) - 1, -(1 << 63), 1 << 53, (1 << 53) + 1, 10**18, -5]
_WORDS = ["a", "b", "c", "é", "n/a", ""]
_TEXTS = ["a b", "Ärger é", "İstanbul ß", "", "  x  y ", "abc\n", "de 12", "N/A", "x", "1.5", "ﬁ",
          "日本 語", "a\u0301", "tab\tx", "line\nend", "O'Brien \"q\" \\1", "Zoë", "ᾳ", "Ø-å_1",
          "\u00a0nbsp\u00a0", "X9", "abcdefghij klm"]  # fmt: skip
_DIGITS = ["1", " 2 ", "-3.5", "1e3", "abc", "", "+7", "00012", "9223372036854775808", "1e999",
           "yes", "No", "TRUE", ".5", "5.", "1_0", "0x10", "t", "inf", "٣"]  # fmt: skip
_STAMPS = ["01.02.99 10:30", "31.02.99 10:30", "1.1.68 00:00", "29.02.69 23:59", "x",
           "2021-dec-31 23:59:59.123456", "",
           "2020-01-02 03:04:05", "2020-01-02T03:04:05.5", "0000-01-01", " 2020-02-29 ",
           "2020-01-31", "2020-Feb-03 04:05:06.7"]  # fmt: skip
_TIMES = [
    datetime(1, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime(2024, 2, 29, 12, 30),
    datetime(2024, 3, 31, 2, 30),
    datetime(2024, 10, 27, 2, 30),
    datetime(1969, 12, 31, 23, 59, 59, 1),
    datetime(2020, 12, 31, 23, 59, 59, 500000),
    datetime(2021, 1, 1),
    datetime(1900, 1, 1),
    datetime(2000, 1, 31, 5, 6, 7, 8),
]  # fmt: skip


def _drawn(chance: random.Random, values: list[Any], usual: Any, *, missing: float = 0.2) -> Any:
    if chance.random() < missing:
        return None
    return chance.choice(values) if chance.random() < 0.4 else usual()


def random_table(seed: int, rows: int) -> pa.Table:
    """A table of every kind, with ties, missing cells and extremes."""
    chance = random.Random(seed)

    def time() -> datetime:
        return datetime(1950, 1, 1) + timedelta(microseconds=chance.randrange(3 * 10**15))

    cells: list[dict[str, Any]] = [
        {
            "key": chance.randrange(4),
            "whole": _drawn(chance, _WHOLES, lambda: chance.randrange(-50, 50)),
            "number": _drawn(chance, _NUMBERS, lambda: round(chance.gauss(0, 20), 3)),
            "other": _drawn(chance, _NUMBERS, lambda: chance.gauss(0, 1)),
            "flag": chance.choice([True, False, None]),
            "word": _drawn(chance, _WORDS, lambda: chance.choice("abc")),
            "text": _drawn(chance, _TEXTS, lambda: chance.choice(_TEXTS)),
            "digits": _drawn(chance, _DIGITS, lambda: str(chance.randrange(100))),
            "stamp": _drawn(chance, _STAMPS, lambda: chance.choice(_STAMPS)),
            "day": _drawn(chance, [t.date() for t in _TIMES], lambda: time().date()),
            "day2": _drawn(chance, [date(2020, 2, 29)], lambda: time().date()),
            "at": _drawn(chance, _TIMES, time),
            "instant": _drawn(
                chance, [t.replace(tzinfo=UTC) for t in _TIMES], lambda: time().replace(tzinfo=UTC)
            ),
        }
        for _ in range(rows)
    ]
    schema = pa.schema([
        ("key", pa.int32()), ("whole", pa.int64()), ("number", pa.float64()),
        ("other", pa.float64()), ("flag", pa.bool_()), ("word", pa.string()),
        ("text", pa.string()), ("digits", pa.string()), ("stamp", pa.string()),
        ("day", pa.date32()), ("day2", pa.date32()), ("at", pa.timestamp("us")),
        ("instant", pa.timestamp("us", "UTC")),
    ])  # fmt: skip
    return pa.Table.from_pylist(cells, schema)


def second_table(seed: int) -> pa.Table:
    """Another table, for joins and unions."""
    chance = random.Random(seed + 1)
    return pa.table({
        "word": pa.array([chance.choice(["a", "b", "b", "zz", None]) for _ in range(7)]),
        "key": pa.array([chance.randrange(4) for _ in range(7)], pa.int64()),
        "points": pa.array([chance.random() for _ in range(7)]),
        "number": pa.array([chance.choice([1.5, None]) for _ in range(7)]),
    })  # fmt: skip


def kitchen(folder: Path, steps: list[Step], table: pa.Table, other: pa.Table) -> Kitchen:
    """A recipe on tables that are written into a folder."""
    pq.write_table(table, folder / "first.parquet")
    pq.write_table(other, folder / "second.parquet")
    return Kitchen(
        Work(
            steps=tuple(steps),
            table=Table(name="first@1", files=(str(folder / "first.parquet"),)),
            others={"second": Table(name="second@1", files=(str(folder / "second.parquet"),))},
            learned={},
        )
    )


def three_forms(made: Kitchen) -> tuple[pa.Table, pa.Table, pa.Table]:
    """What SQL, pandas and the row-by-row form make of it."""
    with made:
        steps = made.steps()
        after = steps[-1].after if steps else made.schema
        sql = normal(made.connection.sql(made.query(steps)).to_arrow_table(), after)
        pandas = normal(by_pandas(made, steps), after)
        return sql, pandas, normal(by_rows(made, sql), after)


def same(first: pa.Table, second: pa.Table) -> str:
    """The first difference of two tables, or ""."""
    if first.schema != second.schema:
        return f"{first.schema} is not {second.schema}"
    if first.num_rows != second.num_rows:
        return f"{first.num_rows} rows are not {second.num_rows}"
    for name in first.column_names:
        pairs = zip(first[name].to_pylist(), second[name].to_pylist(), strict=True)
        for row, (a, b) in enumerate(pairs):
            if a != b or str(a) != str(b):
                return f"{name}, row {row}: {a!r} is not {b!r}"
    return ""
