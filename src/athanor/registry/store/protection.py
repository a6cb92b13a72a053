"""Where it is kept which aliases are protected, what gates said, and who was asked."""

from dataclasses import asdict
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    delete,
    or_,
    select,
    update,
)

from athanor.kernel import Database, Instant, Json, Verdict, metadata
from athanor.registry.protection import (
    Approval,
    ApprovalRequest,
    GateRule,
    Judgement,
    Protection,
    RequestFilter,
)
from athanor.registry.store.tables import NAME


class ProtectionStore(Protocol):
    """Protections, judgements and approval requests."""

    def protect(self, protection: Protection) -> None:
        """Keep a protection, in place of an earlier one of the same alias."""
        ...

    def unprotect(self, project: str, model: str | None, alias: str) -> bool:
        """Remove a protection; whether there was one."""
        ...

    def protections(self, project: str | None, model: str | None) -> list[Protection]:
        """Those of a project or, with a model, those that hold for it; by alias."""
        ...

    def add_judgement(self, judgement: Judgement) -> None:
        """Keep what the gates said."""
        ...

    def judgements(self, model: str, number: int | None, limit: int) -> list[Judgement]:
        """What gates said of a model's versions, newest first."""
        ...

    def find_judgement(self, judgement_id: str) -> Judgement | None:
        """The judgement of this id."""
        ...

    def add_request(self, request: ApprovalRequest) -> None:
        """Keep a request."""
        ...

    def change_request(self, request: ApprovalRequest) -> None:
        """Keep a request as it is now."""
        ...

    def find_request(self, request_id: str, *, lock: bool = False) -> ApprovalRequest | None:
        """The request of this id; with `lock`, others wait until the transaction ends."""
        ...

    def requests(self, query: RequestFilter) -> list[ApprovalRequest]:
        """Requests, newest first."""
        ...

    def pending(self, model: str, alias: str) -> list[ApprovalRequest]:
        """Requests for an alias that are open, or agreed to and not used yet; newest first."""
        ...


def _model(*, nullable: bool = False) -> "Column[str]":
    return Column(
        "model",
        String(NAME),
        ForeignKey("registry_model.name", onupdate="CASCADE", ondelete="CASCADE"),
        nullable=nullable,
    )


