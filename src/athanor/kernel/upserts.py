"""INSERT with ON CONFLICT, in the words of the database that is there."""

import importlib
from typing import Any

from athanor.kernel.database import Database

_DIALECTS = {
    "sqlite": "sqlalchemy.dialects.sqlite",
    "postgresql": "sqlalchemy.dialects.postgresql",
}


def dialect_of(database: Database) -> Any:
    """SQLAlchemy's module of a database's dialect, whose `insert` knows ON CONFLICT.

    No other is loaded: that of Postgres is a twentieth of what a command without a server takes.
    """
    return importlib.import_module(_DIALECTS[database.dialect])
