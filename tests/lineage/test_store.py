"""One contract over plain dicts, SQLite in memory and in a file, and Postgres."""

import pytest

from athanor.kernel.database import Database
from athanor.lineage.store import LineageStore, SqlLineageStore
from athanor.testing.lineage import LineageStoreContract
from athanor.testing.memory import MemoryLineageStore


class TestMemoryLineageStore(LineageStoreContract):
    @pytest.fixture
    def store(self) -> LineageStore:
        return MemoryLineageStore()


class TestSqlLineageStore(LineageStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> LineageStore:
        return SqlLineageStore(database)
