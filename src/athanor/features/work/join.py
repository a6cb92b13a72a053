"""Makes a training set: features looked up for each row of a spine as of its instant."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.features.errors import FeatureClash, FeatureColumnMissing, InstantMissing
from athanor.features.logic.columns import STORED, as_instants, as_key, whole
from athanor.features.logic.joining import MISSING, Part, group_starts, newest, positions
from athanor.features.logic.names import WARNINGS
from athanor.features.lookup import Computed, OnDemand, plain_value
from athanor.features.work.build import AVAILABLE, BEST, ORDER, of_pending, searchable
from athanor.features.work.tables import of_source
from athanor.kernel.wording import counted
from athanor.lineage.logic.digests import table_digest


def join(task: dict[str, Any]) -> dict[str, Any]:
    """Write the spine with its features to `task["path"]`, as Parquet or as an Arrow stream.

    Raises: FeatureColumnMissing, InstantMissing, BadInstant, KeyTypeMismatch, FormulaFailed,
    ViewCodeFailed.
    """
    began = time.process_time()
    spine = of_source(task["spine"], "the rows to look up")
    warnings: list[str] = []
    made = joined(spine, task, warnings)
    if task.get("format") == "arrow":
        # Nothing else is told of a table that is not kept.
        told = {WARNINGS: msgspec.json.encode(warnings)} if warnings else None
        sent = made.replace_schema_metadata(told)
        with pa.OSFile(task["path"], "wb") as sink, pa.ipc.new_stream(sink, sent.schema) as writer:
            writer.write_table(sent)
    else:
        pq.write_table(made, task["path"], compression="zstd", compression_level=1)
    features = [name for name in made.column_names if name not in spine.column_names]
    rows = max(1, made.num_rows)
    return {
        "rows": made.num_rows,
        "columns": made.column_names,
        "digest": table_digest(made),
        "missing": {name: made.column(name).null_count / rows for name in features},
        "warnings": warnings,
        "cpu_seconds": time.process_time() - began,
    }


def joined(spine: pa.Table, task: dict[str, Any], warnings: list[str] | None = None) -> pa.Table:
    """The spine, row by row (R1), and behind it the features; `warnings` gains what looks wrong."""
    at = _instants(spine, task["at"])
    told = [] if warnings is None else warnings
    columns: dict[str, pa.Array] = {}
    hidden: dict[tuple[str, str], pa.Array] = {}
    groups: dict[str, Any] = {}
    for view in task["views"]:
        wanted = _wanted(spine, view, groups)
        for feature, name, values in _looked_up(view, wanted, at, told):
            if name:
                columns[name] = values
            hidden[view["name"], feature] = values
    for item in task["on_demand"]:
        columns |= _computed(msgspec.convert(item, OnDemand), spine, hidden)
    clashes = sorted(set(task["columns"]) & set(spine.column_names))
    if clashes:
        raise FeatureClash(clashes)
    made = spine
    for name in task["columns"]:
        made = made.append_column(name, columns[name])
    return made


def _instants(spine: pa.Table, name: str) -> Any:
    where = "The table of rows to look up"
    if name not in spine.column_names:
        raise FeatureColumnMissing(
            where, name, "the instant of each row", spine.column_names,
            say="Name the column that is: --at COLUMN (`at` in a request).",
        )  # fmt: skip
    instants, missing = as_instants(name, whole(spine.column(name)))
    if missing.any():
        places = np.flatnonzero(missing)
        raise InstantMissing(name, int(places[0]) + 1, len(places))
    return instants


def _wanted(spine: pa.Table, view: dict[str, Any], cache: dict[str, Any]) -> list[pa.Array]:
    found = []
    for key in view["keys"]:
        name = f"{key['name']} {key['type']}"
        if name not in cache:
            if key["name"] not in spine.column_names:
                where = "The table of rows to look up"
                role = f"a key of view {view['name']!r}"
                raise FeatureColumnMissing(where, key["name"], role, spine.column_names)
            column = whole(spine.column(key["name"]))
            cache[name] = as_key(key["name"], column, key["type"])[0]
        found.append(cache[name])
    return found


class _Stored:
    """One part of a view: sorted rows, in a file or in memory."""

    def __init__(self, view: dict[str, Any], source: Any, *, known_at: bool, ordered: bool) -> None:
        self._file = pq.ParquetFile(source) if isinstance(source, str) else None
        self._table: Any = source
        self._names = self._file.schema_arrow.names if self._file else source.column_names
        keys = [key["name"] for key in view["keys"]]
        created = view["created_time"] if known_at or view["pending"] else ""
        self.part = self._part(keys, view["event_time"], created, ordered=ordered)

    def _part(self, keys: list[str], event: str, created: str, *, ordered: bool) -> Part:
        uniques = [self.column(name) for name in keys]
        starts = group_starts(uniques)
        firsts = pa.array(starts[:-1])
        return Part(
            uniques=[column.take(firsts) for column in uniques],
            starts=starts,
            event=self._times(event),
            created=self._times(created) if created else None,
            order=self._numbers(ORDER) if ordered else None,
            available=self._numbers(AVAILABLE) if created and AVAILABLE in self._names else None,
            best=self._numbers(BEST) if created and AVAILABLE in self._names else None,
        )

    def column(self, name: str) -> pa.Array:
        """One column, in one piece."""
        if self._file is not None:
            return whole(self._file.read(columns=[name]).column(0))
        return whole(self._table.column(name))

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self._names

    def _times(self, name: str) -> Any:
        column = self.column(name).cast(pa.int64())
        if column.null_count:
            column = column.fill_null(int(MISSING))
        return column.to_numpy(zero_copy_only=False)

    def _numbers(self, name: str) -> Any:
        return self.column(name).to_numpy(zero_copy_only=False)


def stored_parts(view: dict[str, Any], *, known_at: bool, ordered: bool = False) -> list[_Stored]:
    """A view's version, and what was pushed since; `ordered` also reads when rows were ingested."""
    ordered |= bool(view["pending"])
    stored = []
    if view["file"] and pq.read_metadata(view["file"]).num_rows:
        stored.append(_Stored(view, view["file"], known_at=known_at, ordered=ordered))
    if view["pending"]:
        fresh, _, _ = searchable(of_pending(view["pending"], view), view)
        if fresh.num_rows:
            stored.append(_Stored(view, fresh, known_at=known_at, ordered=ordered))
    return stored


