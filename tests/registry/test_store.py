"""Every store of the registry keeps the contract."""

import pytest

from athanor.kernel import Database
from athanor.registry.store import ModelStore, SqlModelStore
from athanor.testing.registry import ModelStoreContract


class TestSqlModelStore(ModelStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> ModelStore:
        return SqlModelStore(database)
