"""The room's stores keep their promises on every database."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from athanor.features import (
    DefinitionStore,
    HistoryStore,
    OnlineStore,
    SqlDefinitionStore,
    SqlHistoryStore,
    SqlOnlineStore,
    open_reader,
    open_redis,
)
from athanor.features.errors import OnlineStoreUnavailable
from athanor.features.records import Materialize, OnlineRequest
from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER
from athanor.testing import FixedClock
from athanor.testing.features import (
    DefinitionStoreContract,
    FeaturesRoom,
    HistoryStoreContract,
    OnlineStoreContract,
    a_record,
    open_features_room,
)
from tests.data.conftest import HereWorkers


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


class TestOnlineInRedis(OnlineStoreContract):
    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[OnlineStore]:
        with closing(open_redis(redis_url)) as store:
            yield store

    def test_ranks_are_exact_where_lua_would_round(self, store: OnlineStore) -> None:
        large = (1 << 62) + 1
        store.put("s", "v", 1, [a_record(event=large, ordinal=large)])
        assert store.put("s", "v", 1, [a_record(event=large, ordinal=large - 1)]) == 0
        assert store.put("s", "v", 1, [a_record(event=large, ordinal=large + 1)]) == 1
        store.put("s", "w", 1, [a_record(event=-large)])
        assert self._events(store) == {"v": large, "w": -large}

    def test_more_rows_than_a_script_takes(self, store: OnlineStore) -> None:
        rows = [a_record(key=str(number), packed=b"\x00\xff") for number in range(1_201)]
        assert store.put("s", "v", 1, rows) == store.count("v") == 1_201
        assert store.remove_older("v", 2) == 1_201
        assert store.keys("s") == []

    def test_the_planes_reader_is_the_store(self, store: OnlineStore) -> None:
        store.put("s", "v", 1, [a_record(packed=b"\x81")])
        with closing(open_reader(store.url)) as reader:
            assert list(reader.read("s", "1")) == [("v", 10, b"\x81")]


def test_a_redis_that_is_not_there_is_told_without_its_password() -> None:
    store = open_redis("redis://me:secret@127.0.0.1:1/0")
    with pytest.raises(OnlineStoreUnavailable, match=r"127\.0\.0\.1:1/0") as refused:
        store.read("s", "1")
    assert "secret" not in str(refused.value)
    with pytest.raises(OnlineStoreUnavailable, match="can't be used: ValueError"):
        open_redis("redis://127.0.0.1:abc/0")


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


def test_a_redis_that_was_emptied_is_filled_again(
    shop: FeaturesRoom, redis_url: str, clock: FixedClock
) -> None:
    with closing(open_redis(redis_url)) as store:
        room = open_features_room(shop.data, HereWorkers(), clock, rows=store)
        wanted = OnlineRequest(features=("spending",), rows=({"customer": 1},))
        for _ in range(2):  # the second time, what is online is said to be up to date
            room.online.materialize(OWNER, Materialize())
            assert room.online.read(OWNER, wanted)[0].values == {"amount": 20.0, "city": None}
            assert room.online.parity(OWNER, ["spending"]).differing == 0
            store.remove_view("default/spending")
        assert room.online.read(OWNER, wanted)[0].presence["amount"] == "not_found"
