"""The newest row of each key in Redis (extra `redis`), beside or instead of the database's table.

`athanor:row:SPACE:KEY` is a hash: a field a view, its value a rank and behind it the packed
features. A rank is (base, event, created, ordinal) in decimal digits of fixed width, so that rows
are compared as texts, exactly and in any locale: Lua's numbers would lose digits. The sets
`athanor:keys:SPACE` and `athanor:view:VIEW` tell which keys there are.

The data plane reads by this module too: it knows the extra and nothing heavier.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from redis import Redis, RedisError

from athanor.features.errors import OnlineStoreUnavailable
from athanor.features.records import OnlineRecord

_RANK = 70
"""Digits of a rank: 10 of the base, and 20 each of event, created time and ordinal."""
_HALF = 1 << 63
_AT_ONCE = 500
"""Rows a script: Redis serves nobody else meanwhile."""

_PUT = f"""
local space, view, written = ARGV[1], ARGV[2], 0
for place = 3, #ARGV, 3 do
    local key, rank = ARGV[place], ARGV[place + 1]
    local row = 'athanor:row:' .. space .. ':' .. key
    local old = redis.call('HGET', row, view)
    if not old or string.sub(old, 1, {_RANK}) < rank then
        redis.call('HSET', row, view, rank .. ARGV[place + 2])
        redis.call('SADD', 'athanor:keys:' .. space, key)
        redis.call('SADD', 'athanor:view:' .. view, space .. ':' .. key)
        written = written + 1
    end
end
return written
"""

_REMOVE = f"""
local view, below, gone = ARGV[1], ARGV[2], 0
for place = 3, #ARGV, 2 do
    local space, key = ARGV[place], ARGV[place + 1]
    local row = 'athanor:row:' .. space .. ':' .. key
    local old = redis.call('HGET', row, view)
    if old and (below == '' or string.sub(old, 1, {_RANK}) < below) then
        redis.call('HDEL', row, view)
        redis.call('SREM', 'athanor:view:' .. view, space .. ':' .. key)
        gone = gone + 1
    end
    if redis.call('EXISTS', row) == 0 then
        redis.call('SREM', 'athanor:keys:' .. space, key)
    end
end
return gone
"""


class RedisOnlineStore:
    """Online rows in a Redis database of their own: one a workspace."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._reached():
            self._redis: Redis = Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=2.0)
            self._put: Callable[..., Any] = self._redis.register_script(_PUT)
            self._remove: Callable[..., Any] = self._redis.register_script(_REMOVE)

    def put(self, space: str, view: str, base: int, rows: Sequence[OnlineRecord]) -> int:
        """Put rows that come later than what is there."""
        written = 0
        with self._reached():
            for start in range(0, len(rows), _AT_ONCE):
                given: list[str | bytes] = [space, view]
                for row in rows[start : start + _AT_ONCE]:
                    given += (row.key, _rank(base, row), row.packed)
                written += int(self._put(args=given))
        return written

    def read(self, space: str, key: str) -> Iterable[tuple[str, int, bytes]]:
        """Every view of a key."""
        with self._reached():
            found = _now(self._redis.hgetall(f"athanor:row:{space}:{key}"))
        return [
            (view.decode(), int(value[10:30]) - _HALF, value[_RANK:])
            for view, value in found.items()
        ]

    def remove_older(self, view: str, base: int) -> int:
        """Remove rows of a history that was replaced."""
        return self._removed(view, self._members(view), below=f"{base:010d}")

    def remove_view(self, view: str) -> int:
        """Remove all rows of a view."""
        return self._removed(view, self._members(view))

    def erase(self, space: str, key: str) -> int:
        """Remove all rows of a key."""
        views = [view for view, _, _ in self.read(space, key)]
        return sum(self.remove_row(space, key, view) for view in views)

    def remove_row(self, space: str, key: str, view: str) -> int:
        """Remove one view's row of a key."""
        return self._removed(view, [(space, key)])

    def keys(self, space: str) -> list[str]:
        """Every key of a space, once."""
        with self._reached():
            found = self._redis.sscan_iter(f"athanor:keys:{space}", count=1000)
            return list({key.decode() for key in found})

    def count(self, view: str) -> int:
        """How many keys of a view are online."""
        with self._reached():
            return int(_now(self._redis.scard(f"athanor:view:{view}")))

    def holds(self, view: str) -> bool:
        """Whether any row of a view is online."""
        return self.count(view) > 0

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _members(self, view: str) -> list[tuple[str, str]]:
        with self._reached():
            found = [
                member.decode().partition(":")
                for member in self._redis.sscan_iter(f"athanor:view:{view}", count=1000)
            ]
        return [(space, key) for space, _, key in found]

    def _removed(self, view: str, members: Sequence[tuple[str, str]], below: str = "") -> int:
        gone = 0
        with self._reached():
            for start in range(0, len(members), _AT_ONCE):
                given = [view, below]
                for member in members[start : start + _AT_ONCE]:
                    given += member
                gone += int(self._remove(args=given))
        return gone

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Tell of a server that can't be reached or refuses, by its address without a password."""
        try:
            yield
        except (RedisError, ValueError, OSError) as error:
            address = self.url.partition("://")[2].rpartition("@")[2].partition("?")[0]
            raise OnlineStoreUnavailable(address, f"{type(error).__name__}: {error}") from error


def _rank(base: int, row: OnlineRecord) -> str:
    """What a row is compared by; a missing created time is the lowest."""
    created = 1 if row.created is None else row.created + _HALF
    return f"{base:010d}{row.event + _HALF:020d}{created:020d}{row.ordinal + _HALF:020d}"


def _now(answer: Awaitable[Any] | Any) -> Any:
    """The client's types serve its asynchronous twin, too; this one answers at once."""
    return cast("Any", answer)