def _looked_up(view: dict[str, Any], wanted: list[pa.Array], at: Any, warnings: list[str]) -> Any:
    """(feature, column of the answer, values) of one view; views are independent (R8)."""
    known_at = bool(view["created_time"]) and view["known_at"]
    stored = stored_parts(view, known_at=known_at)
    found = [
        positions(item.part, wanted, at, ttl=view["ttl"], known_at=known_at) for item in stored
    ]
    if known_at and stored and not any((places >= 0).any() for places in found):
        warnings += _known_later(view, wanted, at, stored)
    if len(stored) > 1:
        which, place = newest([item.part for item in stored], found)
    for feature, kind, name in view["wanted"]:
        if not stored:
            yield feature, name, pa.nulls(len(at), STORED[kind])
        elif len(stored) == 1:
            yield feature, name, _taken(stored[0], feature, kind, found[0])
        else:
            values = _taken(stored[0], feature, kind, np.where(which == 0, place, -1))
            rows = np.flatnonzero(which == 1)
            if len(rows):
                fresh = _taken(stored[1], feature, kind, place[rows]).cast(values.type)
                values = _replaced(values, rows, fresh)
            yield feature, name, values


def _known_later(
    view: dict[str, Any], wanted: list[pa.Array], at: Any, stored: list[_Stored]
) -> list[str]:
    """That a view, which answers nothing, would do so without regard to what was known when."""
    found = [positions(item.part, wanted, at, ttl=view["ttl"]) >= 0 for item in stored]
    rows = int(np.any(found, axis=0).sum())
    if not rows:
        return []
    told = counted(rows, "row")
    warning = (
        f"View {view['view']!r} answers no row, but would answer {told} of {len(at):,}: what it "
        f"has for them became known later, by {view['created_time']!r}. Where that column says "
        "when rows were loaded: --no-known (known_at=False), or known_at: false in the view."
    )
    return [warning]


def _replaced(values: pa.Array, rows: Any, fresh: pa.Array) -> pa.Array:
    """Values with others at some rows."""
    if not pa.types.is_list(values.type):
        mask = np.zeros(len(values), bool)
        mask[rows] = True
        return pa.compute.replace_with_mask(values, pa.array(mask), fresh)
    # Arrow replaces no lists.
    places = np.arange(len(values))
    places[rows] = len(values) + np.arange(len(rows))
    return pa.concat_arrays([values, fresh]).take(pa.array(places))


def _taken(stored: _Stored, feature: str, kind: str, place: Any) -> pa.Array:
    """A feature's values at positions; null where there is none. Integers stay integers (R11)."""
    if not stored.has(feature):
        return pa.nulls(len(place), STORED[kind])
    column = stored.column(feature)
    if column.null_count == len(column):
        # Nothing but missing values: its type tells nothing.
        return pa.nulls(len(place), STORED[kind])
    missing = place < 0
    if column.null_count == 0 and (pa.types.is_integer(column.type) or column.type == pa.float64()):
        values = column.to_numpy()[np.where(missing, 0, place)]
        return pa.array(values, mask=missing) if missing.any() else pa.array(values)
    return column.take(pa.array(place, mask=missing))


def _computed(
    view: OnDemand, spine: pa.Table, hidden: dict[tuple[str, str], pa.Array]
) -> dict[str, pa.Array]:
    """An on-demand view's features, by the code that the endpoint runs, row by row."""
    computed, rows = Computed(view), spine.num_rows
    inputs = {
        (source, feature): [plain_value(value) for value in hidden[source, feature].to_pylist()]
        for source, feature, _ in view.inputs
    }
    given: dict[str, list[Any]] = {}
    for name in view.request:
        if name not in spine.column_names:
            where = "The table of rows to look up"
            role = f"a value of the request in view {view.view!r}"
            raise FeatureColumnMissing(where, name, role, spine.column_names)
        given[name] = [plain_value(value) for value in spine.column(name).to_pylist()]
    made: dict[str, list[Any]] = {name: [] for name in view.names if name}
    for row in range(rows):
        stored = {key: values[row] for key, values in inputs.items()}
        record = {name: values[row] for name, values in given.items()}
        for name, value in computed.run(stored, record, row).items():
            made[name].append(value)
    types = {name: kind for name, kind in zip(view.names, view.types, strict=True) if name}
    return {name: _typed(values, types[name]) for name, values in made.items()}


def _typed(values: list[Any], kind: str) -> pa.Array:
    if kind in {"date", "timestamp"}:
        return pa.array(values, pa.string()).cast(STORED[kind])
    return pa.array(values, STORED[kind], from_pandas=False)
