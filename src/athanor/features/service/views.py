"""Views over time: their versions, pushed rows, how fresh they are, how far they drift."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from athanor.features.building import Building
from athanor.features.errors import (
    BadPush,
    NotPushable,
    PushedRowNotFound,
    ViewVersionNotFound,
)
from athanor.features.ground import Ground, Stores
from athanor.features.logic.pushes import records_of
from athanor.features.lookup import aware, instant, key_text
from athanor.features.records import DriftReport, Dropped, Freshness, Push, Pushed
from athanor.features.shelf import Shelf
from athanor.features.spans import span
from athanor.features.store.history import PendingRow
from athanor.features.types import FeatureView, ViewVersion
from athanor.kernel import DEFAULT_PROJECT, AthanorError, Principal
from athanor.kernel.database import microseconds
from athanor.kernel.wording import counted

_MOST_ROWS = 10_000
_ONE_PUSH = 10_000
_FIRST_ROWS = 100
"""So many tell the types that nobody declared."""


class FeatureViews:
    """The rows of feature views."""

    def __init__(self, stores: Stores, ground: Ground, building: Building) -> None:
        self._stores = stores
        self._history = stores.history
        self._ground = ground
        self._access = ground.access
        self._building = building
        self._shelf = Shelf(stores.definitions, stores.history)

    def build(
        self, who: Principal, name: str, *, force: bool = False, project: str = DEFAULT_PROJECT
    ) -> ViewVersion:
        """Read a view's source; where nothing moved since, its newest version comes back.

        Raises: ViewNotFound, DatasetNotFound, ViewCodeFailed, FeatureColumnMissing,
        KeyTypeMismatch, BadInstant, UnusableColumn, BadView, ViewRefused, ViewBusy, StorageFull.
        """
        self._access.require(who, "features.build", name)
        return self._building.build(who, self._shelf.view(project, name), force=force)

    def versions(
        self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT
    ) -> list[ViewVersion]:
        """All versions of a view, newest first. Raises: ViewNotFound."""
        self._access.require(who, "features.versions", name)
        found = self._history.versions(project, name)
        if not found:
            self._shelf.view(project, name)
        return found

    def rows(
        self,
        who: Principal,
        name: str,
        *,
        version: int | None = None,
        limit: int = 20,
        project: str = DEFAULT_PROJECT,
    ) -> list[dict[str, Any]]:
        """The newest rows of a version by event time, at most 10,000.

        Raises: ViewNotFound, ViewVersionNotFound.
        """
        self._access.require(who, "features.rows", name)
        found = self._version(project, name, version)
        with self._ground.scratch() as scratch:
            task = {
                "file": self._ground.local(found.blob, scratch),
                "event_time": self._shelf.view(project, name).event_time,
                "limit": max(0, min(limit, _MOST_ROWS)),
            }
            return list(self._ground.work("look:newest", task)["rows"])

    def push(
        self, who: Principal, name: str, push: Push, *, project: str = DEFAULT_PROJECT
    ) -> Pushed:
        """Take fresh rows of a stream: at once in the history, and online where they are newest.

        A row whose event lies in the future is not online before a materialization after it.
        Raises: ViewNotFound, BadPush, NotPushable.
        """
        self._access.require(who, "features.push", name)
        view = self._shelf.view(project, name)
        if push.to != "offline" and not view.online:
            raise NotPushable(name)
        if len(push.rows) > _ONE_PUSH:
            raise BadPush(name, _ONE_PUSH + 1, f"at most {_ONE_PUSH:,} rows fit into one push.")
        now = self._ground.clock.now()
        with self._ground.database.transaction():
            if push.idempotency_key:
                done = self._history.receipt(project, name, push.idempotency_key)
                if done is not None:
                    return done
            pushed = self._kept(view, push, now)
            if push.idempotency_key:
                self._history.keep_receipt(project, pushed, push.idempotency_key, now)
        return pushed

    def drop(
        self, who: Principal, name: str, numbers: Sequence[int], *, project: str = DEFAULT_PROJECT
    ) -> Dropped:
        """Remove pushed rows that no version holds yet, and what they brought online.

        What was online before a row is there again after a full materialization.
        Raises: ViewNotFound, PushedRowNotFound.
        """
        self._access.require(who, "features.drop", name)
        view = self._shelf.view(project, name)
        with self._ground.database.transaction():
            waiting = {item.seq: item.row for item in self._history.pending(project, name)}
            for number in numbers:
                if number not in waiting:
                    raise PushedRowNotFound(name, number)
            self._history.drop_pending(project, name, numbers)
            gone = {number: waiting.pop(number) for number in dict.fromkeys(numbers)}
            left = {self._place(view, row) for row in waiting.values()}
            places = {self._place(view, row) for row in gone.values()} - left
            online = sum(self._taken_back(view, *place) for place in places if place[0])
            detail = {"view": name, "rows": len(gone), "online": online}
            self._ground.events.tell(who, "features.rows.dropped", name, detail, project=project)
        return Dropped(view=name, rows=len(gone), online=online)

    def _place(self, view: FeatureView, row: dict[str, Any]) -> tuple[str, int]:
        """A pushed row's key as it is kept online, or "", and its event."""
        parts = [row.get(key.name) for key in self._shelf.keys(view)]
        event = microseconds(aware(datetime.fromisoformat(row[view.event_time])))
        return "" if None in parts else key_text(parts), event

    def _taken_back(self, view: FeatureView, key: str, event: int) -> int:
        """Remove a key's online row where it is of this event; how many."""
        online, space = self._stores.online, self._shelf.space(view)
        name = f"{view.project}/{view.name}"
        if (name, event) not in {(row[0], row[1]) for row in online.read(space, key)}:
            return 0
        return online.remove_row(space, key, name)

    def freshness(
        self, who: Principal, name: str = "", *, project: str = DEFAULT_PROJECT
    ) -> list[Freshness]:
        """How old the newest rows of a view are, or of all. Raises: ViewNotFound."""
        self._access.require(who, "features.freshness", name or project)
        views: Sequence[FeatureView] = (
            [self._shelf.view(project, name)]
            if name
            else self._stores.definitions.listed("view", project)
        )
        return [self._freshness(who, view) for view in views]

    def drift(
        self,
        who: Principal,
        name: str,
        *,
        since: datetime | None = None,
        threshold: float = 0.1,
        project: str = DEFAULT_PROJECT,
    ) -> DriftReport:
        """A view's values since an instant against those before it.

        Without one, the newest fifth of its rows is compared with the others. `threshold` is of
        the Jensen-Shannon distance, 0 to 1.
        Raises: ViewNotFound, ViewVersionNotFound.
        """
        self._access.require(who, "features.drift", name)
        view = self._shelf.view(project, name)
        version = self._version(project, name, None)
        with self._ground.scratch() as scratch:
            task = {
                "file": self._ground.local(version.blob, scratch),
                "event_time": view.event_time,
                "features": [[item.name, item.type] for item in version.fields],
                "since": None if since is None else microseconds(aware(since)),
                "threshold": threshold,
            }
            found = self._ground.work("drifting:drift", task)
        about = {"view": name, "version": version.number, "threshold": threshold}
        return msgspec.convert(found | about, DriftReport, strict=False)

    def _version(self, project: str, name: str, number: int | None) -> ViewVersion:
        found = self._history.find_version(project, name, number)
        if found is None:
            self._shelf.view(project, name)
            raise ViewVersionNotFound(name, number)
        return found

    def _kept(self, view: FeatureView, push: Push, now: datetime) -> Pushed:
        """Rows kept as `push.to` says, in the ambient transaction."""
        # After an erasure rows come behind those that are online still.
        latest = self._shelf.described_by(view)
        # Counted first: another push to this view waits here until this one has ended.
        first = self._history.count_pushes(view.project, view.name, len(push.rows))
        described = self._building.described(view, latest)
        if not all(key["type"] for key in described["keys"]):
            self._building.fix_key_types(view, {})
            described = self._building.described(view, latest)
        fields = [(item.name, item.type) for item in self._shelf.fields(view)]
        told = [kind for _, kind in fields] + [key["type"] for key in described["keys"]]
        before = []
        if not all(told):
            first_rows = self._history.pending(view.project, view.name, _FIRST_ROWS)
            before = [item.row for item in first_rows]
        rows, records, types = records_of(view.name, push.rows, described, fields, now, before)
        if not all(key["type"] for key in described["keys"]):
            self._building.fix_key_types(view, types)
        online = 0
        number = 0 if latest is None else latest.number
        if push.to != "online":
            kept = [
                PendingRow(seq=first + place, version=number, row=row)
                for place, row in enumerate(rows)
            ]
            self._history.add_pushes(view.project, view.name, kept, now)
        if push.to != "offline":
            due = [
                record.record((number, first + place))
                for place, record in enumerate(records)
                if record.key is not None
                and (record.known if view.known_at else record.event) <= microseconds(now)
            ]
            base = 0 if latest is None else latest.base
            name = f"{view.project}/{view.name}"
            online = self._stores.online.put(self._shelf.space(view), name, base, due)
        return Pushed(view=view.name, rows=len(rows), online=online)

    def _newest_event(
        self, view: FeatureView, version: ViewVersion | None, now: datetime
    ) -> tuple[datetime | None, int]:
        """The newest event up to now among a version's rows, and how many come later."""
        last = None if version is None else version.last_event
        if version is None or last is None or last <= now:
            return last, 0
        if not version.blob:  # its rows were erased: the first event is all that is known
            return version.first_event, 0
        with self._ground.scratch() as scratch:
            task = {
                "file": self._ground.local(version.blob, scratch),
                "event_time": view.event_time,
                "now": microseconds(now),
            }
            found = self._ground.work("look:until", task)
        return (None if found["last"] is None else instant(found["last"])), found["ahead"]

    def _freshness(self, who: Principal, view: FeatureView) -> Freshness:
        latest = self._history.find_version(view.project, view.name, None)
        pending = self._history.pending(view.project, view.name)
        state = self._history.materialization(view.project, view.name)
        # An erasure took the stored rows; those of others are online still.
        erased = self._shelf.erased(view) if latest is None else None
        online = erased is not None and self._stores.online.holds(f"{view.project}/{view.name}")
        read = erased if online else latest
        now = self._ground.clock.now()
        last, ahead = self._newest_event(view, read, now)
        told = [datetime.fromisoformat(item.row[view.event_time]) for item in pending]
        ahead += sum(event > now for event in told)
        last = max([event for event in [last, *told] if event and event <= now], default=None)
        age = None if last is None else (now - last).total_seconds()
        behind: list[str] = []
        if latest is not None:
            try:
                behind = self._building.behind(who, view, latest)
            except AthanorError as error:
                behind = [error.message]
        # Beyond its ttl no row is given out: what is older is not fresh, whatever else is said.
        limit = view.max_age or view.ttl
        word, message = "fresh", f"Its rows are as new as they should be: within {span(limit)}."
        if not limit:
            message = "No limit is set: give the view a ttl or a max_age."
        if age is None:
            word, message = "empty", "It has no rows yet." if not ahead else ""
            if erased is not None:
                message = "Its stored rows went with those of a person; it is read anew when used."
        elif limit and age > limit:
            word = "stale"
            which = "max_age" if view.max_age else "ttl"
            message = f"Its newest event is {span(age)} old; {span(limit)} are allowed ({which})."
        elif online:
            message = "Its stored rows went with those of a person; what is online serves reads."
        elif behind:
            message = f"Newer rows wait to be read: {', '.join(behind)}."
        if ahead:
            message += f" {counted(ahead, 'row', 'lie')} in the future and will count from then on."
        return Freshness(
            view=view.name,
            state=word,  # type: ignore[arg-type]
            message=message.strip(),
            ahead=ahead,
            last_event=last,
            age=age,
            max_age=limit,
            built_at=None if latest is None else latest.created_at,
            version=None if latest is None else latest.number,
            behind=tuple(behind),
            pending=len(pending),
            online_until=None if state is None else state.until,
        )
