"""Where parameters and metrics are kept."""

from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from athanor.kernel import Database, Instant, metadata
from athanor.tracking.types import Metric, Param


class TrackingStore(Protocol):
    """Parameters and metric points of runs."""

    def add_metrics(self, run_id: str, points: list[Metric]) -> None:
        """Add points; an identical one is kept once."""
        ...

    def add_params(self, run_id: str, params: dict[str, str]) -> None:
        """Add parameters that are not there yet."""
        ...

    def params(self, run_id: str) -> list[Param]:
        """A run's parameters, by key."""
        ...

    def latest(self, run_id: str) -> list[Metric]:
        """Each metric's last point: the greatest (step, at, value)."""
        ...

    def history(self, run_id: str, key: str) -> list[Metric]:
        """All points of one metric, by (step, at, value)."""
        ...


# SQLite keeps NaN as NULL; no other value is ever NULL.
metric_table = Table(
    "tracking_metric",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("run", String(32), ForeignKey("lineage_run.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("value", Float(53)),
)
param_table = Table(
    "tracking_param",
    metadata,
    Column("run", String(32), ForeignKey("lineage_run.id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)
Index(
    "uq_tracking_metric_point",
    metric_table.c.run,
    metric_table.c.key,
    metric_table.c.step,
    metric_table.c.at,
    metric_table.c.value,
    unique=True,
)

_POINT = tuple(metric_table.c[name] for name in Metric.__dataclass_fields__)


class SqlTrackingStore:
    """Parameters and metrics in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = postgresql if database.dialect == "postgresql" else sqlite

    def add_metrics(self, run_id: str, points: list[Metric]) -> None:
        """Add points; an identical one is kept once."""
        if not points:
            return
        rows = [
            {"run": run_id} | {name: getattr(point, name) for name in Metric.__dataclass_fields__}
            for point in points
        ]
        with self._database.connection() as connection:
            connection.execute(self._dialect.insert(metric_table).on_conflict_do_nothing(), rows)

    def add_params(self, run_id: str, params: dict[str, str]) -> None:
        """Add parameters that are not there yet."""
        if not params:
            return
        rows = [{"run": run_id, "key": key, "value": value} for key, value in params.items()]
        with self._database.connection() as connection:
            connection.execute(self._dialect.insert(param_table).on_conflict_do_nothing(), rows)

    def params(self, run_id: str) -> list[Param]:
        """A run's parameters, by key."""
        query = (
            select(param_table.c.key, param_table.c.value)
            .where(param_table.c.run == run_id)
            .order_by(param_table.c.key)
        )
        with self._database.connection() as connection:
            return [Param(**row) for row in connection.execute(query).mappings()]

    def latest(self, run_id: str) -> list[Metric]:
        """Each metric's last point: the greatest (step, at, value)."""
        last: dict[str, Metric] = {}
        for point in self._points(run_id, None):
            last[point.key] = point
        return list(last.values())

    def history(self, run_id: str, key: str) -> list[Metric]:
        """All points of one metric, by (step, at, value)."""
        return self._points(run_id, key)

    def _points(self, run_id: str, key: str | None) -> list[Metric]:
        query = select(*_POINT).where(metric_table.c.run == run_id)
        if key is not None:
            query = query.where(metric_table.c.key == key)
        query = query.order_by(
            metric_table.c.key, metric_table.c.step, metric_table.c.at, metric_table.c.value
        )
        with self._database.connection() as connection:
            return [
                Metric(**(dict(row) | {"value": _number(row["value"])}))
                for row in connection.execute(query).mappings()
            ]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
