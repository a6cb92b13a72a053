"""What an older workspace kept of models is there after the registry's tables changed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from athanor.kernel.database import Database
from athanor.kernel.schema import alembic_config, migrate
from athanor.registry import SqlModelStore
from athanor.testing.database import Postgres

_AT = 1_767_323_045_678_901
"""2026-01-02 03:04:05.678901 UTC, as instants are kept."""


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database as the release before left it."""
    if request.param == "sqlite":
        database = Database.open(f"sqlite:///{tmp_path / 'old.db'}")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        database = Database.open(server.create(f"old_{tmp_path.name}".lower().replace("-", "_")))
    with database.transaction() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    return database


def fill(database: Database) -> None:
    """A model with two versions, an alias and its history."""
    rows = [
        (
            "INSERT INTO lineage_artifact (id, project, type, name, uri, digest, size, metadata,"
            " created_at) VALUES ('a1', 'default', 'model', 'm', 'u', 'sha256:aa', 1, '{}', :at)"
        ),
        (
            "INSERT INTO registry_model (name, project, protected, created_by, created_at)"
            " VALUES ('churn', 'default', true, 'owner', :at)"
        ),
        (
            "INSERT INTO registry_model (name, project, protected, created_by, created_at)"
            " VALUES ('empty', 'default', false, 'owner', :at)"
        ),
        *(
            "INSERT INTO registry_version (model, number, key, artifact_id, digest, size, flavor,"
            " signature, metrics, created_by, created_at) VALUES"
            f" ('churn', {number}, 'k{number}', 'a1', 'sha256:aa', 1, 'sklearn',"
            " '{\"target\": \"y\"}', '{\"roc_auc\": 0.75}', 'owner', :at)"
            for number in (1, 2)
        ),
        "INSERT INTO registry_alias (model, alias, number) VALUES ('churn', 'champion', 2)",
        *(
            "INSERT INTO registry_alias_move (model, alias, number, previous, kind, reason,"
            " moved_by, moved_at) VALUES"
            f" ('churn', 'champion', {number}, NULL, 'set', '', 'o', :at)"
            for number in (1, 2)
        ),
    ]
    with database.transaction() as connection:
        for row in rows:
            # Colons of JSON are no parameters.
            statement = row.replace('": ', '"\\: ')
            connection.execute(text(statement), {"at": _AT} if ":at" in row else {})


def test_models_versions_and_aliases_stay(old: Database) -> None:
    fill(old)
    migrate(old)
    store = SqlModelStore(old)
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    model = store.find_model("churn")
    assert model is not None
    assert (model.protected, model.latest, model.aliases) == (True, 2, {"champion": 2})
    assert (model.created_at, model.updated_at) == (at, at)
    version = store.find_version("churn", 2)
    assert version is not None
    assert (version.artifact_id, version.signature.target) == ("a1", "y")
    assert (version.metrics, version.stage, version.status) == ({"roc_auc": 0.75}, "None", "READY")
    assert version.aliases == ["champion"]
    assert store.find_by_key("churn", "k1") == store.find_version("churn", 1)
    assert [move.number for move in store.moves("churn", None)] == [1, 2]
    empty = store.find_model("empty")
    assert empty is not None
    assert (empty.latest, empty.updated_at) == (0, at)
    assert store.add_version(version, None).number == 3
    old.close()
