"""Where the sections that people write into model cards are kept."""

from typing import Any, Protocol

from sqlalchemy import Column, ForeignKeyConstraint, Integer, String, Table, Text, delete, select

from athanor.kernel import Database, Instant, metadata
from athanor.kernel.upserts import dialect_of
from athanor.registry.cards import Section
from athanor.registry.store.tables import NAME


class CardStore(Protocol):
    """The written sections of versions' cards."""

    def write(self, model: str, number: int, section: Section) -> None:
        """Keep a section, in place of an earlier one of the same title."""
        ...

    def erase(self, model: str, number: int, title: str) -> bool:
        """Remove a section; whether there was one."""
        ...

    def sections(self, model: str, number: int) -> list[Section]:
        """A version's sections, in the order in which they were first written."""
        ...


section_table = Table(
    "registry_card_section",
    metadata,
    Column("model", String(NAME), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("title", String(100), primary_key=True),
    Column("text", Text, nullable=False),
    Column("written_by", String(255), nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("written_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["model", "number"],
        ["registry_version.model", "registry_version.number"],
        name="fk_registry_card_section_model_registry_version",
        onupdate="CASCADE",
        ondelete="CASCADE",
    ),
)


class SqlCardStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def write(self, model: str, number: int, section: Section) -> None:
        """Keep a section, in place of an earlier one of the same title."""
        changed = {
            "text": section.text,
            "written_by": section.written_by,
            "written_at": section.written_at,
        }
        row = {
            "model": model,
            "number": number,
            "title": section.title,
            "first_at": section.written_at,
            **changed,
        }
        add = self._dialect.insert(section_table).values(row)
        with self._database.connection() as connection:
            connection.execute(
                add.on_conflict_do_update(index_elements=["model", "number", "title"], set_=changed)
            )

    def erase(self, model: str, number: int, title: str) -> bool:
        """Remove a section; whether there was one."""
        table = section_table.c
        here = (table.model == model, table.number == number, table.title == title)
        with self._database.connection() as connection:
            return bool(connection.execute(delete(section_table).where(*here)).rowcount)

    def sections(self, model: str, number: int) -> list[Section]:
        """A version's sections, in the order in which they were first written."""
        table = section_table.c
        query = (
            select(section_table)
            .where(table.model == model, table.number == number)
            .order_by(table.first_at, table.title)
        )
        with self._database.connection() as connection:
            return [
                Section(**{name: row[name] for name in Section.__dataclass_fields__})
                for row in connection.execute(query).mappings()
            ]
