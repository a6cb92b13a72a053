"""Stores of files, logged models and inputs on each database."""

import pytest

from athanor.kernel.database import Database
from athanor.lineage import SqlLineageStore
from athanor.testing.lineage import a_run
from athanor.testing.tracked_files import (
    FileStoreContract,
    InputStoreContract,
    LoggedModelStoreContract,
)
from athanor.tracking.store.files import FileStore, SqlFileStore
from athanor.tracking.store.inputs import InputStore, SqlInputStore
from athanor.tracking.store.logged_models import LoggedModelStore, SqlLoggedModelStore


class TestFiles(FileStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> FileStore:
        return SqlFileStore(database)


class TestLoggedModels(LoggedModelStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> LoggedModelStore:
        return SqlLoggedModelStore(database)


class TestInputs(InputStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> InputStore:
        return SqlInputStore(database)

    @pytest.fixture
    def runs(self, database: Database) -> tuple[str, str]:
        store = SqlLineageStore(database)
        return store.add_run(a_run("one")).id, store.add_run(a_run("two")).id
