"""An empty MLflow database, made by the MLflow that is installed.

MLflow's client library carries the tables and migrations of its server; it is loaded here alone,
when a store is written.
"""

import warnings
from pathlib import Path

with warnings.catch_warnings():
    # What its own pieces warn of is nothing that a user could act on.
    warnings.simplefilter("ignore")
    from mlflow.store.db.utils import _initialize_tables
from sqlalchemy import create_engine


def make_database(path: Path) -> None:
    """Make a SQLite database with the tables of the installed MLflow."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _initialize_tables(engine)  # type: ignore[no-untyped-call]
    finally:
        engine.dispose()
