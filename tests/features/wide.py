"""Wider random cases of the rules R1 to R12: many views, types, and ways to write one instant."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.features.work.build import build
from athanor.features.work.join import joined

Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WORDS = ["", "x", "é", "e\u0301", "\U0001f600", "a\x00b", "a\nb", "null", "\u202e", " x", "x "]
KEYS: dict[str, tuple[str, list[Any]]] = {
    "id": ("integer", [0, -1, (1 << 63) - 1, -(1 << 63), 7]),
    "word": ("text", WORDS[:6]),
    "flag": ("boolean", [True, False]),
    "day": ("date", [date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31)]),
}
FEATURES: dict[str, list[Any]] = {
    "integer": [0, -1, (1 << 63) - 1, -(1 << 63), (1 << 53) + 1],
    "number": [0.1, -0.0, 5e-324, 1.7e308, float("inf"), Decimal("12345678.91"), Decimal("-0.29")],
    "text": WORDS,
    "boolean": [True, False],
    "date": [date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)],
    "timestamp": [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)],
    "vector": [[], [1.5, -2.0], [0.0] * 3],
}
ARROW: dict[str, pa.DataType] = {
    "integer": pa.int64(), "text": pa.string(), "boolean": pa.bool_(), "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"), "vector": pa.list_(pa.float64()),
}  # fmt: skip
BASES = {
    "old": datetime(2, 1, 1, tzinfo=UTC),
    "before": datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
    "summer": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    "far": datetime(9998, 12, 31, tzinfo=UTC),
}
"""`summer`: the hour in which clocks of Berlin go back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    name: str
    keys: list[str]
    features: dict[str, str]
    """Type by name."""
    rows: list[Row]
    pushed: int
    created: bool
    ttl: float
    written: str
    """How event times are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wide:
    views: list[View]
    spine: list[Row]
    keys: list[str]
    written: str
    known_at: bool


def wide_case(seed: int) -> Wide:
    chance = random.Random(seed)
    base = chance.choice(list(BASES.values()))
    span = chance.choice([4, 60, 7_200])
    keys = chance.sample(list(KEYS), chance.randrange(1, 4))

    def moment() -> datetime:
        return base + timedelta(seconds=chance.randrange(span), microseconds=chance.choice([0, 1]))

    def key(names: list[str], gaps: float) -> Row:
        return {
            name: None if chance.random() < gaps else chance.choice(KEYS[name][1][:3])
            for name in names
        }

    def view(number: int) -> View:
        own = sorted(chance.sample(keys, chance.randrange(1, len(keys) + 1)))
        names = {f"f{place}": kind for place, kind in
                 enumerate(chance.sample(list(FEATURES), chance.randrange(1, 4)))}  # fmt: skip
        created = chance.random() < 0.5
        rows = []
        for _ in range(chance.choice([0, 1, 5, 30])):
            row = key(own, 0.1) | {"event": None if chance.random() < 0.05 else moment()}
            if created:
                row["created"] = None if chance.random() < 0.2 else moment()
            for name, kind in names.items():
                row[name] = None if chance.random() < 0.2 else chance.choice(FEATURES[kind])
            rows.append(row)
            if chance.random() < 0.1:
                rows.append(dict(row))  # the same event once more
        return View(
            name=f"v{number}", keys=own, features=names, rows=rows, created=created,
            pushed=chance.randrange(len(rows) + 1) if chance.random() < 0.4 else 0,
            ttl=chance.choice([0, 1, 2.5, 3_600, 1e9]), written=chance.choice(list(WRITTEN)),
        )  # fmt: skip

    return Wide(
        views=[view(number) for number in range(chance.randrange(4))],
        spine=[key(keys, 0.1) | {"at": moment()} for _ in range(chance.choice([0, 1, 9]))],
        keys=keys,
        written=chance.choice(list(WRITTEN)),
        known_at=chance.random() < 0.7,
    )


def _column(kind: str, times: list[Any]) -> pa.Array:
    return pa.array(times, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", kind))


def _texts(times: list[Any]) -> pa.Array:
    offsets = [timezone(timedelta(hours=hours)) for hours in (0, 2, -5)]
    return pa.array(
        [None if at is None else at.astimezone(offsets[place % 3]).isoformat()
         for place, at in enumerate(times)], pa.string()
    )  # fmt: skip


WRITTEN: dict[str, Callable[[list[Any]], pa.Array]] = {
    "utc": lambda times: pa.array(times, pa.timestamp("us", "UTC")),
    "naive": lambda times: pa.array(times, pa.timestamp("us", "UTC")).cast(pa.timestamp("us")),
    "berlin": lambda times: _column("Europe/Berlin", times),
    "kiritimati": lambda times: _column("Pacific/Kiritimati", times),
    "text": _texts,
}


def answer(view: View, wanted: Row, *, known_at: bool) -> Row:
    """The row that the rules choose, its features alone."""
    best: tuple[Any, Row] | None = None
    for order, row in enumerate(view.rows):
        if any(wanted[name] is None or row[name] != wanted[name] for name in view.keys):
            continue
        event, created = row["event"], row.get("created")
        if event is None or event > wanted["at"]:
            continue
        if view.ttl and wanted["at"] - event > timedelta(seconds=view.ttl):
            continue
        if view.created and known_at and created is not None and created > wanted["at"]:
            continue
        rank = (event, created or datetime.min.replace(tzinfo=UTC), order)
        if best is None or rank > best[0]:
            best = (rank, row)
    chosen = best[1] if best else {}
    return {f"{view.name}.{name}": _told(chosen.get(name)) for name in view.features}


def by_rules(case: Wide) -> list[Row]:
    return [
        {name: value for view in case.views
         for name, value in answer(view, wanted, known_at=case.known_at).items()}
        for wanted in case.spine
    ]  # fmt: skip


def by_us(case: Wide, folder: Path) -> list[Row]:
    views = [_built(view, folder, known_at=case.known_at) for view in case.views]
    columns = {name: pa.array([row[name] for row in case.spine], ARROW[KEYS[name][0]])
               for name in case.keys}  # fmt: skip
    columns["at"] = WRITTEN[case.written]([row["at"] for row in case.spine])
    names = [name for view in views for _, _, name in view["wanted"]]
    task = {"at": "at", "views": views, "on_demand": [], "columns": names}
    made = joined(pa.table(columns), task)
    assert made.num_rows == len(case.spine)
    assert made.column_names == [*columns, *names]
    if not names:
        return [{} for _ in case.spine]
    rows = made.select(names).to_pylist()
    return [{name: _told(row[name]) for name in names} for row in rows]


def _built(view: View, folder: Path, *, known_at: bool) -> Row:
    kept = view.rows[: len(view.rows) - view.pushed]
    columns = {name: pa.array([row[name] for row in kept], ARROW[KEYS[name][0]])
               for name in view.keys}  # fmt: skip
    columns["event"] = WRITTEN[view.written]([row["event"] for row in kept])
    if view.created:
        columns["created"] = WRITTEN["utc"]([row["created"] for row in kept])
    for name, kind in view.features.items():
        columns[name] = _feature(kind, [row[name] for row in kept])
    source = folder / f"{view.name}.parquet"
    pq.write_table(pa.table(columns), source)
    task = {
        "view": view.name, "name": view.name, "number": 1, "bounds": [],
        "keys": [{"name": name, "type": KEYS[name][0]} for name in view.keys],
        "event_time": "event", "created_time": "created" if view.created else "",
        "features": [{"name": name, "type": kind} for name, kind in view.features.items()],
        "tests": [], "history": "", "pending": [], "pushes_only": False,
        "scratch": str(folder / view.name), "source": {"kind": "files", "files": [str(source)]},
    }  # fmt: skip
    (folder / view.name).mkdir()
    pending = [
        {"version": 1, "seq": place, "row": {name: _plain(value) for name, value in row.items()}}
        for place, row in enumerate(view.rows[len(kept) :])
    ]
    return task | {
        "file": build(task)["path"],
        "pending": pending,
        "source": {"kind": "push"},
        "ttl": round(view.ttl * 1_000_000),
        "known_at": known_at,
        "wanted": [[name, kind, f"{view.name}.{name}"] for name, kind in view.features.items()],
    }


def _feature(kind: str, values: list[Any]) -> pa.Array:
    if kind == "number" and any(isinstance(value, Decimal) for value in values):
        if all(value is None or isinstance(value, Decimal) for value in values):
            return pa.array(values, pa.decimal128(18, 2))
        values = [_number(value) for value in values]
    return pa.array(values, ARROW.get(kind, pa.float64()))


def _told(value: Any) -> str:
    """A value so that equal ones alone are equal: -0.0 is not 0.0, nor True 1."""
    plain = _number(value)
    return repr(plain.astimezone(UTC).isoformat() if isinstance(plain, datetime) else plain)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else _number(value)
