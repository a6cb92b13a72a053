"""Rows of a person in the feature store: found, and removed for good."""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from athanor.features.ground import Ground, Stores
from athanor.features.lookup import instant, unpacked
from athanor.features.shelf import Shelf
from athanor.features.store.history import PendingRow
from athanor.features.types import FeatureView, ViewVersion
from athanor.kernel import Principal
from athanor.kernel.holder import Holding, Person

_ROOM = "features"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What of a view is to be erased."""

    view: FeatureView
    affected: list[tuple[ViewVersion, int]]
    """Versions that hold the person's rows, and how many."""
    kept: list[PendingRow]
    """Pushed rows of others that these versions alone hold."""
    erased: list[ViewVersion]
    """What takes the versions' place."""

    @property
    def blobs(self) -> set[str]:
        """The files of its versions."""
        held = {blob for version, _ in self.affected for blob in (version.blob, version.history)}
        return held - {""}


class FeatureHolder:
    """The `Holder` of online rows, pushed rows and stored versions of views."""

    def __init__(self, stores: Stores, ground: Ground) -> None:
        self._stores = stores
        self._ground = ground
        self._shelf = Shelf(stores.definitions, stores.history)

    def holdings(self, person: Person, who: Principal) -> list[Holding]:
        """Online rows, pushed rows and versions that hold the person's key."""
        self._ground.access.require(who, "features.holdings", person.column)
        found = []
        for view in self._views(person):
            title = f"{view.project}/{view.name}"
            online = len(self._online(view, person))
            pushed = sum(_is_of(row, person) for row in self._pending(view))
            found += [
                Holding(room=_ROOM, kind="feature", name=f"{title} {what}", rows=rows)
                for what, rows in (("online", online), ("pushed", pushed))
                if rows
            ]
            for version, rows in self._affected(view, person):
                found.append(_holding(version, rows))
        return found

    def erase(self, person: Person, who: Principal) -> list[Holding]:
        """Remove them; a view of which a version held some is read anew when it is next used."""
        self._ground.access.require(who, "features.erase_person", person.column)
        # Views with the same rows share a blob: all are looked through before one goes.
        found = [self._found(view, person) for view in self._views(person)]
        gone = [holding for each in found for holding in self._left_out(each, person)]
        for digest in {blob for each in found for blob in each.blobs}:
            self._ground.storage.remove(digest)
        return gone

    def _found(self, view: FeatureView, person: Person) -> _Found:
        """What of a view holds the person's rows, and what is told of it without them."""
        affected = self._affected(view, person)
        return _Found(
            view=view,
            affected=affected,
            kept=self._history(view, person) if affected else [],
            erased=[self._without(view, version, person) for version, _ in affected],
        )

    def _left_out(self, found: _Found, person: Person) -> list[Holding]:
        """Have a view without the person's rows, but for its blobs."""
        view, title = found.view, f"{found.view.project}/{found.view.name}"
        with self._ground.database.transaction():
            keys = self._online(view, person)
            for key in keys:
                self._stores.online.remove_row(self._shelf.space(view), key, title)
            pending = self._pending(view)
            others = [row for row in pending if not _is_of(row, person)]
            if pending:
                self._stores.history.forget_pending(view.project, view.name, pending[-1].seq)
            now = self._ground.clock.now()
            self._stores.history.add_pushes(view.project, view.name, found.kept + others, now)
            for version in found.erased:
                self._stores.history.replace_version(version)
        told = [
            *(_holding(version, rows) for version, rows in found.affected),
            *(Holding(room=_ROOM, kind="feature", name=f"{title} {what}", rows=rows)
              for what, rows in (("online", len(keys)), ("pushed", len(pending) - len(others)))
              if rows),
        ]  # fmt: skip
        return [replace(item, erased=True) for item in told]

    def _views(self, person: Person) -> list[FeatureView]:
        """The views that know the column, as a key or as a feature."""
        return [
            view
            for view in self._stores.definitions.listed("view")
            if person.column in self._names(view)
        ]

    def _names(self, view: FeatureView) -> set[str]:
        versions = self._stores.history.versions(view.project, view.name)
        fields = [item.name for version in versions for item in version.fields]
        return {*(key.name for key in self._shelf.keys(view)), *fields,
                *(item.name for item in view.features)}  # fmt: skip

    def _online(self, view: FeatureView, person: Person) -> list[str]:
        """The online keys that hold the person's, of those for which the view has a row."""
        online, space = self._stores.online, self._shelf.space(view)
        title = f"{view.project}/{view.name}"
        names = [key.name for key in self._shelf.keys(view)]
        found = []
        if person.column not in names:
            return [
                key for key in online.keys(space)
                if any(row[0] == title
                       and person.is_in(unpacked(row[2]).get(person.column))
                       for row in online.read(space, key))
            ]  # fmt: skip
        place = names.index(person.column)
        for key in online.keys(space):
            parts = orjson.loads(key)
            part = parts[place] if isinstance(parts, list) else parts
            if person.is_in(part) and title in {row[0] for row in online.read(space, key)}:
                found.append(key)
        return found

    def _pending(self, view: FeatureView) -> list[PendingRow]:
        return self._stores.history.pending(view.project, view.name)

    def _affected(self, view: FeatureView, person: Person) -> list[tuple[ViewVersion, int]]:
        found = []
        for version in self._stores.history.versions(view.project, view.name):
            if version.blob and self._ground.storage.exists(version.blob):
                rows = self._looked("rows", version.blob, person)
                if rows:
                    found.append((version, int(rows)))
        return found

    def _history(self, view: FeatureView, person: Person) -> list[PendingRow]:
        """The pushed rows of others that the newest version holds, to be read again."""
        newest = self._stores.history.find_version(view.project, view.name, None)
        if newest is None or not newest.history:
            return []
        return [PendingRow(**row) for row in self._looked("others", newest.history, person)]

    def _without(self, view: FeatureView, version: ViewVersion, person: Person) -> ViewVersion:
        """What is told of an erased version: nothing of the person's rows."""
        keys = [key.name for key in self._shelf.keys(view)]
        about = {"keys": keys, "event_time": view.event_time}
        left = self._looked("left", version.blob, person, about)
        first, last = (None if at is None else instant(at) for at in left["events"])
        return replace(
            version, state="erased", blob="", history="", rows=left["rows"], keys=left["keys"],
            first_event=first, last_event=last,
        )  # fmt: skip

    def _looked(
        self, what: str, digest: str, person: Person, about: dict[str, Any] | None = None
    ) -> Any:
        with self._ground.scratch() as scratch:
            task = (about or {}) | {
                "file": self._ground.local(digest, scratch),
                "column": person.column,
                "value": person.value,
                "what": what,
            }
            return self._ground.work("look:of_person", task)[what]


def _is_of(row: PendingRow, person: Person) -> bool:
    return person.is_in(row.row.get(person.column))


def _holding(version: ViewVersion, rows: int) -> Holding:
    return Holding(
        room=_ROOM,
        kind="version",
        name=f"{version.view}@{version.number}",
        id=version.artifact_id,
        rows=rows,
    )
