"""One contract over SQLite in memory and in a file, and Postgres."""

import pytest

from athanor.data import DataStore, SqlDataStore, SqlWatchStore, WatchStore
from athanor.kernel.database import Database
from athanor.testing.data import DataStoreContract, WatchStoreContract


class TestSqlDataStore(DataStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> DataStore:
        return SqlDataStore(database)


class TestSqlWatchStore(WatchStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> WatchStore:
        return SqlWatchStore(database)
