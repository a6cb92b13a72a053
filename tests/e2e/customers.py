"""A small table of one's own: customers who leave, and, later, customers who leave differently."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TARGET = "churned"
ID = "customer"

Row = dict[str, Any]


def customers(count: int, *, seed: int, first_id: int = 1, later: bool = False) -> list[Row]:
    """Rows with mixed columns, some missing, and a label that can be learnt.

    `later` customers spend twice as much (a shift of `spend` alone), and leave for another reason.
    """
    source = np.random.default_rng(seed)
    age = source.integers(18, 80, count)
    visits = source.poisson(6, count)
    spend = np.round(source.lognormal(4.0, 0.4, count) * (2.2 if later else 1.0), 2)
    plan = source.choice(["basic", "plus", "family"], count, p=[0.5, 0.3, 0.2])
    city = source.choice(["Graz", "Linz", "Wien"], count)
    rest = (visits - 6) / 2.4
    risk = 1.6 * (age - 49) / 18 - 0.3 * rest if later else -2.0 * rest + 0.8 * (plan == "basic")
    gone = source.random(count) < 1 / (1 + np.exp(-2.5 * (risk - 0.6)))
    unknown = source.random(count) < 0.05
    return [
        {
            ID: f"c{first_id + n:06d}",
            "age": int(age[n]),
            "visits": int(visits[n]),
            "spend": float(spend[n]),
            "plan": str(plan[n]),
            "city": "" if unknown[n] else str(city[n]),
            TARGET: "yes" if gone[n] else "no",
        }
        for n in range(count)
    ]


def write(path: Path, rows: Sequence[Row], columns: Iterable[str] = ()) -> Path:
    """A CSV file with a header."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns) or list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def asked(rows: Iterable[Row]) -> list[Row]:
    """The rows as one asks about them: without the label, and with nothing for what is missing."""
    return [
        {name: (None if value == "" else value) for name, value in row.items() if name != TARGET}
        for row in rows
    ]
