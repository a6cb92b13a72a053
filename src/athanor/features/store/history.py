"""Versions of views, pushed rows, training sets, materializations, and who is at work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import select

from athanor.features.records import Pushed
from athanor.features.store.tables import (
    counter_table,
    materialization_table,
    push_table,
    receipt_table,
    training_table,
    version_table,
    workers_table,
)
from athanor.features.types import Materialization, TrainingSet, ViewVersion
from athanor.kernel import Database
from athanor.kernel.leases import Leases, SqlLeases
from athanor.kernel.upserts import dialect_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRow:
    """A pushed row that is in no version yet."""

    seq: int
    version: int
    """The newest version when it was pushed; 0 where there was none."""
    row: dict[str, Any]


class HistoryStore(Protocol):
    """What views have been. Versions and training sets are never changed."""

    @property
    def leases(self) -> Leases:
        """Who builds or materializes which view."""
        ...

    def append_version(self, version: ViewVersion) -> None:
        """Add a version. Its number must not exist."""
        ...

    def replace_version(self, version: ViewVersion) -> None:
        """Say of a version that its rows were erased."""
        ...

    def versions(self, project: str, view: str) -> list[ViewVersion]:
        """All versions, newest first."""
        ...

    def find_version(self, project: str, view: str, number: int | None) -> ViewVersion | None:
        """A version; None asks for the newest that is ready."""
        ...

    def count_pushes(self, project: str, view: str, rows: int) -> int:
        """The number of the first of so many pushed rows; the others follow it."""
        ...

    def add_pushes(self, project: str, view: str, rows: Sequence[PendingRow], at: datetime) -> None:
        """Keep pushed rows."""
        ...

    def pending(self, project: str, view: str, most: int | None = None) -> list[PendingRow]:
        """Pushed rows that are in no version yet, in their order; the first of them."""
        ...

    def drop_pending(self, project: str, view: str, numbers: Sequence[int]) -> None:
        """Remove pushed rows of these numbers."""
        ...

    def forget_pending(self, project: str, view: str, seq: int) -> int:
        """Remove pushed rows up to a number; how many."""
        ...

    def receipt(self, project: str, view: str, key: str) -> Pushed | None:
        """What was answered to a push of this key."""
        ...

    def keep_receipt(self, project: str, pushed: Pushed, key: str, at: datetime) -> None:
        """Keep what was answered to a push."""
        ...

    def add_training_set(self, made: TrainingSet) -> None:
        """Add a training set."""
        ...

    def training_sets(self, project: str, name: str | None = None) -> list[TrainingSet]:
        """Training sets, newest first."""
        ...

    def materialization(self, project: str, view: str) -> Materialization | None:
        """How far a view is online."""
        ...

    def put_materialization(self, state: Materialization) -> None:
        """Say how far a view is online."""
        ...

    def remove_view(self, project: str, view: str) -> None:
        """Forget pushes, receipts and materializations of a view; its versions stay."""
        ...


class SqlHistoryStore:
    """The history in the metadata database."""

    def __init__(self, database: Database) -> None:
        self.leases = SqlLeases(database, workers_table)
        self._database = database
        self._dialect: Any = dialect_of(database)

    def append_version(self, version: ViewVersion) -> None:
        """Add a version."""
        row = {
            "project": version.project,
            "view": version.view,
            "number": version.number,
            "state": version.state,
            "body": msgspec.to_builtins(version),
            "created_at": version.created_at,
        }
        with self._database.connection() as connection:
            connection.execute(version_table.insert().values(row))

    def replace_version(self, version: ViewVersion) -> None:
        """Say of a version that its rows were erased."""
        table = version_table.c
        change = version_table.update().where(
            table.project == version.project,
            table.view == version.view,
            table.number == version.number,
        )
        body = msgspec.to_builtins(version)
        with self._database.connection() as connection:
            connection.execute(change.values(state=version.state, body=body))

    def versions(self, project: str, view: str) -> list[ViewVersion]:
        """All versions, newest first."""
        table = version_table.c
        query = (
            select(table.body)
            .where(table.project == project, table.view == view)
            .order_by(table.number.desc())
        )
        with self._database.connection() as connection:
            found = connection.execute(query).scalars()
            return [msgspec.convert(body, ViewVersion, strict=False) for body in found]

    def find_version(self, project: str, view: str, number: int | None) -> ViewVersion | None:
        """A version, or the newest that is ready."""
        table = version_table.c
        wanted = table.state == "ready" if number is None else table.number == number
        query = (
            select(table.body)
            .where(table.project == project, table.view == view, wanted)
            .order_by(table.number.desc())
            .limit(1)
        )
        with self._database.connection() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else msgspec.convert(body, ViewVersion, strict=False)

    def count_pushes(self, project: str, view: str, rows: int) -> int:
        """The number of the first of so many pushed rows."""
        counted = (
            self._dialect.insert(counter_table)
            .values(project=project, view=view, last=rows)
            .on_conflict_do_update(
                index_elements=["project", "view"], set_={"last": counter_table.c.last + rows}
            )
            .returning(counter_table.c.last)
        )
        with self._database.connection() as connection:
            return int(connection.execute(counted).scalar() or 0) - rows + 1

    def add_pushes(self, project: str, view: str, rows: Sequence[PendingRow], at: datetime) -> None:
        """Keep pushed rows."""
        kept = [
            {"project": project, "view": view, "seq": row.seq, "version": row.version,
             "row": row.row, "pushed_at": at}
            for row in rows
        ]  # fmt: skip
        if kept:
            with self._database.connection() as connection:
                connection.execute(push_table.insert(), kept)

    def pending(self, project: str, view: str, most: int | None = None) -> list[PendingRow]:
        """Pushed rows that are in no version yet."""
        table = push_table.c
        query = (
            select(table.seq, table.version, table.row)
            .where(table.project == project, table.view == view)
            .order_by(table.seq)
            .limit(most)
        )
        with self._database.connection() as connection:
            return [PendingRow(**row) for row in connection.execute(query).mappings()]

    def drop_pending(self, project: str, view: str, numbers: Sequence[int]) -> None:
        """Remove pushed rows of these numbers."""
        table = push_table.c
        gone = push_table.delete().where(
            table.project == project, table.view == view, table.seq.in_(numbers)
        )
        with self._database.connection() as connection:
            connection.execute(gone)

    def forget_pending(self, project: str, view: str, seq: int) -> int:
        """Remove pushed rows up to a number."""
        table = push_table.c
        gone = push_table.delete().where(
            table.project == project, table.view == view, table.seq <= seq
        )
        with self._database.connection() as connection:
            return connection.execute(gone).rowcount

    def receipt(self, project: str, view: str, key: str) -> Pushed | None:
        """What was answered to a push of this key."""
        table = receipt_table.c
        query = select(table.answer).where(
            table.project == project, table.view == view, table.key == key
        )
        with self._database.connection() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else msgspec.convert(found, Pushed)

    def keep_receipt(self, project: str, pushed: Pushed, key: str, at: datetime) -> None:
        """Keep what was answered to a push."""
        row = {"project": project, "view": pushed.view, "key": key, "at": at}
        answer = msgspec.to_builtins(pushed)
        with self._database.connection() as connection:
            connection.execute(receipt_table.insert().values(row | {"answer": answer}))

    def add_training_set(self, made: TrainingSet) -> None:
        """Add a training set."""
        row = {
            "project": made.project,
            "name": made.name,
            "version": made.version,
            "body": msgspec.to_builtins(made),
            "created_at": made.created_at,
        }
        with self._database.connection() as connection:
            connection.execute(training_table.insert().values(row))

    def training_sets(self, project: str, name: str | None = None) -> list[TrainingSet]:
        """Training sets, newest first."""
        table = training_table.c
        query = select(table.body).where(table.project == project)
        if name is not None:
            query = query.where(table.name == name)
        query = query.order_by(table.created_at.desc(), table.version.desc())
        with self._database.connection() as connection:
            found = connection.execute(query).scalars()
            return [msgspec.convert(body, TrainingSet, strict=False) for body in found]

    def materialization(self, project: str, view: str) -> Materialization | None:
        """How far a view is online."""
        table = materialization_table.c
        query = select(table.body).where(table.project == project, table.view == view)
        with self._database.connection() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else msgspec.convert(body, Materialization, strict=False)

    def put_materialization(self, state: Materialization) -> None:
        """Say how far a view is online."""
        body = msgspec.to_builtins(state)
        with self._database.connection() as connection:
            connection.execute(
                self._dialect.insert(materialization_table)
                .values(project=state.project, view=state.view, body=body)
                .on_conflict_do_update(index_elements=["project", "view"], set_={"body": body})
            )

    def remove_view(self, project: str, view: str) -> None:
        """Forget what is pending of a view."""
        with self._database.transaction() as connection:
            for table in (push_table, receipt_table, materialization_table):
                gone = table.delete().where(table.c.project == project, table.c.view == view)
                connection.execute(gone)
