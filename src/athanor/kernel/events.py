"""Whatever happens is an event: one append-only table, written in the transaction that it tells of.

Audit, triggers, webhooks and the live page read it, each subscriber with an offset of its own that
moves in the transaction of its effect: every event is seen once, also after a crash.

Order: on Postgres a row may commit after one with a higher number was read. Events are therefore
read in the order of (transaction, number), and never past the oldest transaction still open.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, select

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database, Instant, Json, metadata, microseconds, to_json
from athanor.kernel.ids import new_id
from athanor.kernel.permissions import Principal
from athanor.kernel.plain import Columns, Plain, marks
from athanor.kernel.projects import DEFAULT_PROJECT
from athanor.kernel.redaction import redact
from athanor.kernel.sought import Sought
from athanor.kernel.upserts import dialect_of

_log = logging.getLogger(__name__)

_PAGE = 500
_LOOK_SECONDS = 0.5
_STRIDE = 1000
"""How far behind what was read a look leaves a subscriber whom nothing concerned."""
_SELDOM = 10_000
"""After how many events those whom none of them concerned are looked after."""
_ATTEMPTS = 5
"""How often a subscriber may fail on one event before it is passed over, aloud."""
_BATCH = 200
"""Events that are handed to a subscriber in one transaction, at most,"""
_BATCH_SECONDS = 0.05
"""and for how long, as nobody else writes meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    seq: int
    """The number that readers go by; higher is later, gaps are possible."""
    id: str
    """Stable over deliveries: what a receiver recognises a repetition by."""
    project: str
    at: datetime
    actor: str
    action: str
    """`room.noun.verb`, the verb in the past: `data.version.created`."""
    subject: str
    """The thing: its name or id."""
    detail: dict[str, Any] = field(default_factory=dict)


class Happening(NamedTuple):
    """What an event tells, beside who did what."""

    subject: str
    detail: Mapping[str, Any]
    project: str


class EventStore(Protocol):
    """Where events and the subscribers' offsets are kept."""

    def append(self, *events: Event) -> None:
        """Add events (their `seq` is given here) in the ambient transaction."""
        ...

    def since(self, after: int, limit: int, actions: tuple[str, ...] = ()) -> list[Event]:
        """The next events behind number `after`, oldest first, none that may still be overtaken."""
        ...

    def latest(
        self, limit: int, project: str | None = None, sought: Sought | None = None
    ) -> list[Event]:
        """The newest events, newest first."""
        ...

    def about(self, subject: str | None, actions: tuple[str, ...]) -> list[Event]:
        """All events of some actions, of one subject or of every one, newest first."""
        ...

    def last(self) -> int:
        """The number of the last readable event; 0 if there is none."""
        ...

    def offset(self, subscriber: str) -> int | None:
        """Where a subscriber stands, locked for this transaction; None if it is new."""
        ...

    def position(self, subscriber: str) -> int | None:
        """Where a subscriber stands, without a lock."""
        ...

    def move(self, subscriber: str, offset: int) -> None:
        """Set where a subscriber stands."""
        ...


