"""Where endpoints and deployments are kept."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    select,
    update,
)

from athanor.kernel.database import Database, Instant, Json, metadata
from athanor.kernel.plain import Columns, Plain, Row
from athanor.serving.types import Deployment, Endpoint


class EndpointStore(Protocol):
    """Endpoints and their deployments."""

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """Add an endpoint without deployments."""
        ...

    def find(self, name: str) -> Endpoint | None:
        """The endpoint of this name, with its deployments, newest first."""
        ...

    def all(self) -> list[Endpoint]:
        """Every endpoint with its deployments, by name."""
        ...

    def change_endpoint(self, name: str, changes: Mapping[str, Any]) -> None:
        """Set fields of an endpoint, and count its revision up."""
        ...

    def remove(self, name: str) -> None:
        """Take an endpoint and its deployments away."""
        ...

    def add_deployment(self, deployment: Deployment, key: str | None = None) -> Deployment:
        """Add a deployment under its endpoint's next number."""
        ...

    def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment with this id."""
        ...

    def by_key(self, endpoint: str, key: str) -> Deployment | None:
        """The deployment that a call with this idempotency key made."""
        ...

    def change_deployment(self, deployment_id: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a deployment."""
        ...


endpoint_table = Table(
    "serving_endpoint",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("key", String(255), nullable=False),
    Column("follow", String(500), nullable=False),
    Column("rules", Json, nullable=False),
    Column("sticky", String(255), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("earlier", Json, nullable=False),
    Column("log", Json, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
)

deployment_table = Table(
    "serving_deployment",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("endpoint", String(63), ForeignKey("serving_endpoint.name"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("model", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("artifact", String(32), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("signature", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("share", Float, nullable=False),
    Column("replicas", Integer, nullable=False),
    Column("canary", Json),
    Column("rollout", Json, nullable=False),
    Column("scaling", Json),
    Column("runtime", Json),
    Column("features", Json),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("idempotency_key", String(255)),
    UniqueConstraint("endpoint", "number"),
    UniqueConstraint("endpoint", "idempotency_key", name="uq_serving_deployment_idempotency_key"),
)

_NESTED = frozenset({"signature", "canary", "rollout", "scaling", "runtime", "features"})
_NESTED_OF_ENDPOINT = frozenset({"rules", "earlier", "log"})
_DEPLOYMENT = tuple(deployment_table.c[name] for name in Deployment.__dataclass_fields__)
_COLUMNS = Columns(deployment_table, Deployment.__dataclass_fields__)
_COLUMNS_OF_ENDPOINT = Columns(endpoint_table, endpoint_table.c.keys())
_ALL_DEPLOYMENTS = f"SELECT {_COLUMNS.listed} FROM serving_deployment ORDER BY number DESC"  # noqa: S608 - names are our own
_ALL_ENDPOINTS = f"SELECT {_COLUMNS_OF_ENDPOINT.listed} FROM serving_endpoint ORDER BY name"  # noqa: S608 - names are our own


class SqlEndpointStore:
    """Endpoints and deployments in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)
        self._read: tuple[tuple[list[Row], list[Row]], list[Endpoint]] = ([], []), []
        """All rows of both tables when they were last looked at, and what they say."""

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """Add an endpoint without deployments."""
        row = {column.name: getattr(endpoint, column.name) for column in endpoint_table.c}
        row |= {name: msgspec.to_builtins(row[name]) for name in _NESTED_OF_ENDPOINT}
        with self._database.connection() as connection:
            connection.execute(endpoint_table.insert().values(row))

    def find(self, name: str) -> Endpoint | None:
        """The endpoint of this name, with its deployments, newest first."""
        with self._database.connection() as connection:
            query = select(endpoint_table).where(endpoint_table.c.name == name)
            row = connection.execute(query).mappings().first()
            if row is None:
                return None
            found = connection.execute(
                select(*_DEPLOYMENT)
                .where(deployment_table.c.endpoint == name)
                .order_by(deployment_table.c.number.desc())
            ).mappings()
            return _endpoint(row, tuple(map(_deployment, found)))

    def all(self) -> list[Endpoint]:
        """Every endpoint with its deployments, by name."""
        # Whoever tends the endpoints looks several times a second, and little has changed.
        with self._database.reading():
            rows = self._plain.fetch(_ALL_ENDPOINTS), self._plain.fetch(_ALL_DEPLOYMENTS)
        before, found = self._read
        if before != rows:
            found = _endpoints(*rows)
            self._read = rows, found
        return [*found]

    def change_endpoint(self, name: str, changes: Mapping[str, Any]) -> None:
        """Set fields of an endpoint, and count its revision up."""
        plain = {
            name: msgspec.to_builtins(value) if name in _NESTED_OF_ENDPOINT else value
            for name, value in changes.items()
        }
        counted = {**plain, "revision": endpoint_table.c.revision + 1}
        with self._database.connection() as connection:
            connection.execute(
                update(endpoint_table).where(endpoint_table.c.name == name).values(counted)
            )

    def remove(self, name: str) -> None:
        """Take an endpoint and its deployments away."""
        with self._database.transaction() as connection:
            connection.execute(delete(deployment_table).where(deployment_table.c.endpoint == name))
            connection.execute(delete(endpoint_table).where(endpoint_table.c.name == name))

    def add_deployment(self, deployment: Deployment, key: str | None = None) -> Deployment:
        """Add a deployment under its endpoint's next number."""
        with self._database.transaction() as connection:
            last = connection.execute(
                select(func.max(deployment_table.c.number)).where(
                    deployment_table.c.endpoint == deployment.endpoint
                )
            ).scalar()
            row = _row(deployment) | {"number": (last or 0) + 1, "idempotency_key": key}
            connection.execute(deployment_table.insert().values(row))
            query = select(*_DEPLOYMENT).where(deployment_table.c.id == deployment.id)
            return _deployment(connection.execute(query).mappings().one())

    def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment with this id."""
        with self._database.connection() as connection:
            query = select(*_DEPLOYMENT).where(deployment_table.c.id == deployment_id)
            row = connection.execute(query).mappings().first()
        return None if row is None else _deployment(row)

    def by_key(self, endpoint: str, key: str) -> Deployment | None:
        """The deployment that a call with this idempotency key made."""
        with self._database.connection() as connection:
            query = select(*_DEPLOYMENT).where(
                deployment_table.c.endpoint == endpoint,
                deployment_table.c.idempotency_key == key,
            )
            row = connection.execute(query).mappings().first()
        return None if row is None else _deployment(row)

    def change_deployment(self, deployment_id: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a deployment."""
        values = {
            name: msgspec.to_builtins(value) if name in _NESTED else value
            for name, value in changes.items()
        }
        with self._database.connection() as connection:
            connection.execute(
                update(deployment_table)
                .where(deployment_table.c.id == deployment_id)
                .values(values)
            )


def _endpoints(rows: Sequence[Row], of_deployments: Sequence[Row]) -> list[Endpoint]:
    deployments: dict[str, list[Deployment]] = {}
    for row in map(_COLUMNS.read, of_deployments):
        deployments.setdefault(row["endpoint"], []).append(_deployment(row))
    return [
        _endpoint(row, tuple(deployments.get(row["name"], ())))
        for row in map(_COLUMNS_OF_ENDPOINT.read, rows)
    ]


def _endpoint(row: Mapping[Any, Any], deployments: tuple[Deployment, ...]) -> Endpoint:
    fields = Endpoint.__dataclass_fields__
    nested = {name: msgspec.convert(row[name], fields[name].type) for name in _NESTED_OF_ENDPOINT}
    return Endpoint(**(dict(row) | nested), deployments=deployments)


def _row(deployment: Deployment) -> dict[str, Any]:
    values = {name: getattr(deployment, name) for name in Deployment.__dataclass_fields__}
    return values | {name: msgspec.to_builtins(values[name]) for name in _NESTED}


def _deployment(row: Mapping[Any, Any]) -> Deployment:
    fields = Deployment.__dataclass_fields__
    nested = {name: msgspec.convert(row[name], fields[name].type) for name in _NESTED}
    return Deployment(**(dict(row) | nested))
