"""Online features of a request's keys: one read per key, TTL on read, on-demand features on top.

This module is loaded by the data plane: it knows sqlite3, msgspec and the room's formulas, and
nothing heavier. The server's online reads, the training sets' on-demand features and the parity
test run this very code.
"""

import importlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import orjson

from athanor.features.errors import BadOnlineRow, FormulaFailed, OnlineStoreUnavailable
from athanor.features.logic import formulas
from athanor.features.records import Presence

if TYPE_CHECKING:
    from athanor.features.redis import RedisOnlineStore

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ = "SELECT view, event, packed FROM features_online WHERE space = ? AND key = ?"
unpacked: Callable[[bytes], Any] = msgspec.msgpack.Decoder().decode
pack: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
"""A row's features as they are kept online: {feature: value}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyColumn:
    """One key column, as requests name it."""

    name: str
    type: str
    """Empty where no row has told it yet: then a key is what it is sent as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """One view's part in a service."""

    view: str
    """PROJECT/VIEW, as rows are kept."""
    space: str
    """What its keys are of: PROJECT/ENTITY."""
    keys: tuple[KeyColumn, ...]
    ttl: int = 0
    """Microseconds; 0 sets no limit."""
    features: tuple[str, ...] = ()
    """Their stored names."""
    names: tuple[str, ...] = ()
    """Per feature: the column of the answer; "" where only on-demand features read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDemand:
    """One on-demand view's part in a service."""

    view: str
    inputs: tuple[tuple[str, str, str], ...] = ()
    """(view, feature, the name under which the formula reads it)."""
    request: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Per feature: the column of the answer; "" where it is not asked for."""
    types: tuple[str, ...] = ()
    """Per feature: what it is told as."""
    expressions: dict[str, str] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the features of a service are found, wherever they are."""

    service: str
    lookups: tuple[Lookup, ...] = ()
    on_demand: tuple[OnDemand, ...] = ()
    columns: tuple[str, ...] = ()
    """The answer's columns, in their order."""

    @property
    def keys(self) -> tuple[KeyColumn, ...]:
        """Every key column that a request has to give, each once."""
        found: dict[str, KeyColumn] = {}
        for key in (key for lookup in self.lookups for key in lookup.keys):
            if key.type or key.name not in found:
                found[key.name] = KeyColumn(name=key.name, type=key.type or "text")
        return tuple(found.values())

    @property
    def request(self) -> tuple[str, ...]:
        """The values that on-demand features take from the request."""
        return tuple(dict.fromkeys(name for item in self.on_demand for name in item.request))


class Reader(Protocol):
    """Reads rows of keys."""

    def read(self, space: str, key: str) -> Iterable[tuple[str, int, bytes]]:
        """(view, event in microseconds, packed features) of every view of a key."""
        ...


class SqliteReader:
    """Reads the metadata database's file, on a connection a thread, without SQLAlchemy."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def read(self, space: str, key: str) -> Iterable[tuple[str, int, bytes]]:
        """Every view of a key."""
        try:
            execute = self._local.execute
        except AttributeError:
            connection = sqlite3.connect(
                f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=5.0
            )
            connection.execute("PRAGMA query_only = 1")
            connection.execute("PRAGMA mmap_size = 268435456")
            self._local.connection = connection
            execute = self._local.execute = connection.execute
        return execute(_READ, (space, key)).fetchall()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            del self._local.connection, self._local.execute


class PostgresReader:
    """Reads the metadata database in Postgres, on a connection a thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()

    def read(self, space: str, key: str) -> Iterable[tuple[str, int, bytes]]:
        """Every view of a key; a connection that broke is opened again once."""
        import psycopg  # noqa: PLC0415 - an extra, loaded where the database is Postgres

        for attempt in (1, 2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=2,
                    options="-c statement_timeout=2000",
                )  # fmt: skip
            try:
                found = connection.execute(_READ.replace("?", "%s"), (space, key), prepare=True)
                return [(view, event, bytes(packed)) for view, event, packed in found]
            except psycopg.OperationalError:
                self._local.connection = None
                if attempt == 2:
                    raise
        return []

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def open_reader(url: str) -> "SqliteReader | PostgresReader | RedisOnlineStore":
    """The reader of an online store's URL: sqlite:///PATH, postgresql://... or redis://...

    Raises: OnlineStoreUnavailable.
    """
    if url.startswith("sqlite"):
        return SqliteReader(url.partition(":///")[2])
    if is_redis(url):
        return open_redis(url)
    return PostgresReader(url.replace("postgresql+psycopg://", "postgresql://", 1))