event_table = Table(
    "kernel_event",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tx", BigInteger, nullable=False),
    Column("id", String(32), nullable=False, unique=True),
    Column("project", String(255), nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(255), nullable=False),
    Column("subject", String(1024), nullable=False),
    Column("detail", Json, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_kernel_event_tx_seq", event_table.c.tx, event_table.c.seq)
Index("ix_kernel_event_action_seq", event_table.c.action, event_table.c.seq)

offset_table = Table(
    "kernel_offset",
    metadata,
    Column("subscriber", String(255), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

_COLUMNS = Columns(event_table, Event.__dataclass_fields__)


class SqlEventStore:
    """Events in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)
        number = "pg_current_xact_id()::text::bigint" if self._plain.postgres else "0"
        self._append = _APPEND.format(transaction=number)

    def append(self, *events: Event) -> None:
        """Add events in the ambient transaction."""
        self._plain.many(
            self._append,
            [
                (
                    event.id,
                    event.project,
                    microseconds(event.at),
                    event.actor,
                    event.action,
                    event.subject,
                    to_json(event.detail),
                )
                for event in events
            ],
        )
        self._database.tell("events")

    def since(self, after: int, limit: int, actions: tuple[str, ...] = ()) -> list[Event]:
        """The next events behind number `after`, oldest first."""
        behind, values = self._behind(after)
        where = [behind]
        if actions:
            where.append(f"action IN ({marks(len(actions))})")
            values += actions
        if self._plain.postgres:
            where.append(_SETTLED)
        rows = self._plain.fetch(
            f"SELECT {_COLUMNS.listed} FROM kernel_event WHERE {' AND '.join(where)}"  # noqa: S608 - values are bound
            " ORDER BY tx, seq LIMIT ?",
            (*values, limit),
        )
        return [Event(**_COLUMNS.read(row)) for row in rows]

    def _behind(self, after: int) -> tuple[str, list[Any]]:
        """What is true of the events behind number `after`, with its values."""
        if after <= 0:  # what a backup brought back has numbers below zero: all of it
            return "TRUE", []
        if not self._plain.postgres:
            row = self._plain.first("SELECT tx FROM kernel_event WHERE seq = ?", (after,))
            if row is None or row[0] == 0:
                # SQLite would look at each event for a comparison of both. None has more than 0.
                return "tx = 0 AND seq > ?", [after]
        return _BEHIND, [after, after]

    def latest(
        self, limit: int, project: str | None = None, sought: Sought | None = None
    ) -> list[Event]:
        """The newest events, newest first."""
        where, values = ["TRUE"], list[Any]()
        if project is not None:
            where.append("project = ?")
            values.append(project)
        for column, mark in (("action", "."), ("subject", "@")):
            if wanted := getattr(sought, column, ""):
                where.append(f"({column} = ? OR substr({column}, 1, ?) = ?)")
                values += [wanted, len(wanted) + 1, f"{wanted}{mark}"]
        rows = self._plain.fetch(
            f"SELECT {_COLUMNS.listed} FROM kernel_event WHERE {' AND '.join(where)}"  # noqa: S608 - values are bound
            " ORDER BY seq DESC LIMIT ?",
            (*values, limit),
        )
        return [Event(**_COLUMNS.read(row)) for row in rows]

    def about(self, subject: str | None, actions: tuple[str, ...]) -> list[Event]:
        """All events of some actions, of one subject or of every one, newest first."""
        where, values = f"action IN ({marks(len(actions))})", list[Any](actions)
        if subject is not None:
            where, values = f"{where} AND subject = ?", [*values, subject]
        rows = self._plain.fetch(
            f"SELECT {_COLUMNS.listed} FROM kernel_event WHERE {where} ORDER BY seq DESC",  # noqa: S608 - values are bound
            values,
        )
        return [Event(**_COLUMNS.read(row)) for row in rows]

    def last(self) -> int:
        """The number of the last readable event in reading order."""
        where = f" WHERE {_SETTLED}" if self._plain.postgres else ""
        row = self._plain.first(
            f"SELECT seq FROM kernel_event{where} ORDER BY tx DESC, seq DESC LIMIT 1"  # noqa: S608 - the condition is our own
        )
        return 0 if row is None else row[0]

    def offset(self, subscriber: str) -> int | None:
        """Where a subscriber stands, locked for this transaction."""
        query = select(offset_table.c.seq).where(offset_table.c.subscriber == subscriber)
        with self._database.connection() as connection:
            return connection.execute(query.with_for_update()).scalar()

    def position(self, subscriber: str) -> int | None:
        """Where a subscriber stands, without a lock."""
        row = self._plain.first("SELECT seq FROM kernel_offset WHERE subscriber = ?", (subscriber,))
        return None if row is None else row[0]

    def move(self, subscriber: str, offset: int) -> None:
        """Set where a subscriber stands."""
        dialect = dialect_of(self._database)
        row = dialect.insert(offset_table).values(subscriber=subscriber, seq=offset)
        with self._database.connection() as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["subscriber"], set_={"seq": offset})
            )


_APPEND = """
INSERT INTO kernel_event (tx, id, project, at, actor, action, subject, detail)
VALUES ({transaction}, ?, ?, ?, ?, ?, ?, ?)
"""
_BEHIND = "(tx, seq) > (COALESCE((SELECT tx FROM kernel_event WHERE seq = ?), 0), ?)"
_SETTLED = "kernel_event.tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Somebody who is told of events."""

    name: str
    handler: Callable[[Event], None] = field(repr=False)
    actions: tuple[str, ...] = ()
    """The actions told of; empty for all."""
    wants: Callable[[Event], bool] | None = field(default=None, repr=False)
    """Looks at an event without a transaction; those it says no to are passed over."""

    def concerned(self, event: Event) -> bool:
        """Whether an event is for this subscriber."""
        if self.actions and event.action not in self.actions:
            return False
        return self.wants is None or self.wants(event)


class Events:
    """The outbox and its readers."""

    def __init__(self, store: EventStore, database: Database, clock: Clock) -> None:
        self._store = store
        self._database = database
        self._clock = clock
        self._subscriptions: dict[str, Subscription] = {}
        self._failures: dict[tuple[str, int], int] = {}
        self._delivered = -1
        """The last event when every subscriber was last brought up to date."""
        self._looked = -1
        """The same, when each of them last looked himself."""

    def tell(
        self,
        who: Principal,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
        *,
        project: str = DEFAULT_PROJECT,
    ) -> None:
        """Write that something happened, in the ambient transaction. Secrets are masked."""
        self.tell_all(who, action, [Happening(subject, detail or {}, project)])

    def tell_all(self, who: Principal, action: str, news: Sequence[Happening]) -> None:
        """As `tell`, of many subjects to which the same happened."""
        self.tell_each(who, [(action, item) for item in news])

    def tell_each(self, who: Principal, news: Sequence[tuple[str, Happening]]) -> None:
        """As `tell`, of many actions in their order."""
        at = self._clock.now()
        events = [
            Event(
                seq=0,
                id=new_id(),
                project=project,
                at=at,
                actor=who.name,
                action=action,
                subject=subject,
                detail=redact(dict(detail)),
            )
            for action, (subject, detail, project) in news
        ]
        self._store.append(*events)

    def since(self, after: int, limit: int = _PAGE) -> list[Event]:
        """The next events behind number `after`, oldest first.

        They survive a power cut: who reads on behind the last of them must miss none.
        """
        found = self._store.since(after, limit)
        if found:
            self._database.sync()
        return found

    def latest(self, limit: int = 50, sought: Sought | None = None) -> list[Event]:
        """The newest events, newest first; they survive a power cut."""
        found = self._store.latest(limit, None, sought)
        if found:
            self._database.sync()
        return found

    def about(self, subject: str | None, *actions: str) -> list[Event]:
        """All events of some actions, of one subject or (None) of every one, newest first."""
        return self._store.about(subject, actions)

    def last(self) -> int:
        """The number of the last event; 0 if there is none."""
        return self._store.last()

    def wait(self, after: int, timeout: float) -> list[Event]:
        """The next events behind `after`; waits up to `timeout` seconds for the first one."""
        deadline = time.monotonic() + timeout
        while True:
            heard = self._database.heard("events")
            found = self.since(after)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            # Another process may commit too: look again now and then.
            self._database.wait_for("events", heard, min(left, _LOOK_SECONDS))

    def subscribe(
        self,
        name: str,
        handler: Callable[[Event], None],
        actions: tuple[str, ...] = (),
        *,
        wants: Callable[[Event], bool] | None = None,
    ) -> None:
        """Tell `handler` of each event once, in a transaction with the move of its offset.

        `wants` is asked first, outside of it: an event that it says no to costs no transaction. It
        may be asked of an event more than once, also long after it happened.
        A new subscriber starts at the present. A handler that fails is called again, five times in
        all; then the event is passed over and the failure is in the log.
        """
        self._delivered = -1
        self._subscriptions[name] = Subscription(
            name=name, handler=handler, actions=actions, wants=wants
        )

    def deliver(self) -> int:
        """Bring every subscriber up to date; returns how many events were handled.

        Called by the server's dispatcher; safe to call from several processes.
        """
        with self._database.reading():
            fresh = self._fresh()
            if fresh is not None:
                newest = fresh[-1].seq if fresh else self._delivered
            elif (newest := self._store.last()) == self._delivered and not self._failures:
                return 0
            concerned = self._concerned(fresh)
        handled = sum(self._deliver_to(item) for item in concerned)
        if fresh is None:
            self._looked = newest
        self._delivered = newest
        return handled

    def _concerned(self, fresh: list[Event] | None) -> list[Subscription]:
        """Those whom one of these events is for; all where it is not known what happened."""
        everybody = list(self._subscriptions.values())
        if fresh is None:
            return everybody
        by_action: dict[str, list[Event]] = {}
        for event in fresh:
            by_action.setdefault(event.action, []).append(event)
        return [
            item
            for item in everybody
            if any(
                item.wants is None or any(map(item.wants, by_action[action]))
                for action in item.actions or by_action
                if action in by_action
            )
        ]

    def _fresh(self) -> list[Event] | None:
        """What has happened since everybody was told; None when each subscriber is to look."""
        # Whom nothing concerns for long is looked after too, so that his offset keeps up.
        if self._delivered < 0 or self._failures or self._delivered - self._looked > _SELDOM:
            return None
        fresh = self._store.since(self._delivered, _PAGE)
        return fresh if len(fresh) < _PAGE else None

    def settle(self) -> None:
        """Give new subscribers their starting point. Call once, before anything happens."""
        with self._database.transaction():
            for name in self._subscriptions:
                if self._store.offset(name) is None:
                    self._store.move(name, self._store.last())

    def _deliver_to(self, subscription: Subscription) -> int:
        handled = 0
        while self._has_news(subscription):
            some, on = self._deliver_some(subscription)
            handled += some
            if not on:
                return handled
        self._catch_up(subscription)
        return handled

    def _deliver_some(self, subscription: Subscription) -> tuple[int, bool]:
        """Hand over the next events in one transaction; how many, and whether more may follow.

        Each handler has a savepoint of its own, and the offset moves behind the last that was fine.
        """
        handled, fine = 0, False
        with self._database.transaction():
            offset = self._store.offset(subscription.name)
            if offset is None:
                self._store.move(subscription.name, self._store.last())
                return handled, fine
            place, until = offset, time.monotonic() + _BATCH_SECONDS
            for event in self._store.since(offset, _BATCH, subscription.actions):
                wanted = subscription.concerned(event)
                fine = not wanted or self._handle(subscription, event)
                if not fine:
                    break
                place, handled = event.seq, handled + wanted
                if time.monotonic() > until:
                    break
            if place != offset:
                self._store.move(subscription.name, place)
        return handled, fine

    def _catch_up(self, subscription: Subscription) -> None:
        """Move a subscriber over many events that do not concern it, so that looks stay short."""
        # In this order: as long as the offset stands still, `last` lies behind it, and the second
        # look sees all that was readable up to `last`.
        offset = self._store.position(subscription.name)
        last = self._store.last()
        if offset is None or last - offset <= _STRIDE:
            return
        with self._database.transaction():
            if self._store.offset(subscription.name) != offset:
                return
            if not self._store.since(offset, 1, subscription.actions):
                self._store.move(subscription.name, last)

    def _has_news(self, subscription: Subscription) -> bool:
        """Whether there is something to hand over; looks without a transaction of its own."""
        offset = self._store.position(subscription.name)
        return offset is None or bool(self._store.since(offset, 1, subscription.actions))

    def _handle(self, subscription: Subscription, event: Event) -> bool:
        """Call the handler in a savepoint; whether the offset may move on."""
        key = (subscription.name, event.seq)
        try:
            with self._database.transaction():
                subscription.handler(event)
        except Exception:  # noqa: BLE001 - one subscriber must not stop the others
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            _log.exception(
                "subscriber %s failed on event %s (%s), attempt %d",
                subscription.name,
                event.seq,
                event.action,
                failures,
            )
            if failures < _ATTEMPTS:
                return False
        self._failures.pop(key, None)
        return True
