"""Where hints are kept."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table, Text, delete, insert, select

from athanor.kernel import Database, Instant, Json, metadata
from athanor.kernel.plain import Plain
from athanor.tracking.hints import Hint
from athanor.tracking.store.tables import latest_table


class HintStore(Protocol):
    """What is wrong with runs."""

    def of(self, run_id: str) -> list[Hint]:
        """A run's hints, in the order in which they were noticed."""
        ...

    def replace(self, run_id: str, hints: Sequence[Hint]) -> None:
        """Let these be a run's hints."""
        ...

    def logged(self, run_id: str) -> bool:
        """Whether a run has any point."""
        ...


hint_table = Table(
    "tracking_hint",
    metadata,
    Column("run", String(32), ForeignKey("tracking_run.run"), primary_key=True),
    Column("rule", String(32), primary_key=True),
    Column("metric", String(250), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("measured", Json, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
_LOGGED = f"SELECT 1 FROM {latest_table.name} WHERE run = ? LIMIT 1"  # noqa: S608 - our own name
_HINT = tuple(hint_table.c[name] for name in Hint.__dataclass_fields__)


class SqlHintStore:
    """Hints in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)

    def of(self, run_id: str) -> list[Hint]:
        """A run's hints, in the order in which they were noticed."""
        query = select(*_HINT).where(hint_table.c.run == run_id)
        with self._database.connection() as connection:
            found = connection.execute(query.order_by(hint_table.c.at, hint_table.c.rule))
            return [Hint(**row) for row in found.mappings()]

    def replace(self, run_id: str, hints: Sequence[Hint]) -> None:
        """Let these be a run's hints."""
        rows = [
            {"run": run_id} | {name: getattr(hint, name) for name in Hint.__dataclass_fields__}
            for hint in hints
        ]
        with self._database.transaction() as connection:
            connection.execute(delete(hint_table).where(hint_table.c.run == run_id))
            if rows:
                connection.execute(insert(hint_table), rows)

    def logged(self, run_id: str) -> bool:
        """Whether a run has any point."""
        return self._plain.first(_LOGGED, (run_id,)) is not None
