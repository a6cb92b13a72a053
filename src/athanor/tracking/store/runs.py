"""Where tracked runs, their settings, tags and points are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, groupby
from math import isnan
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from athanor.kernel import Database
from athanor.kernel.database import microseconds, moment
from athanor.kernel.plain import Plain, Row, marks
from athanor.tracking.types import (
    HistoryQuery,
    KeyedPoint,
    Lifecycle,
    Param,
    Point,
    RunInfo,
    TrackedRun,
)

_MANY = 500
_NAN = float("nan")


_Kept = tuple[str, int, int, float, int]
"""Key, time, step, value, and whether it is NaN."""


class Membership(NamedTuple):
    """To which experiment a run belongs."""

    run: str
    experiment: str
    lifecycle: Lifecycle
    user: str
    artifact_uri: str
    started_at: datetime


class TrackedRunStore(Protocol):
    """Tracked runs and what they told."""

    def add(self, *runs: Membership) -> None:
        """Let runs of the lineage belong to experiments; one that does already stays there."""
        ...

    def lifecycle(self, run_id: str) -> Lifecycle | None:
        """Whether a run is deleted; None if it belongs to no experiment."""
        ...

    def lifecycles(self, run_ids: Sequence[str]) -> dict[str, Lifecycle]:
        """The same of several; those that belong to no experiment are left out."""
        ...

    def infos(self, run_ids: Sequence[str]) -> dict[str, RunInfo]:
        """Runs by id."""
        ...

    def load(self, infos: Sequence[RunInfo]) -> list[TrackedRun]:
        """Runs with their settings, tags and last points."""
        ...

    def set_lifecycle(self, run_id: str, lifecycle: Lifecycle, at: datetime) -> None:
        """Delete or restore a run."""
        ...

    def params(self, run_id: str) -> list[Param]:
        """A run's parameters, by key."""
        ...

    def add_params(self, run_id: str, params: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """Add parameters; returns those that have another value already: key, kept, given."""
        ...

    def set_tags(self, tags: Mapping[str, Mapping[str, str]]) -> None:
        """Set tags, by run."""
        ...

    def remove_tag(self, run_id: str, key: str) -> bool:
        """Take a tag away; whether there was one."""
        ...

    def add_points(self, points: Mapping[str, Sequence[KeyedPoint]]) -> None:
        """Add points by their runs; an identical one is kept once."""
        ...

    def latest(self, run_id: str) -> dict[str, Point]:
        """Each metric's last point: the greatest (step, time, value)."""
        ...

    def history(self, run_id: str, key: str, query: HistoryQuery) -> list[Point]:
        """Points of one metric, by (time, step, value)."""
        ...


_ADD = """
INSERT INTO tracking_run (run, experiment, lifecycle, user_name, artifact_uri, started_at)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run) DO NOTHING
"""
_INFO = """
SELECT r.run, r.experiment, l.name, r.user_name, l.state, r.started_at, l.ended_at,
       r.lifecycle, r.artifact_uri
FROM tracking_run AS r JOIN lineage_run AS l ON l.id = r.run
WHERE r.run IN ({marks})
"""
_ADD_PARAM = """
INSERT INTO tracking_param (run, key, value) VALUES (?, ?, ?) ON CONFLICT (run, key) DO NOTHING
"""
_SET_TAG = """
INSERT INTO tracking_tag (run, key, value) VALUES (?, ?, ?)
ON CONFLICT (run, key) DO UPDATE SET value = excluded.value
"""
# A new metric takes the next number for its series; a known one keeps its own, and is moved on
# only by a point that is later: of a greater (step, time, value).
_SET_LATEST = """
INSERT INTO tracking_latest (run, key, series, step, at, value, nan)
VALUES (?, ?, {next_series}, ?, ?, ?, ?)
ON CONFLICT (run, key) DO UPDATE
SET step = excluded.step, at = excluded.at, value = excluded.value, nan = excluded.nan
WHERE (excluded.step, excluded.at, excluded.value)
    > (tracking_latest.step, tracking_latest.at, tracking_latest.value)
"""
_NEXT_SERIES = {
    False: "(SELECT COALESCE(MAX(series), 0) + 1 FROM tracking_latest)",
    True: "nextval('tracking_series')",
}
_ADD_POINT = """
INSERT INTO tracking_point (series, at, step, value, nan) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (series, at, step, value, nan) DO NOTHING
"""
_HISTORY = """
SELECT at, step, CASE WHEN nan = 1 THEN NULL ELSE value END FROM tracking_point WHERE series = ?
"""
_as_point = partial(tuple.__new__, Point)
_BY_STEP, _VALUE = itemgetter(2, 1, 3), itemgetter(3)
_FEW = 8
"""Metrics whose last points are moved one by one."""

_ROWS = 100
_ADD_ROWS = _ADD_POINT.replace("(?, ?, ?, ?, ?)", ", ".join(["(?, ?, ?, ?, ?)"] * _ROWS))
_ADD_POINTS = """
INSERT INTO tracking_point (series, at, step, value, nan)
SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::float8[], ?::smallint[])
ON CONFLICT (series, at, step, value, nan) DO NOTHING
"""


class SqlTrackedRunStore:
    """Tracked runs in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)
        self._set_latest = _SET_LATEST.format(next_series=_NEXT_SERIES[self._plain.postgres])
        self._move_and_tell = f"{self._set_latest} RETURNING series"

    def add(self, *runs: Membership) -> None:
        """Let runs of the lineage belong to experiments; one that does already stays there."""
        self._plain.many(
            _ADD,
            [
                (
                    run.run,
                    run.experiment,
                    run.lifecycle,
                    run.user,
                    run.artifact_uri,
                    microseconds(run.started_at),
                )
                for run in runs
            ],
        )

    def lifecycle(self, run_id: str) -> Lifecycle | None:
        """Whether a run is deleted; None if it belongs to no experiment."""
        row = self._plain.first("SELECT lifecycle FROM tracking_run WHERE run = ?", (run_id,))
        return None if row is None else row[0]

    def lifecycles(self, run_ids: Sequence[str]) -> dict[str, Lifecycle]:
        """The same of several; those that belong to no experiment are left out."""
        query = "SELECT run, lifecycle FROM tracking_run WHERE run IN ({marks})"
        return dict(self._of_runs(query, run_ids))

    def infos(self, run_ids: Sequence[str]) -> dict[str, RunInfo]:
        """Runs by id."""
        return {row[0]: _info(row) for row in self._of_runs(_INFO, run_ids)}

    def load(self, infos: Sequence[RunInfo]) -> list[TrackedRun]:
        """Runs with their settings, tags and last points."""
        ids = [info.id for info in infos]
        params: dict[str, dict[str, str]] = {id_: {} for id_ in ids}
        tags: dict[str, dict[str, str]] = {id_: {} for id_ in ids}
        metrics: dict[str, dict[str, Point]] = {id_: {} for id_ in ids}
        for found, table in ((params, "tracking_param"), (tags, "tracking_tag")):
            query = f"SELECT run, key, value FROM {table} WHERE run IN ({{marks}})"  # noqa: S608
            for run, key, value in self._of_runs(query, ids):
                found[run][key] = value
        last = "SELECT run, key, at, step, value, nan FROM tracking_latest WHERE run IN ({marks})"
        for run, key, at, step, value, nan in self._of_runs(last, ids):
            metrics[run][key] = Point(at, step, _NAN if nan else value)
        return [
            TrackedRun(
                info=info, params=params[info.id], tags=tags[info.id], metrics=metrics[info.id]
            )
            for info in infos
        ]

    def set_lifecycle(self, run_id: str, lifecycle: Lifecycle, at: datetime) -> None:
        """Delete or restore a run."""
        deleted_at = microseconds(at) if lifecycle == "deleted" else None
        self._plain.run(
            "UPDATE tracking_run SET lifecycle = ?, deleted_at = ? WHERE run = ?",
            (lifecycle, deleted_at, run_id),
        )

    def params(self, run_id: str) -> list[Param]:
        """A run's parameters, by key."""
        rows = self._plain.fetch(
            "SELECT key, value FROM tracking_param WHERE run = ? ORDER BY key", (run_id,)
        )
        return [Param(key=key, value=value) for key, value in rows]

    def add_params(self, run_id: str, params: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """Add parameters; returns those that have another value already: key, kept, given."""
        self._plain.many(_ADD_PARAM, [(run_id, key, value) for key, value in params.items()])
        keys = list(params)
        kept: dict[str, str] = {}
        for at in range(0, len(keys), _MANY):
            some = keys[at : at + _MANY]
            query = (
                "SELECT key, value FROM tracking_param"  # noqa: S608 - marks alone are written in
                f" WHERE run = ? AND key IN ({marks(len(some))})"
            )
            kept |= dict(self._plain.fetch(query, (run_id, *some)))
        return [(key, kept[key], given) for key, given in params.items() if kept[key] != given]

    def set_tags(self, tags: Mapping[str, Mapping[str, str]]) -> None:
        """Set tags, by run."""
        self._plain.many(
            _SET_TAG,
            [(run_id, key, value) for run_id, some in tags.items() for key, value in some.items()],
        )

    def remove_tag(self, run_id: str, key: str) -> bool:
        """Take a tag away; whether there was one."""
        gone = self._plain.run("DELETE FROM tracking_tag WHERE run = ? AND key = ?", (run_id, key))
        return gone > 0

    def add_points(self, points: Mapping[str, Sequence[KeyedPoint]]) -> None:
        """Add points by their runs; an identical one is kept once."""
        latest: list[Row] = []
        kept_of: dict[str, list[_Kept]] = {}
        for run_id, given in points.items():
            kept = [(key, at, step, value, 0) for key, at, step, value in given]
            if any(map(isnan, map(_VALUE, kept))):
                kept = [
                    (key, at, step, 0.0 if isnan(value) else value, int(isnan(value)))
                    for key, at, step, value, _ in kept
                ]
            kept_of[run_id] = kept
            latest += [
                (run_id, key, step, at, value, nan) for key, at, step, value, nan in _last_of(kept)
            ]
        series = self._move_latest(latest)
        rows: list[tuple[int, int, int, float, int]] = []
        for run_id, kept in kept_of.items():
            known = series[run_id]
            rows += [(known[key], at, step, value, nan) for key, at, step, value, nan in kept]
        self._add(rows)

    def latest(self, run_id: str) -> dict[str, Point]:
        """Each metric's last point: the greatest (step, time, value)."""
        rows = self._plain.fetch(
            "SELECT key, at, step, value, nan FROM tracking_latest WHERE run = ? ORDER BY key",
            (run_id,),
        )
        return {key: Point(at, step, _NAN if nan else value) for key, at, step, value, nan in rows}

    def history(self, run_id: str, key: str, query: HistoryQuery) -> list[Point]:
        """Points of one metric, by (time, step, value)."""
        series = self._plain.first(
            "SELECT series FROM tracking_latest WHERE run = ? AND key = ?", (run_id, key)
        )
        if series is None:
            return []
        text = _HISTORY
        values: list[Any] = [series[0]]
        for sign, bound in ((">=", query.first_step), ("<=", query.last_step)):
            if bound is not None:
                text += f" AND step {sign} ?"
                values.append(bound)
        text += " ORDER BY at, step, value, nan"
        if query.limit is not None or query.offset:
            limit = -1 if query.limit is None else query.limit
            text += " LIMIT ? OFFSET ?"
            values += [None if self._plain.postgres and limit < 0 else limit, query.offset]
        found = self._plain.fetch(text, values)
        if any(row[2] is None for row in found):
            return [Point(at, step, _NAN if value is None else value) for at, step, value in found]
        # Histories are long: this makes named tuples of tuples in a third of the time.
        return list(map(_as_point, found))

    def _add(self, points: list[tuple[int, int, int, float, int]]) -> None:
        """Add points of known series."""
        if self._plain.postgres:
            # One statement: a thousand of them would each be answered.
            self._plain.run(_ADD_POINTS, [list(column) for column in zip(*points, strict=True)])
            return
        # In the order of the key, and many to a statement: two thirds of the time.
        ordered = sorted(points)
        whole = len(ordered) // _ROWS * _ROWS
        for at in range(0, whole, _ROWS):
            self._plain.run(_ADD_ROWS, list(chain.from_iterable(ordered[at : at + _ROWS])))
        self._plain.many(_ADD_POINT, ordered[whole:])

    def _move_latest(self, rows: list[Row]) -> dict[str, dict[str, int]]:
        """Set the last points of some metrics where they are later; series by run, then key."""
        found: dict[str, dict[str, int]] = {row[0]: {} for row in rows}
        if len(rows) > _FEW:
            self._plain.many(self._set_latest, rows)
            self._find_series(rows, found)
            return found
        # Most requests are one point, and most points are the last: it tells its series.
        stayed = []
        for row in rows:
            moved = self._plain.first(self._move_and_tell, row)
            if moved is None:
                stayed.append(row)
            else:
                found[row[0]][row[1]] = moved[0]
        self._find_series(stayed, found)
        return found

    def _find_series(self, rows: Sequence[Row], found: dict[str, dict[str, int]]) -> None:
        """Add the number of each metric's series; rows begin with run and key, run by run."""
        for run_id, metrics in groupby(rows, key=itemgetter(0)):
            keys = [row[1] for row in metrics]
            for at in range(0, len(keys), _MANY):
                some = keys[at : at + _MANY]
                query = (
                    "SELECT key, series FROM tracking_latest"  # noqa: S608 - marks are written in
                    f" WHERE run = ? AND key IN ({marks(len(some))})"
                )
                found[run_id] |= dict(self._plain.fetch(query, (run_id, *some)))

    def _of_runs(self, query: str, run_ids: Sequence[str]) -> list[Row]:
        """The rows of a query with `{marks}` where the runs' ids go."""
        found: list[Row] = []
        for at in range(0, len(run_ids), _MANY):
            some = run_ids[at : at + _MANY]
            found += self._plain.fetch(query.format(marks=marks(len(some))), some)
        return found


def _last_of(points: list[_Kept]) -> list[_Kept]:
    """The last point of each key, of equal ones the first; by key."""
    keys = set(map(itemgetter(0), points))
    if len(keys) == 1:
        return [max(points, key=_BY_STEP)]
    # From the earliest to the last: batches have a thousand points, and this takes a third of what
    # comparing them one by one would.
    latest_first = sorted(points, key=_BY_STEP, reverse=True)
    last = {point[0]: point for point in reversed(latest_first)}
    return sorted(last.values())


def _info(row: Row) -> RunInfo:
    run, experiment, name, user, state, started_at, ended_at, lifecycle, artifact_uri = row
    return RunInfo(
        id=run,
        experiment=experiment,
        name=name,
        user=user,
        state=state,
        started_at=moment(started_at),
        ended_at=None if ended_at is None else moment(ended_at),
        lifecycle=lifecycle,
        artifact_uri=artifact_uri,
    )
