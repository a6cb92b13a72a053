"""What is known of runs that came from another store."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Column, String, Table, select

from athanor.kernel import Database, Instant, metadata
from athanor.kernel.plain import Plain, marks
from athanor.tracking.store.tables import run_table

_MANY = 500

transfer_table = Table(
    "tracking_transfer",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("mark", String(80), nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)


class TransferStore(Protocol):
    """The marks of what has arrived whole, and lists of what may leave."""

    def marks(self, subjects: Sequence[str]) -> dict[str, str]:
        """The marks of these runs and logged models; those without one are left out."""
        ...

    def set_marks(self, marks: Mapping[str, str], at: datetime) -> None:
        """Set marks."""
        ...

    def runs_after(self, experiment: str, after: str, limit: int) -> list[str]:
        """The ids of an experiment's runs, deleted ones too, behind one, by id."""
        ...

    def models_after(self, experiment: str, after: str, limit: int) -> list[str]:
        """The ids of an experiment's logged models, deleted ones too, behind one, by id."""
        ...

    def deleted_at(self, run_ids: Iterable[str]) -> dict[str, datetime]:
        """When runs were deleted."""
        ...


class SqlTransferStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)

    def marks(self, subjects: Sequence[str]) -> dict[str, str]:
        """The marks of these runs and logged models; those without one are left out."""
        found: dict[str, str] = {}
        for start in range(0, len(subjects), _MANY):
            some = subjects[start : start + _MANY]
            query = (
                "SELECT subject, mark FROM tracking_transfer"  # noqa: S608 - marks are written in
                f" WHERE subject IN ({marks(len(some))})"
            )
            found |= {row[0]: row[1] for row in self._plain.fetch(query, some)}
        return found

    def set_marks(self, marks: Mapping[str, str], at: datetime) -> None:
        """Set marks."""
        stamp = int(at.timestamp() * 1_000_000)
        self._plain.many(
            "INSERT INTO tracking_transfer (subject, mark, at) VALUES (?, ?, ?)"
            " ON CONFLICT (subject) DO UPDATE SET mark = excluded.mark, at = excluded.at",
            [(subject, mark, stamp) for subject, mark in marks.items()],
        )

    def runs_after(self, experiment: str, after: str, limit: int) -> list[str]:
        """The ids of an experiment's runs, deleted ones too, behind one, by id."""
        rows = self._plain.fetch(
            "SELECT run FROM tracking_run WHERE experiment = ? AND run > ? ORDER BY run LIMIT ?",
            (experiment, after, limit),
        )
        return [str(row[0]) for row in rows]

    def models_after(self, experiment: str, after: str, limit: int) -> list[str]:
        """The ids of an experiment's logged models, deleted ones too, behind one, by id."""
        rows = self._plain.fetch(
            "SELECT id FROM tracking_logged_model WHERE experiment = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            (experiment, after, limit),
        )
        return [str(row[0]) for row in rows]

    def deleted_at(self, run_ids: Iterable[str]) -> dict[str, datetime]:
        """When runs were deleted."""
        query = select(run_table.c.run, run_table.c.deleted_at).where(
            run_table.c.run.in_(list(run_ids)), run_table.c.deleted_at.is_not(None)
        )
        with self._database.connection() as connection:
            return {row.run: row.deleted_at for row in connection.execute(query)}
