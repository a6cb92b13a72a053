"""Migrations make what the rooms' tables say, and refuse what they do not know."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from athanor.app.tables import load_all_tables
from athanor.kernel.database import Database, metadata
from athanor.kernel.schema import HEAD, SchemaTooNew, alembic_config, migrate, revision_of
from athanor.testing.database import Postgres


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database.open(f"sqlite:///{tmp_path / 'empty.db'}")
    server: Postgres = request.getfixturevalue("postgres")
    return Database.open(server.create(f"empty_{tmp_path.name}".lower().replace("-", "_")))


def test_the_migrations_make_every_rooms_tables(empty: Database) -> None:
    load_all_tables()
    assert revision_of(empty) is None
    migrate(empty)
    assert revision_of(empty) == HEAD
    with empty.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    migrate(empty)
    empty.close()


def test_a_newer_schema_is_refused(empty: Database) -> None:
    migrate(empty)
    with empty.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="9999"):
        migrate(empty)
    empty.close()


def test_an_older_schema_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    database = Database.open(f"sqlite:///{path}")
    with database.transaction() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    migrate(database)
    assert revision_of(database) == HEAD
    assert len(list(tmp_path.glob("old.db.0001-*.backup"))) == 1
    database.close()
