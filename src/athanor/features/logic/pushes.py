"""Pushed rows, read without a heavy library: what is kept of them, and what goes online."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from athanor.features.errors import BadPush
from athanor.features.lookup import key_part, key_text, pack, plain_value
from athanor.features.records import OnlineRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
GENERATION_BITS = 40
PUSHED = 1 << (GENERATION_BITS - 1)
"""Rows pushed while a version was the newest come after its rows and before the next one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """One pushed row as it is kept online."""

    key: str | None
    """None where a part of it is null: nothing finds such a row."""
    event: int
    created: int | None
    packed: bytes

    @property
    def known(self) -> int:
        """From when on it is known, in microseconds since the epoch."""
        return max(self.event, self.event if self.created is None else self.created)

    def record(self, place: tuple[int, int]) -> OnlineRecord:
        """The row at its place in the order of ingestion: (version, number of the push)."""
        version, seq = place
        return OnlineRecord(
            key=self.key or "",
            event=self.event,
            created=self.created,
            ordinal=(version << GENERATION_BITS) + PUSHED + seq,
            packed=self.packed,
        )


def records_of(
    view: str,
    rows: Sequence[Mapping[str, Any]],
    described: Mapping[str, Any],
    fields: Sequence[tuple[str, str]],
    now: datetime,
    before: Sequence[Mapping[str, Any]] = (),
) -> tuple[list[dict[str, Any]], list[Fresh], dict[str, str]]:
    """Rows as the history keeps them (times as ISO 8601), as they go online, and the keys' types.

    A type that nobody declared is that of the rows `before`, else of the first row.
    Raises: BadPush, which names the row (from 1) and the column.
    """
    keys = {key["name"]: key["type"] or _key_type(_first(before, key["name"]))
            for key in described["keys"]}  # fmt: skip
    families = {name: _family(_first(before, name)) for name, kind in fields if not kind}
    digits = {name: {_digits(row.get(name)) for row in before} for name in families}
    event_time, created_time = described["event_time"], described["created_time"]
    names = {*keys, event_time, *(name for name, _ in fields)}
    if created_time:
        names.add(created_time)
    kept: list[dict[str, Any]] = []
    fresh: list[Fresh] = []
    for number, row in enumerate(rows, start=1):
        unknown = sorted(set(row) - names)
        if unknown:
            known = ", ".join(sorted(names))
            raise BadPush(view, number, f"there is no column {unknown[0]!r}; there are {known}.")
        event = _instant(view, number, event_time, row.get(event_time))
        if event is None:
            raise BadPush(view, number, f"the event time {event_time!r} is missing.")
        created = None
        if created_time:
            created = _instant(view, number, created_time, row.get(created_time)) or now
        features = {
            name: _feature(view, number, name, kind, row.get(name)) for name, kind in fields
        }
        _check_together(view, number, features, families, digits)
        parts, key = _key(view, number, keys, row)
        times = {event_time: plain_value(event)}
        if created_time:
            times[created_time] = plain_value(created)
        kept.append(parts | times | features)
        fresh.append(
            Fresh(
                key=key,
                event=(event - _EPOCH) // _MICROSECOND,
                created=None if created is None else (created - _EPOCH) // _MICROSECOND,
                packed=pack(features),
            )
        )
    return kept, fresh, keys


