"""Every store of reports keeps the contract."""

import pytest

from athanor.kernel import Database
from athanor.responsible.store import ReportStore, SqlReportStore
from athanor.testing.responsible import ReportStoreContract


class TestSqlReportStore(ReportStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> ReportStore:
        return SqlReportStore(database)
