"""Holders that are no room of their own: what runs made of a person's rows, and predictions."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from athanor.app.persons.keyed import KeyHistory
from athanor.app.persons.stored import EXAMPLES
from athanor.kernel import Access, Principal, Storage
from athanor.kernel.holder import Holding, Person
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage
from athanor.registry import Catalog, Models
from athanor.serving import ServingLog

ERASED_TAG = "athanor.trained_on_erased_rows"


class DescentHolder:
    """Runs and models that came of versions with a person's rows, and rows beside models."""

    def __init__(
        self,
        lineage: Lineage,
        storage: Storage,
        *,
        models: Models,
        catalog: Catalog,
        cache: Path,
    ) -> None:
        """`cache` is the folder in which models were laid out to be loaded."""
        self._cache = cache
        self._lineage = lineage
        self._storage = storage
        self._models = models
        self._catalog = catalog

    def holdings(self, person: Person, who: Principal, roots: list[str]) -> list[Holding]:
        """What came of these artifacts: training runs, models."""
        return [item for item, _ in self._found(person, who, roots)]

    def erase(self, person: Person, who: Principal, roots: list[str]) -> list[Holding]:
        """Remove the rows beside models, and mark the models that were trained on them."""
        done = []
        for item, blobs in self._found(person, who, roots):
            if item.kind == "model":
                model, _, number = item.name.rpartition("@")
                self._catalog.tag_version(who, model, int(number), ERASED_TAG, "true")
                done.append(_with(item, note=f"tagged {ERASED_TAG}: train it anew"))
            elif item.kind == "example":
                for digest in blobs:
                    self._storage.erase(digest)
                for name in EXAMPLES:
                    for copy in self._cache.glob(f"*/**/{name}"):
                        if f"sha256:{hashlib.sha256(copy.read_bytes()).hexdigest()}" in blobs:
                            copy.unlink()
                done.append(_with(item, erased=True))
            else:
                done.append(item)
        return done

    def _found(
        self, person: Person, who: Principal, roots: list[str]
    ) -> list[tuple[Holding, list[str]]]:
        graphs = [self._lineage.trace(who, root, "down") for root in roots]
        found: dict[str, tuple[Holding, list[str]]] = {}
        for graph in graphs:
            for node in graph.nodes:
                if node.kind == "run" and node.type not in {"ingest", "pipeline"}:
                    held = Holding(room="lineage", kind="run", name=node.name, id=node.id)
                    found[node.id] = (held, [])
        models = {
            node.id for graph in graphs for node in graph.nodes
            if node.kind == "artifact" and node.type == "model"
        }  # fmt: skip
        for item in self._trained(who, models):
            found[item.name] = (item, [])
            found |= self._examples(item, person, who)
        return list(found.values())

    def _trained(self, who: Principal, made: set[str]) -> list[Holding]:
        return [
            Holding(
                room="registry",
                kind="model",
                name=f"{version.model}@{version.number}",
                id=artifact_id,
            )
            for artifact_id in sorted(made)
            for version in self._models.versions_of(who, artifact_id)
        ]

    def _examples(
        self, model: Holding, person: Person, who: Principal
    ) -> dict[str, tuple[Holding, list[str]]]:
        """The rows that stand beside a model, where they are the person's or nobody can tell."""
        artifact = self._lineage.artifact(who, model.id)
        if not self._storage.exists(artifact.folder):
            return {}
        found = {
            entry.digest: rows
            for entry in self._storage.entries(artifact.folder)
            if entry.path.rpartition("/")[2] in EXAMPLES
            and self._storage.exists(entry.digest)
            and (rows := rows_of(self._storage.read(entry.digest), person))
        }
        if not found:
            return {}
        title = f"input example of {model.name}"
        held = Holding(room="registry", kind="example", name=title, rows=max(found.values()))
        return {title: (held, list(found))}


def rows_of(example: bytes, person: Person) -> int:
    """How many rows of an input example are the person's.

    Where it does not have the column that names persons, all of them may be.
    """
    try:
        told = msgspec.json.decode(example)
    except msgspec.DecodeError:
        return 1
    told = told.get("dataframe_split", told) if isinstance(told, dict) else told
    if isinstance(told, dict) and isinstance(told.get("data"), list):
        names = told.get("columns")
        rows = told["data"]
        if isinstance(names, list) and person.column in names:
            place = names.index(person.column)
            return sum(
                not isinstance(row, list) or len(row) <= place or str(row[place]) == person.value
                for row in rows
            )
        return len(rows)
    records = told if isinstance(told, list) else [told]
    return sum(
        not isinstance(row, dict) or str(row.get(person.column, person.value)) == person.value
        for row in records
    )


class PredictionHolder:
    """The prediction log as a `Holder`: rows by their key, or by the value of an input."""

    def __init__(
        self,
        log: ServingLog,
        storage: Storage,
        *,
        keys: KeyHistory,
        access: Access,
        workers: Workers,
    ) -> None:
        self._log = log
        self._keys = keys
        self._storage = storage
        self._access = access
        self._workers = workers

    def holdings(self, person: Person, who: Principal) -> list[Holding]:
        """How many predictions were made for a person."""
        self._access.require(who, "serving.trace_person", person.column)
        return _holdings(self._call("counted", person))

    def erase(self, person: Person, who: Principal) -> list[Holding]:
        """Remove them from the log's table; those of the last minutes are told, not removed."""
        self._access.require(who, "serving.erase_person", person.column)
        self._log.compact()
        return _holdings(self._call("erased", person))

    def _call(self, function: str, person: Person) -> Any:
        return self._workers.call(
            f"athanor.app.persons.log:{function}",
            {
                "sources": self._log.sources(),
                "tables": {
                    name: self._storage.table_uri(f"serving_{name}")
                    for name in ("predictions", "labels")
                },
                "keys": self._keys.spans(),
                "column": person.column,
                "value": person.value,
            },
        )


def _holdings(told: list[dict[str, Any]]) -> list[Holding]:
    return [Holding(**item) for item in told]


def _with(item: Holding, *, erased: bool = False, note: str = "") -> Holding:
    return Holding(
        room=item.room, kind=item.kind, name=item.name, id=item.id, rows=item.rows, erased=erased,
        note=note,
    )  # fmt: skip
