"""Where webhooks are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Column, Index, RowMapping, String, Table, Text, delete, select, update

from athanor.kernel import Database, Instant, Json, metadata
from athanor.registry.webhooks import ACTIVE, Webhook


@dataclass(frozen=True, slots=True)
class KeptWebhook:
    """A webhook with its locked secret."""

    webhook: Webhook
    secret: str | None = field(repr=False)


class WebhookStore(Protocol):
    """Webhooks and their locked secrets."""

    def add(self, webhook: Webhook, secret: str | None) -> None:
        """Add a webhook."""
        ...

    def find(self, webhook_id: str) -> KeptWebhook | None:
        """The webhook of this id."""
        ...

    def page(self, project: str, limit: int, offset: int) -> list[Webhook]:
        """A project's webhooks, newest first."""
        ...

    def told_of(self, project: str, event: str) -> list[Webhook]:
        """The active webhooks of a project that are told of an event."""
        ...

    def change(self, webhook_id: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a webhook."""
        ...

    def remove(self, webhook_id: str) -> bool:
        """Remove a webhook; whether it was there."""
        ...


webhook_table = Table(
    "registry_webhook",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("name", String(63), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Json, nullable=False),
    Column("description", Text),
    Column("status", String(16), nullable=False),
    Column("secret", Text),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
Index("ix_registry_webhook_project", webhook_table.c.project, webhook_table.c.created_at)


class SqlWebhookStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, webhook: Webhook, secret: str | None) -> None:
        """Add a webhook."""
        row = {
            name: getattr(webhook, name)
            for name in webhook_table.c.keys()  # noqa: SIM118 - columns, not a mapping
            if name != "secret"
        }
        with self._database.connection() as connection:
            connection.execute(webhook_table.insert().values(**row, secret=secret))

    def find(self, webhook_id: str) -> KeptWebhook | None:
        """The webhook of this id."""
        query = select(webhook_table).where(webhook_table.c.id == webhook_id)
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else KeptWebhook(_webhook(row), row["secret"])

    def page(self, project: str, limit: int, offset: int) -> list[Webhook]:
        """A project's webhooks, newest first."""
        query = (
            select(webhook_table)
            .where(webhook_table.c.project == project)
            .order_by(webhook_table.c.created_at.desc(), webhook_table.c.id.desc())
            .limit(limit)
            .offset(offset)
        )
        with self._database.connection() as connection:
            return [_webhook(row) for row in connection.execute(query).mappings()]

    def told_of(self, project: str, event: str) -> list[Webhook]:
        """The active webhooks of a project that are told of an event."""
        query = select(webhook_table).where(
            webhook_table.c.project == project, webhook_table.c.status == ACTIVE
        )
        with self._database.connection() as connection:
            found = [_webhook(row) for row in connection.execute(query).mappings()]
        return [webhook for webhook in found if event in webhook.events]

    def change(self, webhook_id: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a webhook."""
        statement = update(webhook_table).where(webhook_table.c.id == webhook_id).values(changes)
        with self._database.connection() as connection:
            connection.execute(statement)

    def remove(self, webhook_id: str) -> bool:
        """Remove a webhook; whether it was there."""
        statement = delete(webhook_table).where(webhook_table.c.id == webhook_id)
        with self._database.connection() as connection:
            return connection.execute(statement).rowcount > 0


def _webhook(row: RowMapping) -> Webhook:
    told = {
        name: row[name] for name in Webhook.__dataclass_fields__ if name not in {"events", "signed"}
    }
    return Webhook(**told, events=tuple(row["events"]), signed=bool(row["secret"]))
