"""The stores keep to their contracts on every database."""

import pytest

from athanor.kernel import Database
from athanor.monitoring import AlertStore, MonitorStore, SqlAlertStore, SqlMonitorStore
from athanor.testing.monitoring import AlertStoreContract, MonitorStoreContract


class TestSqlMonitorStore(MonitorStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> MonitorStore:
        return SqlMonitorStore(database)


class TestSqlAlertStore(AlertStoreContract):
    @pytest.fixture
    def alerts(self, database: Database) -> AlertStore:
        return SqlAlertStore(database)
