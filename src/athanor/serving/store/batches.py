"""Where batch predictions are kept."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    select,
    update,
)

from athanor.kernel.database import Database, Instant, Json, metadata
from athanor.serving.types.batches import Batch


class BatchStore(Protocol):
    """Batch predictions."""

    def add(self, batch: Batch, key: str | None = None) -> None:
        """Add a batch, maybe under an idempotency key."""
        ...

    def find(self, batch_id: str) -> Batch | None:
        """The batch with this id."""
        ...

    def by_key(self, project: str, key: str) -> Batch | None:
        """The batch that a call with this idempotency key made."""
        ...

    def page(self, project: str, *, state: str = "", limit: int = 100) -> list[Batch]:
        """A project's batches, newest first."""
        ...

    def change(
        self, batch_id: str, changes: Mapping[str, Any], *, while_in: tuple[str, ...] = ()
    ) -> bool:
        """Set fields, if the batch is in one of these states; whether it was."""
        ...


batch_table = Table(
    "serving_batch",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("model", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("artifact", String(32), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("source", Json, nullable=False),
    Column("to", String(80), nullable=False),
    Column("settings", Json, nullable=False),
    Column("rows", BigInteger),
    Column("rows_done", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("chunks_done", Integer, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dataset_version", Integer),
    Column("output", String(32)),
    Column("error", Json),
    Column("figures", Json, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("open_key", Text, unique=True),
)
Index("ix_serving_batch_project", batch_table.c.project, batch_table.c.created_at)

_COLUMNS = tuple(batch_table.c[name] for name in Batch.__dataclass_fields__)


class SqlBatchStore:
    """Batch predictions in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batch: Batch, key: str | None = None) -> None:
        """Add a batch, maybe under an idempotency key."""
        row = {name: getattr(batch, name) for name in Batch.__dataclass_fields__}
        kept = None if key is None else _key(batch.project, key)
        with self._database.connection() as connection:
            connection.execute(batch_table.insert().values(**row, open_key=kept))

    def find(self, batch_id: str) -> Batch | None:
        """The batch with this id."""
        return self._first(batch_table.c.id == batch_id)

    def by_key(self, project: str, key: str) -> Batch | None:
        """The batch that a call with this idempotency key made."""
        return self._first(batch_table.c.open_key == _key(project, key))

    def page(self, project: str, *, state: str = "", limit: int = 100) -> list[Batch]:
        """A project's batches, newest first."""
        query = select(*_COLUMNS).where(batch_table.c.project == project)
        if state:
            query = query.where(batch_table.c.state == state)
        query = query.order_by(batch_table.c.created_at.desc(), batch_table.c.id.desc())
        with self._database.connection() as connection:
            return [_batch(row) for row in connection.execute(query.limit(limit)).mappings()]

    def change(
        self, batch_id: str, changes: Mapping[str, Any], *, while_in: tuple[str, ...] = ()
    ) -> bool:
        """Set fields, if the batch is in one of these states; whether it was."""
        statement = update(batch_table).where(batch_table.c.id == batch_id)
        if while_in:
            statement = statement.where(batch_table.c.state.in_(while_in))
        with self._database.connection() as connection:
            return connection.execute(statement.values(dict(changes))).rowcount > 0

    def _first(self, condition: Any) -> Batch | None:
        with self._database.connection() as connection:
            row = connection.execute(select(*_COLUMNS).where(condition)).mappings().first()
        return None if row is None else _batch(row)


def _key(project: str, key: str) -> str:
    return f"{project}:{key}"


def _batch(row: RowMapping) -> Batch:
    # Names that SQL reserves come as a kind of text of its own.
    return msgspec.convert({str(name): value for name, value in row.items()}, Batch)