def is_redis(url: str) -> bool:
    """Whether a URL is one of Redis."""
    return url.startswith(("redis://", "rediss://", "unix://"))


def open_redis(url: str) -> "RedisOnlineStore":
    """The online store in Redis, by its extra.

    Raises: OnlineStoreUnavailable.
    """
    try:
        module = importlib.import_module("athanor.features.redis")
    except ModuleNotFoundError as error:
        raise OnlineStoreUnavailable(
            "Redis", "the package redis is not installed", "pip install 'athanor-ml[redis]'"
        ) from error
    store: RedisOnlineStore = module.RedisOnlineStore(url)
    return store


@dataclass(slots=True, kw_only=True)
class Answered:
    """The features of one row."""

    values: dict[str, Any]
    presence: dict[str, Presence]
    events: dict[str, int]


_ABSENT = frozenset({"not_found", "expired"})


class Enricher:
    """Finds and computes a service's features, row by row."""

    def __init__(self, plan: Plan, reader: Reader) -> None:
        self.plan = plan
        self._reader = reader
        self._computed = [Computed(item) for item in plan.on_demand]
        spaces: dict[tuple[str, tuple[str, ...]], list[Lookup]] = {}
        for lookup in plan.lookups:
            spaces.setdefault((lookup.space, tuple(key.name for key in lookup.keys)), []).append(
                lookup
            )
        self._spaces = list(spaces.values())
        self._wanted = set(plan.columns)

    def fill(self, record: dict[str, Any], number: int, now: int) -> dict[str, Presence]:
        """Put the features that a record lacks into it; those that it brings stand.

        Gives those of them that are null for want of a row: `not_found` or `expired`. A record that
        brings every feature needs no keys.
        Raises: BadOnlineRow, FormulaFailed.
        """
        if self._wanted <= record.keys():
            return {}
        found = self.answer(record, number, now)
        absent: dict[str, Presence] = {}
        for name, value in found.values.items():
            if name not in record:
                record[name] = value
                if found.presence[name] in _ABSENT:
                    absent[name] = found.presence[name]
        return absent

    def answer(self, record: Mapping[str, Any], number: int, now: int) -> Answered:
        """The features of a row as of `now` (microseconds).

        Raises: BadOnlineRow, FormulaFailed.
        """
        values: dict[str, Any] = {}
        presence: dict[str, Presence] = {}
        events: dict[str, int] = {}
        hidden: dict[tuple[str, str], Any] = {}
        for lookups in self._spaces:
            first = lookups[0]
            key = key_of(first.keys, record, number)
            rows = {} if key is None else {
                row[0]: row for row in self._reader.read(first.space, key)
            }  # fmt: skip
            for lookup in lookups:
                row = rows.get(lookup.view)
                absent: Presence = "not_found"
                stored: dict[str, Any] | None = None
                if row is not None:
                    event = row[1]
                    if event > now:
                        pass
                    elif lookup.ttl and event < now - lookup.ttl:
                        absent = "expired"
                    else:
                        stored = unpacked(row[2])
                        events[lookup.view] = event
                for feature, name in zip(lookup.features, lookup.names, strict=True):
                    value = None if stored is None else stored.get(feature)
                    if name:
                        values[name] = value
                        if value is not None:
                            presence[name] = "present"
                        else:
                            presence[name] = absent if stored is None else "null"
                    hidden[lookup.view, feature] = value
        for computed in self._computed:
            for name, value in computed.run(hidden, record, number).items():
                values[name] = value
                presence[name] = "null" if value is None else "present"
        ordered = {name: values[name] for name in self.plan.columns}
        return Answered(values=ordered, presence=presence, events=events)


