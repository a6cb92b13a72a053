"""The rules R1 to R12 as one loop over all rows, and random cases for them."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.features.work.build import build
from athanor.features.work.join import joined

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    rows: list[Row]
    """In the order of their ingestion; the last `pushed` of them were pushed."""
    pushed: int
    spine: list[Row]
    keys: tuple[str, ...]
    created: bool
    known_at: bool
    ttl: float


def answer(case: Case, wanted: Row) -> Row | None:
    """The row that the rules choose, or None."""
    best: tuple[Any, Row] | None = None
    for order, row in enumerate(case.rows):
        if any(wanted[key] is None or row[key] != wanted[key] for key in case.keys):
            continue
        event = row["event"]
        if event is None or event > wanted["at"]:
            continue
        if case.ttl and event < wanted["at"] - timedelta(seconds=case.ttl):
            continue
        created = row.get("created")
        if case.created and case.known_at and created is not None and created > wanted["at"]:
            continue
        lowest = datetime.min.replace(tzinfo=UTC)
        rank = (event, (created or lowest) if case.created else lowest, order)
        if best is None or rank > best[0]:
            best = (rank, row)
    return None if best is None else best[1]


def random_case(seed: int) -> Case:
    chance = random.Random(seed)
    keys = ("id",) if chance.random() < 0.6 else ("id", "shop")
    texts = chance.random() < 0.4
    span = chance.choice([3, 10, 100])

    def key() -> Row:
        known = chance.choice([1, 2, 3, 7])
        return {"id": f"k{known}" if texts else known, "shop": chance.choice(["a", "b"])}

    def moment() -> datetime:
        return at(chance.randrange(span) + chance.choice([0, 0, 0.000001]))

    created = chance.random() < 0.6
    rows: list[Row] = []
    for _ in range(chance.randrange(0, 25)):
        row = key() | {"event": moment(), "whole": None, "word": None}
        if chance.random() < 0.1:
            row["id"] = None
        if chance.random() < 0.05:
            row["event"] = None
        if created:
            late = timedelta(seconds=chance.randrange(-2, span))
            base = row["event"] or EPOCH
            row["created"] = None if chance.random() < 0.15 else base + late
        if chance.random() < 0.8:
            row["whole"] = chance.choice([0, -1, 1 << 60, chance.randrange(100)])
        if chance.random() < 0.8:
            row["word"] = chance.choice(["x", "", "yy"])
        rows.append(row)
    spine = []
    for _ in range(chance.randrange(1, 12)):
        row = key() | {"at": moment()}
        if chance.random() < 0.1:
            row["id"] = None
        spine.append(row)
    return Case(
        rows=rows,
        pushed=chance.randrange(0, len(rows) + 1) if chance.random() < 0.4 else 0,
        spine=spine,
        keys=keys,
        created=created,
        known_at=chance.random() < 0.5,
        ttl=chance.choice([0, 0, 1, 3.5, 20]),
    )


INSTANT = pa.timestamp("us", "UTC")


def table(rows: list[Row], case: Case, instants: tuple[str, ...]) -> pa.Table:
    texts = any(isinstance(row["id"], str) for row in [*case.rows, *case.spine])
    kinds = {"id": pa.string() if texts else pa.int64(), "shop": pa.string(),
             "whole": pa.int64(), "word": pa.string()}  # fmt: skip
    kinds |= dict.fromkeys(instants, INSTANT)
    used = [name for name in kinds if name != "shop" or "shop" in case.keys]
    if "whole" not in (rows[0] if rows else {"whole": 0}):
        used = [name for name in used if name not in {"whole", "word"}]
    return pa.table({name: pa.array([row.get(name) for row in rows], kinds[name]) for name in used})


def view_task(case: Case, folder: Path, **more: Any) -> dict[str, Any]:
    texts = any(isinstance(row["id"], str) for row in [*case.rows, *case.spine])
    types = {"id": "text" if texts else "integer", "shop": "text"}
    return {
        "view": "v",
        "name": "v",
        "number": 1,
        "bounds": [],
        "keys": [{"name": key, "type": types[key]} for key in case.keys],
        "event_time": "event",
        "created_time": "created" if case.created else "",
        "features": [{"name": "whole", "type": "integer"}, {"name": "word", "type": "text"}],
        "tests": [],
        "history": "",
        "pending": [],
        "pushes_only": False,
        "scratch": str(folder),
    } | more


def by_us(case: Case, folder: Path) -> list[Row | None]:
    """What the store and the join of this room answer."""
    times = ("event", "created") if case.created else ("event",)
    kept = case.rows[: len(case.rows) - case.pushed]
    source = folder / "source.parquet"
    pq.write_table(table(kept, case, times), source)
    task = view_task(case, folder, source={"kind": "files", "files": [str(source)]})
    made = build(task)
    names = ["id", "event", "whole", "word"]
    names += ["shop"] if "shop" in case.keys else []
    names += ["created"] if case.created else []
    pending = [
        {"version": 1, "seq": place, "row": {name: _plain(row.get(name)) for name in names}}
        for place, row in enumerate(case.rows[len(kept) :])
    ]
    view = task | {
        "file": made["path"],
        "pending": pending,
        "source": {"kind": "push"},
        "ttl": int(case.ttl * 1_000_000),
        "known_at": case.known_at,
        "wanted": [["whole", "integer", "whole"], ["word", "text", "word"]],
    }
    view["pending"] = pending
    spine = table(case.spine, case, ("at",))
    got = joined(
        spine,
        {"at": "at", "views": [view], "on_demand": [], "columns": ["whole", "word"]},
    )
    assert got.num_rows == spine.num_rows
    assert got.schema.field("whole").type == pa.int64()
    return got.select(["whole", "word"]).to_pylist()  # type: ignore[no-any-return]


def by_rules(case: Case) -> list[Row]:
    found = [answer(case, wanted) for wanted in case.spine]
    nothing: Row = {"whole": None, "word": None}
    return [nothing if row is None else {name: row[name] for name in nothing} for row in found]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
