"""The room's stores keep their promises on every database."""

import pytest

from athanor.features import (
    DefinitionStore,
    HistoryStore,
    OnlineStore,
    SqlDefinitionStore,
    SqlHistoryStore,
    SqlOnlineStore,
    open_reader,
)
from athanor.kernel.database import Database
from athanor.testing.features import (
    DefinitionStoreContract,
    HistoryStoreContract,
    OnlineStoreContract,
    a_record,
)


class TestDefinitions(DefinitionStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> DefinitionStore:
        return SqlDefinitionStore(database)


class TestHistory(HistoryStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> HistoryStore:
        return SqlHistoryStore(database)


class TestOnline(OnlineStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> OnlineStore:
        return SqlOnlineStore(database)


def test_the_planes_reader_reads_what_the_store_put(database: Database) -> None:
    if database.in_memory:
        pytest.skip("another process can't read a database in memory")
    store = SqlOnlineStore(database)
    store.put("s", "v", 1, [a_record(packed=b"\x81")])
    reader = open_reader(database.engine.url.render_as_string(hide_password=False))
    assert list(reader.read("s", "1")) == [("v", 10, b"\x81")]
    store.put("s", "v", 1, [a_record(event=12, packed=b"\x82")])
    assert list(reader.read("s", "1")) == [("v", 12, b"\x82")]
    assert list(reader.read("s", "2")) == []
    reader.close()