class Computed:
    """An on-demand view, compiled."""

    def __init__(self, view: OnDemand) -> None:
        self._view = view
        self._names = [
            (feature, name, _COERCED[kind])
            for feature, name, kind in zip(view.features, view.names, view.types, strict=True)
            if name
        ]
        self._function = formulas.function(view.view, view.code) if view.code else None
        self._expressions = {
            name: formulas.expression(name, text) for name, text in view.expressions.items()
        }

    def run(
        self, stored: Mapping[tuple[str, str], Any], record: Mapping[str, Any], number: int
    ) -> dict[str, Any]:
        """Its features by their columns.

        Raises: BadOnlineRow where the request lacks a value, FormulaFailed.
        """
        view = self._view
        row = {local: stored[source, feature] for source, feature, local in view.inputs}
        for name in view.request:
            if name not in record:
                computed = view.view.partition("/")[2]
                raise BadOnlineRow(
                    number,
                    f"the request's value {name!r} is missing; on-demand view {computed!r} is "
                    "computed from it.",
                    hint=f"It is no key: give {name} with each row, beside its keys.",
                )
            row[name] = record[name]
        try:
            if self._function is not None:
                made: Any = self._function(row)
                if not isinstance(made, dict):
                    raise TypeError(f"it returned {type(made).__name__}, not a dict")
            else:
                made = {name: act(row) for name, act in self._expressions.items()}
            return {
                column: None if (value := made.get(feature)) is None else coerced(value)
                for feature, column, coerced in self._names
            }
        except Exception as error:
            raise FormulaFailed(view.view, f"{type(error).__name__}: {error}") from error


def key_of(keys: Sequence[KeyColumn], record: Mapping[str, Any], number: int) -> str | None:
    """A record's key as it is kept; None where a part of it is null, which matches nothing (R7).

    Raises: BadOnlineRow (R10: another type would silently match nothing).
    """
    parts: list[Any] = []
    for key in keys:
        if key.name not in record:
            raise BadOnlineRow(number, f"the key {key.name!r} is missing.")
        value = record[key.name]
        if value is None:
            return None
        part = key_part(key.type, value)
        if part is None:
            told = f"{value!r}"[:60]
            raise BadOnlineRow(number, f"the key {key.name!r} should be {key.type}; it is {told}.")
        parts.append(part)
    try:
        return key_text(parts)
    except TypeError as error:  # more than 64 bits, or no valid Unicode
        raise BadOnlineRow(number, f"its key can't be read: {error}.") from error


def key_text(parts: Sequence[Any]) -> str:
    """A key's parts as the text that it is kept under."""
    return orjson.dumps(parts[0] if len(parts) == 1 else parts).decode()


def key_part(kind: str, value: Any) -> Any:
    """One part of a key as it is kept, or None where it has another type."""
    if not kind:
        kind = "boolean" if isinstance(value, bool) else "integer"
        kind = "text" if isinstance(value, str) else kind
    if kind == "integer":
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        small = isinstance(value, int) and not isinstance(value, bool)
        return value if small and -(1 << 63) <= value < 1 << 63 else None
    if kind == "text":
        return value if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    try:
        if kind == "date":
            if isinstance(value, str):
                return date.fromisoformat(value).isoformat()
            if isinstance(value, date) and not isinstance(value, datetime):
                return value.isoformat()
            return None
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return plain_value(found) if isinstance(found, datetime) else None
    except ValueError:
        return None


def plain_value(value: Any) -> Any:
    """A feature's value as it is kept online and told in answers.

    Instants are ISO 8601 in UTC with six digits; dates ISO 8601; numbers and texts themselves.
    """
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value


def _whole(value: Any) -> int:
    found = int(value)
    if found != value or not -(1 << 63) <= found < 1 << 63:
        raise ValueError(f"{value!r} is no whole number of 64 bits")
    return found


def _vector(value: Any) -> list[float]:
    return [float(item) for item in value]


_COERCED: Mapping[str, Callable[[Any], Any]] = {
    "number": float,
    "integer": _whole,
    "boolean": bool,
    "text": str,
    "date": lambda value: date.fromisoformat(str(value)[:10]).isoformat(),
    "timestamp": lambda value: plain_value(
        value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    ),
    "vector": _vector,
}
"""By type: what a formula gave, as that type."""


def aware(at: datetime) -> datetime:
    """An instant; a naive one is UTC (R9)."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def instant(microseconds: int) -> datetime:
    """An instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)
