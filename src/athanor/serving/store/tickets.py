"""Where the tickets of asynchronous predictions are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    func,
    or_,
    select,
    update,
)

from athanor.kernel.database import Database, Instant, Json, metadata
from athanor.serving.types.tickets import Ticket, TicketQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTicket:
    """A ticket with what callers are not shown."""

    ticket: Ticket
    request: str
    """The digest of the request's body."""
    secret: str | None = field(default=None, repr=False)
    """Locked."""
    expires_seconds: float


class TicketStore(Protocol):
    """Tickets."""

    def add(self, kept: KeptTicket, key: str | None = None) -> None:
        """Add a ticket, maybe under an idempotency key."""
        ...

    def find(self, ticket_id: str) -> KeptTicket | None:
        """The ticket with this id."""
        ...

    def by_key(self, endpoint: str, key: str) -> Ticket | None:
        """The ticket that a call with this idempotency key made."""
        ...

    def page(self, project: str, query: TicketQuery, now: datetime) -> list[Ticket]:
        """A project's tickets, newest first."""
        ...

    def waiting(self, endpoint: str) -> int:
        """How many of an endpoint's tickets have not ended."""
        ...

    def change(
        self, ticket_id: str, changes: Mapping[str, Any], *, while_in: tuple[str, ...] = ()
    ) -> bool:
        """Set fields, if the ticket is in one of these states; whether it was."""
        ...

    def expired(self, now: datetime, limit: int = 1_000) -> list[str]:
        """Ids of tickets whose answers are to go."""
        ...

    def remove(self, ticket_id: str) -> None:
        """Take a ticket away."""
        ...


ticket_table = Table(
    "serving_ticket",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("endpoint", String(63), nullable=False),
    Column("route", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", String(80), nullable=False),
    Column("request_bytes", BigInteger, nullable=False),
    Column("answer", String(80)),
    Column("answer_bytes", BigInteger, nullable=False),
    Column("error", Json),
    Column("attempts", Integer, nullable=False),
    Column("webhook", Text, nullable=False),
    Column("secret", Text),
    Column("told", String(16), nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("delivered_at", Instant),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("expires_at", Instant),
    Column("expires_seconds", Float, nullable=False),
    Column("open_key", Text, unique=True),
)
Index("ix_serving_ticket_endpoint", ticket_table.c.endpoint, ticket_table.c.state)
Index("ix_serving_ticket_expires_at", ticket_table.c.expires_at)

_COLUMNS = tuple(ticket_table.c[name] for name in Ticket.__dataclass_fields__)
_OPEN = ("queued", "running")


class SqlTicketStore:
    """Tickets in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kept: KeptTicket, key: str | None = None) -> None:
        """Add a ticket, maybe under an idempotency key."""
        row = {name: getattr(kept.ticket, name) for name in Ticket.__dataclass_fields__}
        row |= {
            "request": kept.request,
            "secret": kept.secret,
            "expires_seconds": kept.expires_seconds,
            "open_key": None if key is None else _key(kept.ticket.endpoint, key),
        }
        with self._database.connection() as connection:
            connection.execute(ticket_table.insert().values(**row))

    def find(self, ticket_id: str) -> KeptTicket | None:
        """The ticket with this id."""
        query = select(ticket_table).where(ticket_table.c.id == ticket_id)
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        return KeptTicket(
            ticket=_ticket(row),
            request=row["request"],
            secret=row["secret"],
            expires_seconds=row["expires_seconds"],
        )

    def by_key(self, endpoint: str, key: str) -> Ticket | None:
        """The ticket that a call with this idempotency key made."""
        query = select(*_COLUMNS).where(ticket_table.c.open_key == _key(endpoint, key))
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _ticket(row)

    def page(self, project: str, query: TicketQuery, now: datetime) -> list[Ticket]:
        """A project's tickets that have not expired, newest first."""
        expires = ticket_table.c.expires_at
        text = select(*_COLUMNS).where(
            ticket_table.c.project == project, or_(expires.is_(None), expires >= now)
        )
        if query.endpoint:
            text = text.where(ticket_table.c.endpoint == query.endpoint)
        if query.state:
            text = text.where(ticket_table.c.state == query.state)
        text = text.order_by(ticket_table.c.created_at.desc(), ticket_table.c.id.desc())
        with self._database.connection() as connection:
            return [_ticket(row) for row in connection.execute(text.limit(query.limit)).mappings()]

    def waiting(self, endpoint: str) -> int:
        """How many of an endpoint's tickets have not ended."""
        query = select(func.count()).where(
            ticket_table.c.endpoint == endpoint, ticket_table.c.state.in_(_OPEN)
        )
        with self._database.connection() as connection:
            return int(connection.execute(query).scalar() or 0)

    def change(
        self, ticket_id: str, changes: Mapping[str, Any], *, while_in: tuple[str, ...] = ()
    ) -> bool:
        """Set fields, if the ticket is in one of these states; whether it was."""
        statement = update(ticket_table).where(ticket_table.c.id == ticket_id)
        if while_in:
            statement = statement.where(ticket_table.c.state.in_(while_in))
        with self._database.connection() as connection:
            return connection.execute(statement.values(dict(changes))).rowcount > 0

    def expired(self, now: datetime, limit: int = 1_000) -> list[str]:
        """Ids of tickets whose answers are to go."""
        query = (
            select(ticket_table.c.id)
            .where(ticket_table.c.expires_at < now, ticket_table.c.told != "waiting")
            .limit(limit)
        )
        with self._database.connection() as connection:
            return list(connection.execute(query).scalars())

    def remove(self, ticket_id: str) -> None:
        """Take a ticket away."""
        with self._database.connection() as connection:
            connection.execute(ticket_table.delete().where(ticket_table.c.id == ticket_id))


def _key(endpoint: str, key: str) -> str:
    return f"{endpoint}:{key}"


def _ticket(row: RowMapping) -> Ticket:
    return Ticket(**{name: row[name] for name in Ticket.__dataclass_fields__})
