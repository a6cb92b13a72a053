"""The database's schema: created and brought up to date by Alembic's migrations.

At a start that has nothing to migrate, Alembic is not even imported.
"""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from athanor.kernel.database import Database, metadata
from athanor.kernel.errors import Conflict

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0016"
"""The revision that this release works with."""

FOLDER = Path(__file__).with_name("migrations")


class SchemaTooNew(Conflict):
    """The workspace was written by a newer release."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"This workspace was written by a newer Athanor (schema {found}; this release knows "
            f"{HEAD}); nothing was changed.",
            hint="Update with: pip install -U athanor-ml. Or restore a backup made before.",
        )


def revision_of(database: Database) -> str | None:
    """The revision of a database's schema; None if it is empty."""
    with database.connection() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def migrate(database: Database) -> None:
    """Bring the schema to `HEAD`; a SQLite file that has content is copied beside itself first.

    Raises: SchemaTooNew.
    """
    found = revision_of(database)
    if found == HEAD:
        return
    if found is not None:
        known = {path.name.split("_", 1)[0] for path in (FOLDER / "versions").glob("[0-9]*.py")}
        if found not in known:
            raise SchemaTooNew(found)
        _copy_aside(database, found)
    _upgrade(database)


def create_all(database: Database) -> None:
    """Create the tables of every room that is imported, without migrations: for tests."""
    with database.transaction() as connection:
        metadata.create_all(connection)


def _upgrade(database: Database) -> None:
    from alembic import command  # noqa: PLC0415 - only where there is something to migrate

    with database.transaction() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def alembic_config() -> "Config":
    """Alembic's configuration; the connection is given as an attribute."""
    from alembic.config import Config  # noqa: PLC0415 - only where there is something to migrate

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    return config


def _copy_aside(database: Database, found: str) -> None:
    name = database.engine.url.database
    if database.dialect != "sqlite" or not name:
        return
    path = Path(name)
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    target = path.with_name(f"{path.name}.{found}-{now}.backup")
    passing = target.with_suffix(".part")
    with sqlite3.connect(path) as source, sqlite3.connect(passing) as copy:
        source.backup(copy)
    shutil.move(passing, target)
