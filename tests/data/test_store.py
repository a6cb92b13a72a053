"""One contract over SQLite in memory and in a file, and Postgres."""

import pytest

from athanor.data import (
    DataStore,
    MarkStore,
    RecipeStore,
    SqlDataStore,
    SqlMarkStore,
    SqlRecipeStore,
    SqlWatchStore,
    WatchStore,
)
from athanor.kernel.database import Database
from athanor.testing.data import (
    DataStoreContract,
    MarkStoreContract,
    RecipeStoreContract,
    WatchStoreContract,
)


class TestSqlDataStore(DataStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> DataStore:
        return SqlDataStore(database)


class TestSqlMarkStore(MarkStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> DataStore:
        return SqlDataStore(database)

    @pytest.fixture
    def marks(self, database: Database) -> MarkStore:
        return SqlMarkStore(database)


class TestSqlWatchStore(WatchStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> WatchStore:
        return SqlWatchStore(database)


class TestSqlRecipeStore(RecipeStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> RecipeStore:
        return SqlRecipeStore(database)
