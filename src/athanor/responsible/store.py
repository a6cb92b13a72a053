"""Where it is noted which artifacts are reports."""

from typing import Any, Protocol

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text, select

from athanor.kernel import Database, Instant, Json, metadata
from athanor.kernel.upserts import dialect_of
from athanor.responsible.types import Report


class ReportStore(Protocol):
    """The reports that there are."""

    def add(self, report: Report) -> None:
        """Note a report; one of the same artifact stays as it is."""
        ...

    def find(self, report_id: str) -> Report | None:
        """The report of this id."""
        ...

    def recent(self, limit: int) -> list[Report]:
        """The newest reports, newest first."""
        ...


report_table = Table(
    "responsible_report",
    metadata,
    Column("id", String(32), ForeignKey("lineage_artifact.id"), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("title", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("run_id", String(32), ForeignKey("lineage_run.id"), nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
)

_REPORT = tuple(report_table.c[name] for name in Report.__dataclass_fields__)


class SqlReportStore:
    """The reports in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def add(self, report: Report) -> None:
        """Note a report; one of the same artifact stays as it is."""
        row = {name: getattr(report, name) for name in Report.__dataclass_fields__}
        with self._database.connection() as connection:
            connection.execute(
                self._dialect.insert(report_table).values(row).on_conflict_do_nothing()
            )

    def find(self, report_id: str) -> Report | None:
        """The report of this id."""
        query = select(*_REPORT).where(report_table.c.id == report_id)
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Report(**row)

    def recent(self, limit: int) -> list[Report]:
        """The newest reports, newest first."""
        query = (
            select(*_REPORT)
            .order_by(report_table.c.created_at.desc(), report_table.c.id.desc())
            .limit(limit)
        )
        with self._database.connection() as connection:
            return [Report(**row) for row in connection.execute(query).mappings()]
