"""Searches for runs as SQL: conditions and orders, values always bound."""

from collections.abc import Sequence
from typing import Any

from athanor.kernel import Database
from athanor.kernel.database import to_json
from athanor.kernel.plain import Plain, marks
from athanor.tracking.searches import Comparison, Order
from athanor.tracking.store.likes import likes
from athanor.tracking.types import Lifecycle

_STATUS = (
    "(CASE l.state WHEN 'running' THEN 'RUNNING' WHEN 'waiting' THEN 'SCHEDULED'"
    " WHEN 'failed' THEN 'FAILED' WHEN 'stopped' THEN 'KILLED' ELSE 'FINISHED' END)"
)
# Times are compared as the milliseconds that callers know.
_ATTRIBUTES = {
    "run_id": "r.run",
    "experiment_id": "r.experiment",
    "run_name": "l.name",
    "user_id": "r.user_name",
    "artifact_uri": "r.artifact_uri",
    "status": _STATUS,
    "start_time": "r.started_at",
    "end_time": "l.ended_at",
}
_TIMES = frozenset({"start_time", "end_time"})
_MILLISECOND = 1000
_TABLES = {"metric": "tracking_latest", "parameter": "tracking_param", "tag": "tracking_tag"}
_LISTS = frozenset({"IN", "NOT IN"})
_BOUND = 100
"""Values of a list that are bound one by one, at most."""


class RunSearch:
    """Finds the ids of runs."""

    def __init__(self, database: Database) -> None:
        self._plain = Plain(database)

    def find(
        self,
        experiments: Sequence[str],
        lifecycles: Sequence[Lifecycle],
        conditions: Sequence[Comparison],
        orders: Sequence[Order],
        *,
        page: tuple[int, int],
    ) -> list[str]:
        """The ids of the runs that meet all conditions, in order; `page` is limit and offset."""
        if not experiments:
            return []
        among, bound = self._among("r.experiment", "IN", experiments)
        where = [among, f"r.lifecycle IN ({marks(len(lifecycles))})"]
        bound += lifecycles
        for condition in conditions:
            clause, values = self._condition(condition)
            where.append(clause)
            bound += values
        joins, sorted_by, of_joins = self._orders(orders)
        filters = " AND ".join(where)
        named = joins + filters + sorted_by
        lineage = " JOIN lineage_run AS l ON l.id = r.run" if "l." in named else ""
        rows = self._plain.fetch(
            f"SELECT r.run FROM tracking_run AS r{lineage}{joins}"  # noqa: S608 - see the module
            f" WHERE {filters} ORDER BY {sorted_by} LIMIT ? OFFSET ?",
            (*of_joins, *bound, *page),
        )
        return [row[0] for row in rows]

    def _condition(self, wanted: Comparison) -> tuple[str, list[Any]]:
        given = wanted.value if isinstance(wanted.value, tuple) else (wanted.value,)
        values: list[Any] = [value for value in given if value is not None]
        if wanted.entity == "attribute":
            column = _ATTRIBUTES[wanted.key]
            if wanted.key in _TIMES:
                return self._time(column, wanted.operator, values[0])
            if wanted.operator in _LISTS:
                return self._among(column, wanted.operator, values)
            return self._compared(column, wanted.operator), values
        if wanted.entity == "dataset":
            return self._dataset(wanted, values)
        table = _TABLES[wanted.entity]
        exists = f"EXISTS (SELECT 1 FROM {table} AS c WHERE c.run = r.run AND c.key = ?"  # noqa: S608
        if wanted.operator == "IS NULL":
            return f"NOT {exists})", [wanted.key]
        if wanted.operator == "IS NOT NULL":
            return f"{exists})", [wanted.key]
        compared = self._compared("c.value", wanted.operator)
        if wanted.entity == "metric":
            values = [float(value) for value in values]
            # NaN differs from every number, and compares with none.
            differs = wanted.operator == "!="
            compared = f"({compared} OR c.nan = 1)" if differs else f"{compared} AND c.nan = 0"
        return f"{exists} AND {compared})", [wanted.key, *values]

    def _time(self, column: str, operator: str, value: float) -> tuple[str, list[Any]]:
        """A moment in microseconds against a caller's milliseconds: of any microsecond in it."""
        first = int(value * _MILLISECOND)
        first = max(-(1 << 63), min(first, (1 << 63) - _MILLISECOND))
        last = first + _MILLISECOND - 1
        if operator == "=":
            return f"{column} BETWEEN ? AND ?", [first, last]
        if operator == "!=":
            return f"{column} NOT BETWEEN ? AND ?", [first, last]
        return f"{column} {operator} ?", [last if operator in {">", "<="} else first]

    def _compared(self, column: str, operator: str) -> str:
        if operator in {"LIKE", "ILIKE"}:
            insensitive = operator == "ILIKE"
            return likes(column, insensitive=insensitive, postgres=self._plain.postgres)
        return f"{column} {operator} ?"

    def _among(self, column: str, operator: str, values: Sequence[str]) -> tuple[str, list[Any]]:
        """A column against a list; a long one is one value, as drivers bind only so many."""
        if len(values) <= _BOUND:
            return f"{column} {operator} ({marks(len(values))})", list(values)
        if self._plain.postgres:
            sign = "= ANY" if operator == "IN" else "<> ALL"
            return f"{column} {sign} (?)", [list(values)]
        some = "(SELECT value FROM json_each(?))"
        return f"{column} {operator} {some}", [to_json(list(values))]

    def _dataset(self, wanted: Comparison, values: list[Any]) -> tuple[str, list[Any]]:
        column = {"name": "d.name", "digest": "d.digest", "context": "i.context"}[wanted.key]
        if wanted.operator in _LISTS:
            compared, values = self._among(column, wanted.operator, values)
        else:
            compared = self._compared(column, wanted.operator)
        exists = (
            "EXISTS (SELECT 1 FROM tracking_input AS i"  # noqa: S608 - names are our own
            " JOIN tracking_dataset AS d ON d.id = i.target"
            f" WHERE i.run = r.run AND i.relation = 'dataset' AND {compared})"
        )
        return exists, values

    def _orders(self, orders: Sequence[Order]) -> tuple[str, str, list[Any]]:
        """Joins, the ORDER BY, and the values that the joins bind."""
        joins, keys, bound = "", [], []
        for index, order in enumerate(orders):
            way = "ASC" if order.ascending else "DESC"
            if order.entity == "attribute":
                column = _ATTRIBUTES[order.key]
                if order.key == "end_time":
                    keys.append(f"({column} IS NULL)")
                keys.append(f"{column} {way}")
                continue
            name = f"o{index}"
            joins += (
                f" LEFT JOIN {_TABLES[order.entity]} AS {name}"
                f" ON {name}.run = r.run AND {name}.key = ?"
            )
            bound.append(order.key)
            place = f"CASE WHEN {name}.value IS NULL THEN 2 ELSE 0 END"
            if order.entity == "metric":
                place = (
                    f"CASE WHEN {name}.value IS NULL THEN 2 WHEN {name}.nan = 1 THEN 1 ELSE 0 END"
                )
            keys += [place, f"{name}.value {way}"]
        if not any(order.entity == "attribute" and order.key == "start_time" for order in orders):
            keys.append("r.started_at DESC")
        if not any(order.entity == "attribute" and order.key == "run_id" for order in orders):
            keys.append("r.run ASC")
        return joins, ", ".join(keys), bound
