"""Where scans of model versions are kept, and who agreed to load what."""

from dataclasses import asdict
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    Text,
    delete,
    select,
)

from athanor.kernel import Database, Instant, Json, metadata, new_id
from athanor.kernel.upserts import dialect_of
from athanor.registry.scans import Consent, Scan, VersionScan
from athanor.registry.store.tables import NAME


class SafetyStore(Protocol):
    """Scans and consents."""

    def keep_scan(self, found: VersionScan) -> None:
        """Keep a version's scan, in place of an earlier one."""
        ...

    def find_scan(self, model: str, number: int) -> VersionScan | None:
        """The scan of a version."""
        ...

    def grant(self, consent: Consent) -> None:
        """Keep a consent, in place of an earlier one for the same project and model."""
        ...

    def withdraw(self, project: str, model: str) -> bool:
        """Take a consent back; whether there was one."""
        ...

    def list_consents(self, project: str | None) -> list[Consent]:
        """Consents in force, by project and model."""
        ...


scan_table = Table(
    "registry_scan",
    metadata,
    Column("model", String(NAME), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(80), nullable=False),
    Column("scan", Json, nullable=False),
    Column("scanned_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["model", "number"],
        ["registry_version.model", "registry_version.number"],
        name="fk_registry_scan_model_registry_version",
        onupdate="CASCADE",
        ondelete="CASCADE",
    ),
)

consent_table = Table(
    "registry_consent",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False, index=True),
    Column(
        "model",
        String(NAME),
        ForeignKey("registry_model.name", onupdate="CASCADE", ondelete="CASCADE"),
    ),
    Column("level", String(16), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("granted_by", String(255), nullable=False),
    Column("granted_at", Instant, nullable=False),
)


class SqlSafetyStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def keep_scan(self, found: VersionScan) -> None:
        """Keep a version's scan, in place of an earlier one."""
        row = {
            "model": found.model,
            "number": found.number,
            "digest": found.digest,
            "scan": asdict(found.scan),
            "scanned_at": found.scanned_at,
        }
        add = self._dialect.insert(scan_table).values(row)
        changed = {name: row[name] for name in ("digest", "scan", "scanned_at")}
        with self._database.connection() as connection:
            connection.execute(
                add.on_conflict_do_update(index_elements=["model", "number"], set_=changed)
            )

    def find_scan(self, model: str, number: int) -> VersionScan | None:
        """The scan of a version."""
        query = select(scan_table).where(scan_table.c.model == model, scan_table.c.number == number)
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        return VersionScan(
            model=row["model"],
            number=row["number"],
            digest=row["digest"],
            scan=msgspec.convert(row["scan"], Scan),
            scanned_at=row["scanned_at"],
        )

    def grant(self, consent: Consent) -> None:
        """Keep a consent, in place of an earlier one for the same project and model."""
        row = asdict(consent) | {"id": new_id(), "model": consent.model or None}
        with self._database.transaction() as connection:
            connection.execute(delete(consent_table).where(*_here(consent.project, consent.model)))
            connection.execute(consent_table.insert().values(row))

    def withdraw(self, project: str, model: str) -> bool:
        """Take a consent back; whether there was one."""
        with self._database.connection() as connection:
            done = connection.execute(delete(consent_table).where(*_here(project, model)))
            return bool(done.rowcount)

    def list_consents(self, project: str | None) -> list[Consent]:
        """Consents in force, by project and model."""
        query = select(consent_table).order_by(consent_table.c.project, consent_table.c.model)
        if project is not None:
            query = query.where(consent_table.c.project == project)
        with self._database.connection() as connection:
            return [
                Consent(
                    **{name: row[name] for name in Consent.__dataclass_fields__ if name != "model"},
                    model=row["model"] or "",
                )
                for row in connection.execute(query).mappings()
            ]


def _here(project: str, model: str) -> tuple[Any, ...]:
    if model:
        return (consent_table.c.model == model,)
    return (consent_table.c.project == project, consent_table.c.model.is_(None))
