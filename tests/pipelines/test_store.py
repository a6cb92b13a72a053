"""The stores keep to their contract on every database."""

import pytest

from athanor.kernel.database import Database
from athanor.pipelines import SqlRunStore, SqlTriggerStore
from athanor.testing.pipelines import RunStoreContract, TriggerStoreContract


class TestRuns(RunStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqlRunStore:
        return SqlRunStore(database)


class TestTriggers(TriggerStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqlTriggerStore:
        return SqlTriggerStore(database)
