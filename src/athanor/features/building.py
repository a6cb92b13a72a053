"""How a view's rows become a version: its source is read, sorted, tested and stored."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from athanor.data import DatasetVersion
from athanor.features.errors import (
    BadView,
    EntityNotFound,
    ViewBusy,
    ViewCodeFailed,
    ViewRefused,
)
from athanor.features.ground import Ground, Stores
from athanor.features.shelf import Shelf
from athanor.features.store.history import PendingRow
from athanor.features.types import (
    FORMAT_VERSION,
    Entity,
    FeatureView,
    Field,
    TestResult,
    ViewVersion,
)
from athanor.kernel import AthanorError, Blob, NotFound, Principal
from athanor.kernel.leases import OneAtATime
from athanor.kernel.workers import WorkerDied
from athanor.lineage import NewArtifact, NewRun

_LEASE = timedelta(seconds=30)
_PATIENCE_SECONDS = 600.0
_MOST_PENDING = 10_000
"""Pushed rows that joins read beside a version; with more, a new version is built first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a view's source is at this moment."""

    pins: dict[str, str] = field(default_factory=dict)
    """Dataset@version to its artifact."""
    versions: tuple[DatasetVersion, ...] = ()


class Building:
    """Builds versions, for the verbs of this room."""

    def __init__(self, stores: Stores, ground: Ground) -> None:
        self._stores = stores
        self._ground = ground
        self._shelf = Shelf(stores.definitions, stores.history)
        self._one = OneAtATime(
            stores.history.leases, ground.clock, lease=_LEASE, patience=_PATIENCE_SECONDS
        )

    def alone(self, project: str, view: str) -> AbstractContextManager[str]:
        """Be alone with a view meanwhile.

        Raises: ViewBusy after ten minutes of waiting.
        """
        return self._one.of(f"{project}/{view}", lambda: ViewBusy(view))

    def fresh(self, who: Principal, view: FeatureView) -> ViewVersion:
        """The newest version; where the source, the definition or much else moved, a new one.

        Raises: what `build` raises.
        """
        latest = self._stores.history.find_version(view.project, view.name, None)
        if latest is not None and not self.behind(who, view, latest):
            pending = self._stores.history.pending(view.project, view.name)
            # The first rows tell the types of keys, which a version without rows does not know.
            if len(pending) <= _MOST_PENDING and (latest.rows or not pending):
                return latest
        return self.build(who, view)

    def behind(self, who: Principal, view: FeatureView, latest: ViewVersion) -> list[str]:
        """What has moved since a version was built."""
        moved = ["definition"] if latest.revision != view.revision else []
        return moved + [
            name
            for name in self.source(who, view, latest).pins
            if view.source.kind != "push" and name not in latest.sources
        ]

    def source(
        self, who: Principal, view: FeatureView, latest: ViewVersion | None = None
    ) -> Source:
        """The dataset versions that a view would be built from now."""
        given = view.source
        names = list(given.inputs) if given.kind == "python" else []
        if given.kind in {"dataset", "recipe"}:
            names = [given.dataset]
        if given.kind == "sql" and latest is not None:
            # What it read the last time; a query that changed is a new definition.
            names = [name.partition("@")[0] for name in latest.sources]
        versions = tuple(
            self._ground.datasets.version(who, name, project=view.project) for name in names
        )
        pins = {f"{item.dataset}@{item.number}": item.artifact_id for item in versions}
        return Source(pins=pins, versions=versions)

    def build(self, who: Principal, view: FeatureView, *, force: bool = False) -> ViewVersion:
        """Read the source as the view's next version; one that breaks a test is not used.

        Raises: DatasetNotFound, ViewCodeFailed, FeatureColumnMissing, KeyTypeMismatch, BadInstant,
        UnusableColumn, BadView, ViewRefused, ViewBusy, StorageFull.
        """
        ground, history = self._ground, self._stores.history
        ground.storage.check_space()
        with self.alone(view.project, view.name), ground.scratch() as scratch:
            latest = history.find_version(view.project, view.name, None)
            pending = history.pending(view.project, view.name)
            moved = latest is None or self.behind(who, view, latest)
            if latest is not None and not (force or moved or pending):
                return latest
            task, pins = self.task(who, view, latest, scratch)
            task |= {"pending": msgspec.to_builtins(pending)}
            try:
                made = ground.work("build:build", task)
            except WorkerDied as error:
                if view.source.kind != "python":
                    raise
                raise ViewCodeFailed(view.name, f"its process died. {error.message}") from error
            blob = ground.storage.put_file(Path(made["path"]))
            pushed = ground.storage.put_file(Path(made["history"])) if made["history"] else None
            with ground.database.transaction():
                version = self._append(who, view, made, (blob, pushed), (latest, pins, pending))
        failed = [test.message for test in version.tests if not test.passed]
        if failed:
            raise ViewRefused(view.name, version.number, failed)
        return version

    def task(
        self, who: Principal, view: FeatureView, latest: ViewVersion | None, scratch: Path
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """What the worker is to do, and the pins of what it reads."""
        versions = self._stores.history.versions(view.project, view.name)
        source = self.source(who, view, latest)
        plain, pins = self._plain(who, view, source, scratch)
        task = self.described(view, latest) | {
            "number": (versions[0].number if versions else 0) + 1,
            "bounds": [],
            "source": plain,
            "tests": msgspec.to_builtins(view.tests),
            "history": "",
            "pushes_only": view.source.kind == "push",
            "scratch": str(scratch),
        }
        if latest is not None:
            if latest.history:
                task["history"] = self._ground.local(latest.history, scratch)
            if latest.revision == view.revision and self._extends(who, view, latest, source):
                task["bounds"] = [list(item) for item in latest.bounds]
        return task, pins

    def described(self, view: FeatureView, latest: ViewVersion | None) -> dict[str, Any]:
        """A view as workers know it."""
        keys = self._shelf.keys(view)
        types = [key.type for key in keys]
        if latest is not None and latest.rows and len(latest.key_types) == len(keys):
            types = [given or read for given, read in zip(types, latest.key_types, strict=True)]
        return {
            "view": view.name,
            "name": f"{view.project}/{view.name}",
            "keys": [
                {"name": key.name, "type": kind} for key, kind in zip(keys, types, strict=True)
            ],
            "event_time": view.event_time,
            "created_time": view.created_time,
            "known_at": view.known_at,
            "features": [{"name": item.name, "type": item.type} for item in view.features],
        }

    def _plain(
        self, who: Principal, view: FeatureView, source: Source, scratch: Path
    ) -> tuple[dict[str, Any], dict[str, str]]:
        given = view.source
        if given.kind == "sql":
            path = scratch / "source.parquet"
            try:
                names = self._ground.sql.copy(who, given.sql, path, project=view.project)
            except NotFound:
                raise
            except AthanorError as error:
                raise ViewCodeFailed(view.name, error.message) from error
            return {"kind": "files", "files": [str(path)]}, self.pins(who, view.project, names)
        if given.kind == "python":
            inputs = [_files(version) for version in source.versions]
            plain = {"kind": "python", "code": given.code, "function": given.function}
            return plain | {"inputs": inputs}, source.pins
        if given.kind == "push":
            return {"kind": "push"}, {}
        if given.kind == "recipe":
            return self._prepared(who, view, source, scratch)
        return {"kind": "files", "files": _files(source.versions[0])}, source.pins

    def _prepared(
        self, who: Principal, view: FeatureView, source: Source, scratch: Path
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The table that a recipe makes of the view's dataset."""
        if self._ground.prepare is None:
            raise BadView(view.name, "there are no recipes here.")
        recipe, (dataset,) = view.source.recipe, source.pins
        made = self._ground.prepare(who, recipe, dataset, view.project)
        table = self._ground.lineage.artifact(who, made)
        files = [self._ground.local(table.digest, scratch)]
        return {"kind": "files", "files": files}, source.pins | {f"recipe {recipe}": made}

    def pins(self, who: Principal, project: str, names: list[str]) -> dict[str, str]:
        """The datasets among the tables that a query read."""
        pins = {}
        for name in names:
            try:
                version = self._ground.datasets.version(who, name, project=project)
            except AthanorError:
                continue  # a table of the platform, which has no versions
            pins[f"{version.dataset}@{version.number}"] = version.artifact_id
        return pins

    def _extends(
        self, who: Principal, view: FeatureView, latest: ViewVersion, source: Source
    ) -> bool:
        """Whether the source has every row that it had, in their order, and perhaps more."""
        if view.source.kind == "push":
            return True
        if source.pins == latest.sources and view.source.kind != "sql":
            return True
        if view.source.kind != "dataset" or len(latest.sources) != 1:
            return False
        try:
            before = self._ground.datasets.version(
                who, next(iter(latest.sources)), project=view.project
            )
        except AthanorError:
            return False
        now = source.versions[0]
        return (
            before.dataset == now.dataset
            and before.table_uri == now.table_uri
            and now.files[: len(before.files)] == before.files
        )

    def _append(
        self,
        who: Principal,
        view: FeatureView,
        made: dict[str, Any],
        blobs: tuple[Blob, Blob | None],
        before: tuple[ViewVersion | None, dict[str, str], list[PendingRow]],
    ) -> ViewVersion:
        latest, pins, pending = before
        blob, pushed = blobs
        history = self._stores.history
        versions = history.versions(view.project, view.name)
        number = (versions[0].number if versions else 0) + 1
        tests = msgspec.convert(made["tests"], tuple[TestResult, ...])
        state = "ready" if all(test.passed for test in tests) else "refused"
        bounds = made["bounds"]
        replaced = latest is None or bounds[0][0] == number
        fields = msgspec.convert(made["fields"], tuple[Field, ...])
        run_id, artifact_id = self._recorded(who, view, made, number, (blob, pins))
        version = ViewVersion(
            view=view.name,
            project=view.project,
            number=number,
            revision=view.revision,
            base=number if replaced or latest is None else latest.base,
            bounds=tuple((int(low), int(high)) for low, high in bounds),
            state="ready" if state == "ready" else "refused",
            artifact_id=artifact_id,
            run_id=run_id,
            digest=made["digest"],
            blob=blob.digest,
            rows=made["rows"],
            keys=made["keys"],
            fields=fields or view.features,
            key_types=tuple(made["key_types"]),
            unique=made["unique"],
            created=made["created"],
            first_event=_moment(made["first_event"]),
            last_event=_moment(made["last_event"]),
            sources=pins,
            pushed=pending[-1].seq if pending else (latest.pushed if latest else 0),
            history=pushed.digest if pushed is not None else "",
            left_out=made["left_out"],
            tests=tests,
            created_at=self._ground.clock.now(),
            created_by=who.name,
        )
        history.append_version(version)
        action = "features.view.refused"
        if version.state == "ready":
            action = "features.view.built"
            if pending:
                history.forget_pending(view.project, view.name, pending[-1].seq)
            if version.rows:
                names = (key.name for key in self._shelf.keys(view))
                self.fix_key_types(view, dict(zip(names, version.key_types, strict=False)))
        detail = {"view": view.name, "version": number, "rows": version.rows,
                  "artifact": artifact_id, "digest": version.digest}  # fmt: skip
        self._ground.events.tell(who, action, view.name, detail, project=view.project)
        return version

    def _recorded(
        self,
        who: Principal,
        view: FeatureView,
        made: dict[str, Any],
        number: int,
        about: tuple[Blob, dict[str, str]],
    ) -> tuple[str, str]:
        """The ids of the run that made a version, and of its artifact."""
        blob, pins = about
        return self._ground.recorded(
            who,
            NewRun(
                kind="feature_view",
                name=f"{view.name}@{number}",
                project=view.project,
                labels={"view": view.name, "version": str(number)},
            ),
            pins,
            NewArtifact(
                type="feature_view",
                name=f"{view.name}@{number}",
                uri=blob.uri,
                digest=made["digest"],
                size=blob.size,
                project=view.project,
                metadata={
                    "format_version": FORMAT_VERSION,
                    "format": "parquet",
                    "blob": blob.digest,
                    "view": view.name,
                    "version": number,
                    "revision": view.revision,
                    "rows": made["rows"],
                },
            ),
            made["cpu_seconds"],
        )

    def fix_key_types(self, view: FeatureView, types: Mapping[str, Any]) -> None:
        """What an entity's keys are is known from its first rows on (R10).

        Without types, the entities are only held: nobody else tells theirs before the ambient
        transaction ends.
        """
        for name in sorted(view.entities):
            entity = self._stores.definitions.find("entity", view.project, name, hold=True)
            if not isinstance(entity, Entity):
                raise EntityNotFound(name, ())
            keys = tuple(
                replace(key, type=key.type or types.get(key.name, "")) for key in entity.keys
            )
            if keys != entity.keys:
                self._stores.definitions.put("entity", replace(entity, keys=keys))


def _files(version: DatasetVersion) -> list[str]:
    uri = version.table_uri.rstrip("/")
    return [f"{uri}/{file}" for file in version.files]


def _moment(value: Any) -> Any:
    return None if value is None else msgspec.convert(value, type=datetime, strict=False)
