"""Every store of the registry keeps the contract."""

import pytest

from athanor.kernel import Database
from athanor.registry.store import (
    CatalogStore,
    ModelStore,
    SearchStore,
    SqlCatalogStore,
    SqlModelStore,
    SqlSearchStore,
    SqlWebhookStore,
    WebhookStore,
)
from athanor.registry.store.cards import CardStore, SqlCardStore
from athanor.registry.store.protection import ProtectionStore, SqlProtectionStore
from athanor.registry.store.safety import SafetyStore, SqlSafetyStore
from athanor.testing.governed import (
    CardStoreContract,
    ProtectionStoreContract,
    SafetyStoreContract,
)
from athanor.testing.registry import (
    CatalogStoreContract,
    ModelStoreContract,
    SearchStoreContract,
    WebhookStoreContract,
)


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


class TestSqlSearchStore(SearchStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> ModelStore:
        return SqlModelStore(database)

    @pytest.fixture
    def search(self, database: Database) -> SearchStore:
        return SqlSearchStore(database)


class TestSqlWebhookStore(WebhookStoreContract):
    @pytest.fixture
    def webhooks(self, database: Database) -> WebhookStore:
        return SqlWebhookStore(database)


class TestSqlSafetyStore(SafetyStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SafetyStore:
        return SqlSafetyStore(database)


class TestSqlProtectionStore(ProtectionStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> ProtectionStore:
        return SqlProtectionStore(database)


class TestSqlCardStore(CardStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> CardStore:
        return SqlCardStore(database)
