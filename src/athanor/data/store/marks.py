"""Where words about datasets and versions are kept, and how versions are split."""

from typing import Any, Protocol

import msgspec
from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text, select

from athanor.data.records import Mark, Split
from athanor.kernel import Database, Instant, Json, metadata
from athanor.kernel.upserts import dialect_of


class MarkStore(Protocol):
    """Tags, notes and owners; and named splits."""

    def put_mark(self, dataset_id: str, mark: Mark) -> None:
        """Say something about a version, or about the dataset (number 0); what was said goes."""
        ...

    def list_marks(self, dataset_id: str) -> list[Mark]:
        """All that is said about a dataset and its versions, by number."""
        ...

    def put_split(self, dataset_id: str, split: Split) -> bool:
        """Add a split; False if the version has one of this name already."""
        ...

    def list_splits(self, dataset_id: str, number: int) -> list[Split]:
        """The splits of a version, by name."""
        ...

    def remove_split(self, dataset_id: str, number: int, name: str) -> bool:
        """Remove a split; whether there was one."""
        ...


mark_table = Table(
    "data_mark",
    metadata,
    Column("dataset_id", String(32), ForeignKey("data_dataset.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tags", Json, nullable=False),
    Column("note", Text, nullable=False),
    Column("owners", Json, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", String(255), nullable=False),
)

split_table = Table(
    "data_split",
    metadata,
    Column("dataset_id", String(32), ForeignKey("data_dataset.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("column", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("parts", Json, nullable=False),
    Column("overlaps", Json, nullable=False),
    Column("assignment", String(80), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(255), nullable=False),
)

_MARK = tuple(mark_table.c[name] for name in Mark.__dataclass_fields__)
_SPLIT = tuple(split_table.c[name] for name in Split.__dataclass_fields__)


class SqlMarkStore:
    """Marks and splits in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def put_mark(self, dataset_id: str, mark: Mark) -> None:
        """Say something about a version or a dataset."""
        row = {
            "tags": list(mark.tags),
            "note": mark.note,
            "owners": list(mark.owners),
            "changed_at": mark.changed_at,
            "changed_by": mark.changed_by,
        }
        key = {"dataset_id": dataset_id, "number": mark.number}
        insert = self._dialect.insert(mark_table).values(key | row)
        with self._database.connection() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["dataset_id", "number"], set_=row)
            )

    def list_marks(self, dataset_id: str) -> list[Mark]:
        """All that is said about a dataset and its versions."""
        query = select(*_MARK).where(mark_table.c.dataset_id == dataset_id)
        with self._database.connection() as connection:
            rows = connection.execute(query.order_by(mark_table.c.number)).mappings()
            return [
                msgspec.convert({str(name): value for name, value in row.items()}, Mark)
                for row in rows
            ]

    def put_split(self, dataset_id: str, split: Split) -> bool:
        """Add a split."""
        row = {name: msgspec.to_builtins(getattr(split, name)) for name in _SPLIT_PLAIN}
        row |= {"dataset_id": dataset_id, "created_at": split.created_at}
        insert = self._dialect.insert(split_table).values(row).on_conflict_do_nothing()
        added = insert.returning(split_table.c.name)
        with self._database.connection() as connection:
            return connection.execute(added).first() is not None

    def list_splits(self, dataset_id: str, number: int) -> list[Split]:
        """The splits of a version."""
        query = select(*_SPLIT).where(
            split_table.c.dataset_id == dataset_id, split_table.c.number == number
        )
        with self._database.connection() as connection:
            rows = connection.execute(query.order_by(split_table.c.name)).mappings()
            return [
                msgspec.convert({str(name): value for name, value in row.items()}, Split)
                for row in rows
            ]

    def remove_split(self, dataset_id: str, number: int, name: str) -> bool:
        """Remove a split."""
        gone = split_table.delete().where(
            split_table.c.dataset_id == dataset_id,
            split_table.c.number == number,
            split_table.c.name == name,
        )
        with self._database.connection() as connection:
            return connection.execute(gone).rowcount > 0


_SPLIT_PLAIN = tuple(name for name in Split.__dataclass_fields__ if name != "created_at")
