"""Every store of the registry keeps the contract."""

import pytest

from athanor.kernel import Database
from athanor.registry.store import CatalogStore, ModelStore, SqlCatalogStore, SqlModelStore
from athanor.testing.registry import CatalogStoreContract, ModelStoreContract


class TestSqlModelStore(ModelStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> ModelStore:
        return SqlModelStore(database)


class TestSqlCatalogStore(CatalogStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> ModelStore:
        return SqlModelStore(database)

    @pytest.fixture
    def catalog(self, database: Database) -> CatalogStore:
        return SqlCatalogStore(database)
