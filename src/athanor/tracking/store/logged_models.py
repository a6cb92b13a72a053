"""Where logged models are kept, and how they are found."""

import hashlib
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Select,
    String,
    Subquery,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    not_,
    or_,
    select,
    true,
    type_coerce,
    update,
)

from athanor.kernel import Database, Instant, metadata
from athanor.kernel.upserts import dialect_of
from athanor.tracking.logged_models import LoggedModel, LoggedModelQuery, ModelMetric
from athanor.tracking.searches import Comparison, Order

_MANY = 500
_FARTHEST = 1 << 52
"""Milliseconds that fit into a row's microseconds."""
_EPOCH_KEYS = frozenset({"creation_timestamp", "last_updated_timestamp"})


class LoggedModelStore(Protocol):
    """Logged models with their parameters, tags and measured points."""

    def add(self, model: LoggedModel) -> None:
        """Add a model with its parameters and tags."""
        ...

    def find(self, model_id: str) -> LoggedModel | None:
        """The model with this id, deleted ones too."""
        ...

    def change(self, model_id: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a model."""
        ...

    def add_params(self, model_id: str, params: Mapping[str, str]) -> None:
        """Add parameters that are not there yet."""
        ...

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags."""
        ...

    def delete_tag(self, model_id: str, key: str) -> bool:
        """Remove a tag; False where there is none."""
        ...

    def add_metrics(self, points: Iterable[ModelMetric]) -> None:
        """Add measured points; an identical one is kept once."""
        ...

    def known(self, model_ids: Sequence[str]) -> set[str]:
        """Which of these models there are."""
        ...

    def search(self, query: LoggedModelQuery) -> list[LoggedModel]:
        """The models that a query finds, without deleted ones, at most `limit`."""
        ...


model_table = Table(
    "tracking_logged_model",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("experiment", String(32), nullable=False),
    Column("project", String(255), nullable=False),
    Column("name", String(500), nullable=False),
    Column("location", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("status_message", Text, nullable=False),
    Column("type", String(500), nullable=False),
    Column("run", String(32), nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("artifact_id", String(32), ForeignKey("lineage_artifact.id")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
Index("ix_tracking_logged_model_experiment", model_table.c.experiment, model_table.c.created_at)
Index("ix_tracking_logged_model_run", model_table.c.run)

param_table = Table(
    "tracking_logged_model_param",
    metadata,
    Column("model", String(36), ForeignKey("tracking_logged_model.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
tag_table = Table(
    "tracking_logged_model_tag",
    metadata,
    Column("model", String(36), ForeignKey("tracking_logged_model.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
# `point` is a digest of all that makes a point that one: keys and datasets' names together are
# longer than an index takes. NaN is a flag, as SQLite has no such number.
metric_table = Table(
    "tracking_logged_model_metric",
    metadata,
    Column("model", String(36), ForeignKey("tracking_logged_model.id"), primary_key=True),
    Column("point", String(32), primary_key=True),
    Column("key", String(250), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("nan", Boolean, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("run", String(32), nullable=False),
    Column("dataset_name", String(500), nullable=False),
    Column("dataset_digest", String(36), nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_tracking_logged_model_metric_key", metric_table.c.key, metric_table.c.model)

_MODEL = tuple(column.name for column in model_table.c)
_ATTRIBUTES = {
    "creation_timestamp": model_table.c.created_at,
    "last_updated_timestamp": model_table.c.updated_at,
    "artifact_location": model_table.c.location,
    "experiment_id": model_table.c.experiment,
    "model_id": model_table.c.id,
    "model_type": model_table.c.type,
    "name": model_table.c.name,
    "source_run_id": model_table.c.run,
    "status": model_table.c.status,
    "status_message": model_table.c.status_message,
}


class SqlLoggedModelStore:
    """Logged models in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def add(self, model: LoggedModel) -> None:
        """Add a model with its parameters and tags."""
        with self._database.transaction() as connection:
            connection.execute(
                model_table.insert(), {name: getattr(model, name) for name in _MODEL}
            )
            self.add_params(model.id, model.params)
            self.set_tags(model.id, model.tags)

    def find(self, model_id: str) -> LoggedModel | None:
        """The model with this id, deleted ones too."""
        found = self._whole(select(model_table).where(model_table.c.id == model_id))
        return found[0] if found else None

    def change(self, model_id: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a model."""
        with self._database.connection() as connection:
            connection.execute(
                update(model_table).where(model_table.c.id == model_id).values(**changes)
            )

    def add_params(self, model_id: str, params: Mapping[str, str]) -> None:
        """Add parameters that are not there yet."""
        rows = [{"model": model_id, "key": key, "value": params[key]} for key in params]
        if rows:
            with self._database.connection() as connection:
                connection.execute(self._dialect.insert(param_table).on_conflict_do_nothing(), rows)

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags."""
        rows = [{"model": model_id, "key": key, "value": tags[key]} for key in tags]
        if not rows:
            return
        insert = self._dialect.insert(tag_table)
        setting = insert.on_conflict_do_update(
            index_elements=["model", "key"], set_={"value": insert.excluded.value}
        )
        with self._database.connection() as connection:
            connection.execute(setting, rows)

    def delete_tag(self, model_id: str, key: str) -> bool:
        """Remove a tag; False where there is none."""
        removing = delete(tag_table).where(tag_table.c.model == model_id, tag_table.c.key == key)
        with self._database.connection() as connection:
            return bool(connection.execute(removing).rowcount)

    def add_metrics(self, points: Iterable[ModelMetric]) -> None:
        """Add measured points; an identical one is kept once."""
        rows = [_metric_row(point) for point in points]
        if rows:
            with self._database.connection() as connection:
                connection.execute(
                    self._dialect.insert(metric_table).on_conflict_do_nothing(), rows
                )

    def known(self, model_ids: Sequence[str]) -> set[str]:
        """Which of these models there are."""
        query = select(model_table.c.id).where(model_table.c.id.in_(model_ids))
        with self._database.connection() as connection:
            return set(connection.execute(query).scalars())

    def search(self, query: LoggedModelQuery) -> list[LoggedModel]:
        """The models that a query finds, without deleted ones, at most `limit`."""
        datasets = _on(query.datasets)
        wanted = [_condition(each, datasets) for each in query.comparisons]
        measured = any(each.entity == "metric" for each in query.comparisons)
        if datasets is not None and not measured:
            wanted.append(model_table.c.id.in_(select(metric_table.c.model).where(datasets)))
        found = select(model_table).where(
            model_table.c.experiment.in_(query.experiments),
            model_table.c.project == query.project,
            ~model_table.c.deleted,
            *wanted,
        )
        for number, order in enumerate(query.order):
            found = _sorted(found, order, number)
        return self._whole(found.limit(query.limit).offset(query.offset))

    def _whole(self, query: Any) -> list[LoggedModel]:
        """The models of a query, with what belongs to them."""
        with self._database.connection() as connection:
            rows = [
                {name: row[name] for name in _MODEL} for row in connection.execute(query).mappings()
            ]
            ids = [row["id"] for row in rows]
            params = self._pairs(connection, param_table, ids)
            tags = self._pairs(connection, tag_table, ids)
            metrics = self._metrics(connection, ids)
        return [
            LoggedModel(
                **row,
                params=params.get(row["id"], {}),
                tags=tags.get(row["id"], {}),
                metrics=metrics.get(row["id"], []),
            )
            for row in rows
        ]

    @staticmethod
    def _pairs(connection: Any, table: Table, ids: list[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(ids), _MANY):
            query = (
                select(table.c.model, table.c.key, table.c.value)
                .where(table.c.model.in_(ids[start : start + _MANY]))
                .order_by(table.c.model, table.c.key)
            )
            for model, key, value in connection.execute(query):
                found.setdefault(model, {})[key] = value
        return found

    @staticmethod
    def _metrics(connection: Any, ids: list[str]) -> dict[str, list[ModelMetric]]:
        found: dict[str, list[ModelMetric]] = {}
        columns = [column for column in metric_table.c if column.name != "point"]
        for start in range(0, len(ids), _MANY):
            query = (
                select(*columns)
                .where(metric_table.c.model.in_(ids[start : start + _MANY]))
                .order_by(metric_table.c.key, metric_table.c.at, metric_table.c.step)
            )
            for row in connection.execute(query).mappings():
                values = dict(row)
                if values.pop("nan"):
                    values["value"] = math.nan
                found.setdefault(row["model"], []).append(ModelMetric(**values))
        return found


def _metric_row(point: ModelMetric) -> dict[str, Any]:
    row = {name: getattr(point, name) for name in ModelMetric.__dataclass_fields__}
    whole = "\x1f".join(repr(value) for name, value in row.items() if name != "model")
    nan = math.isnan(point.value)
    return row | {
        "value": 0.0 if nan else point.value,
        "nan": nan,
        "point": hashlib.blake2b(whole.encode(), digest_size=16).hexdigest(),
    }


def _on(datasets: Iterable[Any]) -> ColumnElement[bool] | None:
    """Whether a point was measured on one of these datasets; None where any will do."""
    each = [_of_dataset(dataset.name, dataset.digest) for dataset in datasets]
    return or_(*each) if each else None


def _of_dataset(name: str | None, digest: str | None) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = []
    if name:
        wanted.append(metric_table.c.dataset_name == name)
    if digest:
        wanted.append(metric_table.c.dataset_digest == digest)
    return and_(true(), *wanted)


def _condition(comparison: Comparison, datasets: ColumnElement[bool] | None) -> ColumnElement[bool]:
    if comparison.entity == "attribute":
        return _attribute(comparison)
    table = {"metric": metric_table, "parameter": param_table, "tag": tag_table}[comparison.entity]
    wanted = [table.c.key == comparison.key, _compared(table.c.value, comparison)]
    if comparison.entity == "metric":
        wanted.append(~table.c.nan)
        if datasets is not None:
            wanted.append(datasets)
    return model_table.c.id.in_(select(table.c.model).where(*wanted))


def _attribute(comparison: Comparison) -> ColumnElement[bool]:
    column: ColumnElement[Any]
    if comparison.key == "lifecycle_stage":
        column = case((model_table.c.deleted, "deleted"), else_="active")
    elif comparison.key in _EPOCH_KEYS:
        # The protocol's milliseconds; rows hold microseconds.
        column = type_coerce(_ATTRIBUTES[comparison.key], BigInteger)
        value = comparison.value if isinstance(comparison.value, int | float) else 0
        bounded = min(max(value, -_FARTHEST), _FARTHEST)
        return _compared(column, replace(comparison, value=bounded * 1000))
    elif comparison.key == "status":
        return _compared(model_table.c.status, replace(comparison, value=_status(comparison.value)))
    else:
        column = _ATTRIBUTES[comparison.key]
    return _compared(column, comparison)


def _status(value: Any) -> Any:
    """A status as it is kept, by the name that MLflow tells it by."""
    if isinstance(value, tuple):
        return tuple(_status(each) for each in value)
    return str(value).casefold().removeprefix("logged_model_").removeprefix("upload_")


def _compared(column: Any, comparison: Comparison) -> ColumnElement[bool]:
    value = comparison.value
    if comparison.operator in {"IN", "NOT IN"}:
        values = value if isinstance(value, tuple) else (value,)
        found: ColumnElement[bool] = column.in_(values)
        return not_(found) if comparison.operator == "NOT IN" else found
    compare: Callable[[Any, Any], ColumnElement[bool]] = _OPERATORS[comparison.operator]
    return compare(column, value)


_OPERATORS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "LIKE": lambda column, pattern: column.like(pattern),
    "ILIKE": lambda column, pattern: column.ilike(pattern),
}


def _sorted(query: Select[Any], order: Order, number: int) -> Select[Any]:
    """The query sorted by one more key: numbers, then NaN, then what has none, either way."""
    column: ColumnElement[Any]
    if order.entity == "metric":
        latest = _latest(order, number)
        query = query.outerjoin(latest, latest.c.model == model_table.c.id)
        column = latest.c.value
        rank = case((latest.c.model.is_(None), 2), (latest.c.nan, 1), else_=0)
    elif order.key == "lifecycle_stage":  # one for all that a search finds
        return query
    else:
        column = _ATTRIBUTES[order.key]
        optional = order.key in {"model_type", "source_run_id", "status_message"}
        rank = case((column == "" if optional else column.is_(None), 1), else_=0)
    return query.order_by(rank, column.asc() if order.ascending else column.desc())


def _latest(order: Order, number: int) -> Subquery:
    """Each model's last point of a metric, on one dataset or on any."""
    ranked = (
        select(
            metric_table.c.model,
            metric_table.c.value,
            metric_table.c.nan,
            func.row_number()
            .over(
                partition_by=metric_table.c.model,
                order_by=(
                    metric_table.c.at.desc(),
                    metric_table.c.step.desc(),
                    metric_table.c.run,
                    metric_table.c.point,
                ),
            )
            .label("place"),
        )
        .where(metric_table.c.key == order.key, _of_dataset(order.dataset, order.digest))
        .subquery()
    )
    return select(ranked).where(ranked.c.place == 1).subquery(f"order_{number}")