protection_table = Table(
    "registry_protection",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    _model(nullable=True),
    Column("alias", String(NAME), nullable=False, index=True),
    Column("gates", Json, nullable=False),
    Column("approvals", Integer, nullable=False),
    Column("by_others", Boolean, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
)

judgement_table = Table(
    "registry_judgement",
    metadata,
    Column("id", String(32), primary_key=True),
    _model(),
    Column("number", Integer, nullable=False),
    Column("alias", String(NAME), nullable=False),
    Column("holder", Integer),
    Column("passed", Boolean, nullable=False),
    Column("verdicts", Json, nullable=False),
    Column("artifact_id", String(32), ForeignKey("lineage_artifact.id")),
    Column("judged_by", String(255), nullable=False),
    Column("judged_at", Instant, nullable=False),
)
Index("ix_registry_judgement_model", judgement_table.c.model, judgement_table.c.number)

request_table = Table(
    "registry_approval",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    _model(),
    Column("alias", String(NAME), nullable=False),
    Column("number", Integer, nullable=False),
    Column("holder", Integer),
    Column("judgement", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("needed", Integer, nullable=False),
    Column("approvals", Json, nullable=False),
    Column("by_others", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", String(255), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("decided_by", String(255), nullable=False),
    Column("decided_at", Instant),
    Column("decision", Text, nullable=False),
)
Index("ix_registry_approval_model_state", request_table.c.model, request_table.c.state)


class SqlProtectionStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def protect(self, protection: Protection) -> None:
        """Keep a protection, in place of an earlier one of the same alias."""
        here = _here(protection.project, protection.model, protection.alias)
        row = asdict(protection) | {"gates": [asdict(rule) for rule in protection.gates]}
        with self._database.transaction() as connection:
            connection.execute(delete(protection_table).where(*here))
            connection.execute(protection_table.insert().values(row))

    def unprotect(self, project: str, model: str | None, alias: str) -> bool:
        """Remove a protection; whether there was one."""
        with self._database.connection() as connection:
            done = connection.execute(delete(protection_table).where(*_here(project, model, alias)))
            return bool(done.rowcount)

    def protections(self, project: str | None, model: str | None) -> list[Protection]:
        """Those of a project or, with a model, those that hold for it; by alias."""
        table = protection_table.c
        query = select(protection_table).order_by(table.alias, table.model)
        if project is not None:
            query = query.where(table.project == project)
        if model is not None:
            query = query.where(or_(table.model == model, table.model.is_(None)))
        with self._database.connection() as connection:
            return [
                Protection(
                    **{
                        name: row[name]
                        for name in Protection.__dataclass_fields__
                        if name != "gates"
                    },
                    gates=msgspec.convert(row["gates"], tuple[GateRule, ...]),
                )
                for row in connection.execute(query).mappings()
            ]

    def add_judgement(self, judgement: Judgement) -> None:
        """Keep what the gates said."""
        row = asdict(judgement) | {"verdicts": [asdict(item) for item in judgement.verdicts]}
        with self._database.connection() as connection:
            connection.execute(judgement_table.insert().values(row))

    def judgements(self, model: str, number: int | None, limit: int) -> list[Judgement]:
        """What gates said of a model's versions, newest first."""
        query = (
            select(judgement_table)
            .where(judgement_table.c.model == model)
            .order_by(judgement_table.c.judged_at.desc(), judgement_table.c.id.desc())
            .limit(limit)
        )
        if number is not None:
            query = query.where(judgement_table.c.number == number)
        with self._database.connection() as connection:
            return [_judgement(row) for row in connection.execute(query).mappings()]

    def find_judgement(self, judgement_id: str) -> Judgement | None:
        """The judgement of this id."""
        query = select(judgement_table).where(judgement_table.c.id == judgement_id)
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _judgement(row)

    def add_request(self, request: ApprovalRequest) -> None:
        """Keep a request."""
        with self._database.connection() as connection:
            connection.execute(request_table.insert().values(_request_row(request)))

    def change_request(self, request: ApprovalRequest) -> None:
        """Keep a request as it is now."""
        here = request_table.c.id == request.id
        with self._database.connection() as connection:
            connection.execute(update(request_table).where(here).values(_request_row(request)))

    def find_request(self, request_id: str, *, lock: bool = False) -> ApprovalRequest | None:
        """The request of this id; with `lock`, others wait until the transaction ends."""
        query = select(request_table).where(request_table.c.id == request_id)
        with self._database.connection() as connection:
            row = connection.execute(query.with_for_update() if lock else query).mappings().first()
        return None if row is None else _request(row)

    def requests(self, query: RequestFilter) -> list[ApprovalRequest]:
        """Requests, newest first."""
        table = request_table.c
        asked = (
            select(request_table)
            .order_by(table.asked_at.desc(), table.id.desc())
            .limit(min(1000, max(1, query.limit)))
        )
        if query.state is not None:
            asked = asked.where(table.state == query.state)
        if query.model is not None:
            asked = asked.where(table.model == query.model)
        with self._database.connection() as connection:
            return [_request(row) for row in connection.execute(asked).mappings()]

    def pending(self, model: str, alias: str) -> list[ApprovalRequest]:
        """Requests for an alias that are open, or agreed to and not used yet; newest first."""
        table = request_table.c
        asked = (
            select(request_table)
            .where(table.model == model, table.alias == alias)
            .where(table.state.in_(("open", "approved")))
            .order_by(table.asked_at.desc(), table.id.desc())
        )
        with self._database.connection() as connection:
            return [_request(row) for row in connection.execute(asked).mappings()]


def _here(project: str, model: str | None, alias: str) -> tuple[Any, ...]:
    table = protection_table.c
    if model is not None:
        return (table.model == model, table.alias == alias)
    return (table.project == project, table.model.is_(None), table.alias == alias)


def _judgement(row: RowMapping) -> Judgement:
    return Judgement(
        **{name: row[name] for name in Judgement.__dataclass_fields__ if name != "verdicts"},
        verdicts=tuple(Verdict(**item) for item in row["verdicts"]),
    )


def _request_row(request: ApprovalRequest) -> dict[str, Any]:
    told = [
        {"who": item.who, "at": item.at.isoformat(), "reason": item.reason}
        for item in request.approvals
    ]
    return asdict(request) | {"approvals": told}


def _request(row: RowMapping) -> ApprovalRequest:
    return ApprovalRequest(
        **{name: row[name] for name in ApprovalRequest.__dataclass_fields__ if name != "approvals"},
        approvals=msgspec.convert(row["approvals"], tuple[Approval, ...]),
    )
