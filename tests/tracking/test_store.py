"""One contract over SQLite in memory and in a file, and Postgres."""

import pytest

from athanor.kernel.database import Database
from athanor.lineage.store import LineageStore, SqlLineageStore
from athanor.testing.tracking import ExperimentStoreContract, TrackedRunStoreContract
from athanor.tracking import RunSearch, SqlExperimentStore, SqlTrackedRunStore
from athanor.tracking.store import ExperimentStore, TrackedRunStore


class TestSqlExperimentStore(ExperimentStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> ExperimentStore:
        return SqlExperimentStore(database)


class TestSqlTrackedRunStore(TrackedRunStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> TrackedRunStore:
        return SqlTrackedRunStore(database)

    @pytest.fixture
    def search(self, database: Database) -> RunSearch:
        return RunSearch(database)

    @pytest.fixture
    def experiments(self, database: Database) -> ExperimentStore:
        return SqlExperimentStore(database)

    @pytest.fixture
    def lineage(self, database: Database) -> LineageStore:
        return SqlLineageStore(database)
