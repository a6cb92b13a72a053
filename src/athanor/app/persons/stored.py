"""A person's rows in blobs and working files: whatever no room's holder has looked at.

Tables between the steps of pipelines, rows that training sets pin, uploads, files of tracked runs,
requests and answers of asynchronous predictions, reports. What is there is found by what it is, so
that a room that keeps rows in a new place tomorrow is searched, too.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from athanor.app.persons.owners import Owner, owners_of
from athanor.kernel import Access, Database, Principal, Storage
from athanor.kernel.holder import Holding, Person
from athanor.kernel.remote import cached_copy
from athanor.kernel.workers import Workers
from athanor.monitoring.store import MonitorStore
from athanor.serving.store.tickets import TicketStore

EXAMPLES = ("input_example.json", "serving_input_example.json")
"""What MLflow calls the rows that it keeps with a model."""
_FOLDERS = ("work", "cache")
_IN_MODEL = "part of a model's files, which stay: train it anew"
_LEARNT = "what a recipe learnt, by which deployments go on: apply it anew"
_ERASED = "(erased)"
_BLACKENED = "the value was taken out of it; its counts stay"
_MENTIONED = (
    "NOT removed: the value stands in it as text, not in a table; remove it where it came from"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where files lie."""

    storage: Storage
    workspace: Path


class StoredHolder:
    """Blobs and working files with a person's rows."""

    def __init__(
        self,
        places: Places,
        database: Database,
        workers: Workers,
        *,
        access: Access,
        monitors: MonitorStore,
        tickets: TicketStore,
    ) -> None:
        self._places = places
        self._database = database
        self._workers = workers
        self._access = access
        self._monitors = monitors
        self._tickets = tickets

    def holdings(
        self, person: Person, who: Principal, known: Collection[Holding] = ()
    ) -> list[Holding]:
        """What holds rows, but for what was told already."""
        ids = {item.id for item in known if item.id}
        return [item for item, _, owners in self._found(person, who)
                if not any(owner.id in ids for owner in owners)
                or item.note]  # fmt: skip

    def erase(self, person: Person, who: Principal) -> list[Holding]:
        """Remove them for good, and the tickets that asked about the person."""
        done = []
        for item, where, owners in self._found(person, who):
            if item.note:
                done.append(item)
                continue
            note = ""
            for owner in owners:
                if owner.table == "monitoring_monitor":
                    note = _BLACKENED if self._blacken(owner, person) else _MENTIONED
                elif owner.table == "serving_ticket":
                    self._end(owner)
            if note == _MENTIONED:
                done.append(replace(item, note=note))
                continue
            if _is_blob(where):
                self._places.storage.erase(where)
            else:
                Path(where).unlink(missing_ok=True)
            done.append(replace(item, erased=True, note=note))
        self._forget()
        return done

    def _forget(self) -> None:
        """Empty SQLite's log of changes, in which removed rows stand until it is written over."""
        if self._database.dialect != "sqlite" or self._database.in_memory:
            return
        with self._database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _found(self, person: Person, who: Principal) -> list[tuple[Holding, str, list[Owner]]]:
        """What holds the person's rows: told, where it lies, and who names it."""
        self._access.require(who, "persons.trace", person.column)
        storage, workspace = self._places.storage, self._places.workspace
        folders = [workspace / name for name in _FOLDERS]
        if storage.root is None:
            folders.append(cached_copy("").parent)  # of tables that lie in the object store
        told: dict[str, Any] = self._workers.call(
            "athanor.app.persons.searching:search",
            {
                "storage": storage.url,
                "folders": [str(folder) for folder in folders],
                "column": person.column,
                "value": person.value,
            },
        )
        rows: dict[str, int] = told["rows"]
        every = [*rows, *told["mentions"]]
        owners = owners_of(self._database, storage.url, [n for n in every if _is_blob(n)])
        found = []
        for where in every:
            named = owners.get(where, [])
            held = self._holding(where, named[0] if named else None, rows.get(where, 0))
            found.append((held, where, named))
        return found

    def _holding(self, where: str, owner: Owner | None, rows: int) -> Holding:
        note = "" if rows else _MENTIONED
        if owner is None:
            kind, name = "file", where
            if _is_blob(where):
                kind, name = "blob", f"{where}, which nothing names"
            else:
                name = where.removeprefix(f"{self._places.workspace}/")
            return Holding(room="storage", kind=kind, name=name, rows=rows, note=note)
        kind, name = owner.kind, owner.name
        if owner.path:
            name = f"{name}: {owner.path}"
        if owner.type == "model":
            if owner.path.rpartition("/")[2] in EXAMPLES:
                kind = "example"
            else:
                note = _IN_MODEL
        elif owner.type == "recipe":
            note = _LEARNT
        return Holding(room=owner.room, kind=kind, name=name, id=owner.id, rows=rows, note=note)

    def _end(self, owner: Owner) -> None:
        """Take away a ticket with its request and its answer."""
        ticket_id = owner.name.split()[1]
        kept = self._tickets.find(ticket_id)
        if kept is None:
            return
        for digest in (kept.request, kept.ticket.answer):
            if digest:
                self._places.storage.erase(digest)
        self._tickets.remove(ticket_id)

    def _blacken(self, owner: Owner, person: Person) -> bool:
        """Write a monitor's summary of its reference without the value.

        False where the value stands in another place of it, and the summary is as it was.
        """
        storage, endpoint = self._places.storage, owner.name.removeprefix("reference of ")
        with self._database.transaction():
            monitor = self._monitors.lock(endpoint)
            if monitor is None or not monitor.sketch:
                return True
            summary = msgspec.json.decode(storage.read(monitor.sketch))
            plan = summary.get("plans", {}).get(person.column, {})
            for name in ("levels", "rare"):
                if name in plan:
                    plan[name] = [_ERASED if str(level) == person.value else level
                                  for level in plan[name]]  # fmt: skip
            blob = storage.put_bytes(msgspec.json.encode(summary))
            if blob.digest == monitor.sketch:
                return False
            self._monitors.change(replace(monitor, sketch=blob.digest))
            return True


def _is_blob(where: str) -> bool:
    return where.startswith("sha256:")
