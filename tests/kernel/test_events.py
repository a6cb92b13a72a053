"""Events: one contract over every store, and each seen once, in order, whatever happens."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from athanor.kernel import groups
from athanor.kernel.database import Database
from athanor.kernel.events import Event, Events, EventStore, SqlEventStore, event_table
from athanor.kernel.permissions import OWNER
from athanor.testing import FixedClock
from athanor.testing.database import Databases, Postgres
from athanor.testing.events import EventStoreContract
from athanor.testing.memory import MemoryEventStore


class TestMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def store(self) -> EventStore:
        return MemoryEventStore()


class TestSqlEventStore(EventStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> EventStore:
        return SqlEventStore(database)


def events_of(database: Database) -> Events:
    return Events(SqlEventStore(database), database, FixedClock())


@pytest.fixture
def events(database: Database) -> Events:
    return events_of(database)


@contextmanager
def open_elsewhere(act: Callable[[], None], database: Database) -> Iterator[Callable[[], None]]:
    """A transaction of another thread that has acted and is still open; call it to commit."""
    acted, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with database.transaction():
            act()
            acted.set()
            may_end.wait(30)

    thread = threading.Thread(target=hold)

    def end() -> None:
        may_end.set()
        thread.join()

    thread.start()
    assert acted.wait(30)
    try:
        yield end
    finally:
        end()


class TestTelling:
    def test_it_commits_and_is_undone_with_what_it_tells_of(
        self, database: Database, events: Events
    ) -> None:
        def lose() -> None:
            with database.transaction():
                events.tell(OWNER, "a.b.made", "lost")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            lose()
        with database.transaction():
            events.tell(OWNER, "a.b.made", "kept", {"n": 1})
        assert [(event.subject, event.detail) for event in events.since(0)] == [("kept", {"n": 1})]

    def test_secrets_are_masked(self, events: Events) -> None:
        events.tell(OWNER, "a.b.made", "x", {"password": "hunter2"})
        assert "hunter2" not in str(events.since(0))

    def test_who_waits_is_woken(self, database: Database, events: Events) -> None:
        assert events.wait(0, 0.01) == []

        def tell_soon() -> None:
            with database.transaction():
                events.tell(OWNER, "a.b.made", "x")

        timer = threading.Timer(0.1, tell_soon)
        timer.start()
        assert [event.subject for event in events.wait(0, 20)] == ["x"]
        timer.join()


class TestSubscribing:
    def test_each_event_once_from_the_present_on(self, events: Events) -> None:
        events.tell(OWNER, "a.b.made", "before")
        heard: list[str] = []
        events.subscribe("page", lambda event: heard.append(event.subject))
        events.settle()
        for subject in ("one", "two"):
            events.tell(OWNER, "a.b.made", subject)
        assert events.deliver() == 2
        assert events.deliver() == 0
        assert heard == ["one", "two"]

    def test_only_the_actions_asked_for(self, events: Events) -> None:
        heard: list[str] = []
        events.subscribe("made", lambda event: heard.append(event.action), ("a.b.made",))
        events.settle()
        for action in ("a.b.gone", "a.b.made", "a.b.gone"):
            events.tell(OWNER, action, "x")
        events.deliver()
        assert heard == ["a.b.made"]

    def test_the_effect_and_the_offset_are_one(self, database: Database, events: Events) -> None:
        with database.transaction() as connection:
            connection.execute(text("CREATE TABLE effect (subject TEXT)"))
        failures = iter([True, False, False])

        def keep(event: Event) -> None:
            with database.connection() as connection:
                connection.execute(text("INSERT INTO effect VALUES (:s)"), {"s": event.subject})
            if next(failures):
                raise RuntimeError(event.subject)

        events.subscribe("keeper", keep)
        events.settle()
        for subject in ("one", "two"):
            events.tell(OWNER, "a.b.made", subject)
        assert events.deliver() == 0
        assert events.deliver() == 2
        with database.connection() as connection:
            kept = list(connection.execute(text("SELECT subject FROM effect")).scalars())
        assert kept == ["one", "two"]

    def test_one_that_always_fails_is_passed_over_aloud(
        self, events: Events, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard: list[str] = []

        def refuse(event: Event) -> None:
            if event.subject == "bad":
                raise RuntimeError
            heard.append(event.subject)

        others: list[str] = []
        events.subscribe("weak", refuse)
        events.subscribe("strong", lambda event: others.append(event.subject))
        events.settle()
        for subject in ("bad", "good"):
            events.tell(OWNER, "a.b.made", subject)
        events.deliver()
        assert (heard, others) == ([], ["bad", "good"])
        for _ in range(4):
            events.deliver()
        assert heard == ["good"]
        assert caplog.text.count("subscriber weak failed") == 5

    def test_a_handler_may_tell_more(self, events: Events) -> None:
        heard: list[str] = []

        def echo(event: Event) -> None:
            heard.append(event.subject)
            if event.subject == "call":
                events.tell(OWNER, "a.b.made", "echo")

        events.subscribe("echo", echo)
        events.settle()
        events.tell(OWNER, "a.b.made", "call")
        events.deliver()
        assert heard == ["call", "echo"]

    def test_many_deliverers_hand_over_each_event_once(
        self, database: Database, events: Events
    ) -> None:
        heard: list[str] = []
        events.subscribe("page", lambda event: heard.append(event.subject))
        events.settle()
        for number in range(20):
            with database.transaction():
                events.tell(OWNER, "a.b.made", str(number))
        threads = [threading.Thread(target=events.deliver) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert heard == [str(number) for number in range(20)]

    def test_what_concerns_it_not_is_not_read_again_and_again(self, database: Database) -> None:
        events = events_of(database)
        store = SqlEventStore(database)
        events.subscribe("rare", lambda _event: None, ("a.b.rare",))
        events.settle()
        with database.transaction():
            for _ in range(1200):
                events.tell(OWNER, "a.b.common", "x")
        events.deliver()
        position = store.position("rare")
        assert position is not None
        assert store.last() - position <= 1000
        events.tell(OWNER, "a.b.rare", "x")
        assert events.deliver() == 1


class TestLooksOnSqlite:
    def test_a_look_reads_what_is_new_alone(self, sqlite: Database) -> None:
        events, store = events_of(sqlite), SqlEventStore(sqlite)
        with sqlite.transaction():
            for _ in range(2000):
                events.tell(OWNER, "a.b.made", "x")
        steps: list[None] = []
        with sqlite.reading():
            driver: Any = sqlite.driver()
            driver.set_progress_handler(lambda: steps.append(None), 100)
            try:
                found = store.since(store.last() - 1, 500)
            finally:
                driver.set_progress_handler(None, 100)
        assert len(found) == 1
        assert len(steps) < 10

    def test_what_a_backup_brought_back_lies_before(self, sqlite: Database) -> None:
        events, store = events_of(sqlite), SqlEventStore(sqlite)
        for name in "abc":
            events.tell(OWNER, "a.b.made", name)
        with sqlite.transaction() as connection:
            connection.execute(update(event_table).values(tx=-event_table.c.seq))
        events.tell(OWNER, "a.b.made", "d")
        assert [event.subject for event in store.since(0, 10)] == ["c", "b", "a", "d"]
        assert [event.subject for event in store.since(2, 10)] == ["a", "d"]


class TestOrderOnPostgres:
    @pytest.fixture
    def server(self, postgres: Postgres, databases: Databases) -> Iterator[Database]:
        with databases.postgres(postgres) as database:
            yield database

    def test_readers_never_pass_the_oldest_open_transaction(self, server: Database) -> None:
        events = events_of(server)
        heard: list[str] = []
        events.subscribe("page", lambda event: heard.append(event.subject))
        events.settle()
        with open_elsewhere(lambda: events.tell(OWNER, "a.b.made", "slow"), server) as commit:
            events.tell(OWNER, "a.b.made", "quick")
            assert events.since(0) == []
            assert events.last() == 0
            assert events.deliver() == 0
            assert heard == []
            commit()
            assert [event.subject for event in events.since(0)] == ["slow", "quick"]
            assert events.deliver() == 2
        assert heard == ["slow", "quick"]

    def test_one_that_is_undone_holds_nobody_up_for_ever(self, server: Database) -> None:
        events = events_of(server)

        def doubt() -> None:
            events.tell(OWNER, "a.b.made", "undone")

        def undo() -> None:
            with server.transaction():
                doubt()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            undo()
        events.tell(OWNER, "a.b.made", "kept")
        assert [event.subject for event in events.since(0)] == ["kept"]

    def test_a_lower_number_that_commits_later_is_still_seen(self, server: Database) -> None:
        """A reader that stands at a high number gets the lower one of a later transaction."""
        events = events_of(server)
        seen: list[str] = []

        def read() -> None:
            while found := events.since(place[0], 1):
                seen.append(found[0].subject)
                place[0] = found[0].seq

        place = [0]
        with server.transaction() as connection:
            # This transaction is the older one, and tells later.
            connection.execute(text("SELECT pg_current_xact_id()"))
            thread = threading.Thread(target=lambda: events.tell(OWNER, "a.b.made", "first"))
            thread.start()
            thread.join()
            events.tell(OWNER, "a.b.made", "second")
            reader = threading.Thread(target=read)
            reader.start()
            reader.join()
            assert seen == []
        read()
        assert sorted(seen) == ["first", "second"]

    def test_many_writers_lose_nothing_to_a_reader_at_their_heels(self, server: Database) -> None:
        events = events_of(server)
        seen: list[Any] = []
        writing = threading.Event()
        writing.set()

        def write(writer: int) -> None:
            for number in range(25):
                with server.transaction():
                    events.tell(OWNER, "a.b.made", f"{writer}-{number}")

        def follow() -> None:
            place = 0
            while True:
                last_look = not writing.is_set()
                for event in events.since(place):
                    seen.append(event.subject)
                    place = event.seq
                if last_look:
                    return

        reader = threading.Thread(target=follow)
        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in (reader, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        writing.clear()
        reader.join()
        assert sorted(seen) == sorted(f"{w}-{n}" for w in range(4) for n in range(25))


def test_what_a_follower_is_told_survives_a_power_cut(
    events: Events, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He asks for what comes behind its number, which must not be given away again."""
    synced: list[Path] = []
    monkeypatch.setattr(groups, "sync_path", synced.append)
    with database.transaction(durable=False):
        events.tell(OWNER, "a.b", "c")
    assert [event.action for event in events.since(0)] == ["a.b"]
    assert len(events.latest()) == 1
    in_file = database.dialect == "sqlite" and not database.in_memory
    assert [path.name.rpartition("-")[2] for path in synced if path.is_file()] == ["wal"] * in_file