def _key(
    view: str, number: int, keys: dict[str, str], row: Mapping[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """A row's key part by part, and as it is kept online; tells `keys` the types it had not.

    Raises: BadPush.
    """
    parts: dict[str, Any] = {}
    for name in list(keys):
        if name not in row:
            raise BadPush(view, number, f"the key {name!r} is missing.")
        value = row[name]
        keys[name] = keys[name] or _key_type(value)
        parts[name] = None if value is None else key_part(keys[name], value)
        if value is not None and parts[name] is None:
            told = f"{value!r}"[:60]
            what = f"the key {name!r} should be {keys[name]}; it is {told}."
            raise BadPush(view, number, what, hint=_TYPES)
    if all(part == "" for part in parts.values()):
        raise BadPush(view, number, f"the key {', '.join(map(repr, parts))} is empty.")
    if None in parts.values():
        return parts, None
    try:
        return parts, key_text(list(parts.values()))
    except TypeError as error:  # no valid Unicode
        raise BadPush(view, number, f"its key can't be read: {error}.") from None


_EXACT = 1 << 53
_TYPES = (
    "A key has the type that its entity declares, else that of the first rows. Nothing was kept."
)


def _first(rows: Iterable[Mapping[str, Any]], name: str) -> Any:
    """The first value of a column that is not missing."""
    return next((row[name] for row in rows if row.get(name) is not None), None)


def _key_type(value: Any) -> str:
    """What a key is whose type nobody declared; "" where a missing one does not tell."""
    if value is None:
        return ""
    return "text" if isinstance(value, str) else "integer"


def _family(value: Any) -> str:
    """Values of one family can stand in one column: whole numbers and others can."""
    if value is None:
        return ""
    kind = _guessed(value)
    return "number" if kind == "integer" else kind


def _check_together(
    view: str,
    number: int,
    features: Mapping[str, Any],
    families: dict[str, str],
    digits: dict[str, set[str]],
) -> None:
    """See that values without a declared type can stand in one column with those before.

    Raises: BadPush.
    """
    for name, family in families.items():
        value = features[name]
        families[name] = family or _family(value)
        if value is not None and _family(value) != families[name]:
            what = f"{name!r} was {families[name]} in the rows before; it is {f'{value!r}'[:60]}."
            raise BadPush(view, number, what)
        digits[name].add(_digits(value))
        if digits[name] >= {"long", "float"}:
            told = f"{name!r} holds whole numbers of more digits than a float has, and others"
            hint = "Declare its type in the view: integer, or number. Nothing was kept."
            raise BadPush(view, number, f"{told}: {value!r}"[:200], hint=hint)


def _digits(value: Any) -> str:
    """What a number needs: all digits of a "long" one, or a "float"; a column can't be both."""
    if isinstance(value, int) and abs(value) > _EXACT:
        return "long"
    return "float" if isinstance(value, float) else ""


def _instant(view: str, number: int, name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise BadPush(view, number, f"{name!r} is no time: {value[:60]!r}.") from None
    if not isinstance(found, datetime):
        raise BadPush(view, number, f"{name!r} is no time but {type(value).__name__}.")
    try:
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise BadPush(view, number, f"{name!r} lies beyond what can be kept.") from None


def _feature(view: str, number: int, name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    kind = kind or _guessed(value)
    try:
        return _READERS[kind](value)
    except (TypeError, ValueError, OverflowError):
        told = f"{value!r}"[:60]
        raise BadPush(view, number, f"{name!r} should be {kind}; it is {told}.") from None


def _guessed(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "vector" if isinstance(value, list) else "text"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if math.isinf(value):
        raise ValueError
    # JSON, in which pushed rows are kept, knows no NaN.
    return None if math.isnan(value) else float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    if int(value) != value or not -(1 << 63) <= value < 1 << 63:
        raise ValueError
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half of a surrogate pair is no text
    return value


def _date(value: Any) -> str:
    if isinstance(value, datetime) or not isinstance(value, str | date):
        raise TypeError
    return (date.fromisoformat(value) if isinstance(value, str) else value).isoformat()


def _time(value: Any) -> str:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        raise TypeError
    told: str = plain_value(found)
    return told


def _vector(value: Any) -> list[float | None]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return [_number(item) for item in value]


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "number": _number,
    "integer": _whole,
    "boolean": _truth,
    "text": _text,
    "date": _date,
    "timestamp": _time,
    "vector": _vector,
}
"""By type: a feature's value as it is kept online."""
