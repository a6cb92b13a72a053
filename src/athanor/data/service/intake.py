"""How a file becomes a version: one writer at a time, the work in a fork, then one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from athanor.data.errors import DatasetDeleted, DatasetNameTaken
from athanor.data.logic.names import checked_name
from athanor.data.service.ground import Ground, OneWriter
from athanor.data.service.pinning import pinned
from athanor.data.store import DataStore
from athanor.data.types import (
    FORMAT_VERSION,
    CheckResult,
    Dataset,
    DatasetVersion,
    Expectation,
    NewVersion,
    Roles,
    Source,
)
from athanor.kernel import Blob, Principal, new_id
from athanor.lineage import Artifact, Lineage, NewArtifact, NewRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a file comes from, if not from whoever hands it in."""

    kind: str = "file"
    uri: str = ""
    sql: str = ""
    packs: str = ""
    """The digest of a stored folder of packs."""
    in_place: dict[str, Any] | None = None
    """A Delta table that stays where it is: `table_uri`, `delta_version`, `files`."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A file to be taken in; permission was asked for."""

    who: Principal
    project: str
    name: str
    new: NewVersion
    origin: Origin = Origin()

    @property
    def file(self) -> str:
        """What the file is called by its owner."""
        return self.new.file_name or self.new.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blobs:
    """What was stored before the transaction."""

    raw: Blob | None
    """The file as it came, where it is kept."""
    profile: Blob | None


class Intake:
    """Takes files in as versions, for the verbs of this room."""

    def __init__(self, store: DataStore, lineage: Lineage, ground: Ground) -> None:
        self._store = store
        self._lineage = lineage
        self._ground = ground
        self._writer = OneWriter(store, ground.clock)

    def take(
        self, order: Order, within: Callable[[DatasetVersion], None] | None = None
    ) -> DatasetVersion:
        """Make the version; `within` writes more in the transaction that makes it visible.

        A process that is killed at any moment leaves no version, or the whole one: what it wrote
        before the transaction is mentioned nowhere.
        """
        name, ground = checked_name(order.name), self._ground
        ground.storage.check_space()
        keeps = order.new.keep and not order.new.path.is_dir()
        raw = ground.storage.put_file(order.new.path) if keeps else None
        with self._writer.of(order.project, name) as holder, ground.scratch() as scratch:
            dataset = self._store.find_dataset(order.project, name)
            self.check_free(order.project, name)
            task = self._task_for(dataset, order) | {"scratch": str(scratch)}
            made = ground.workers.call("athanor.data.work.ingest:ingest", {"task": task})
            told = made["profile"].encode()
            blobs = _Blobs(raw=raw, profile=ground.storage.put_bytes(told) if told else None)
            with ground.database.transaction():
                self._writer.still(order.project, name, holder)
                version = self._append(dataset, order, blobs, made)
                if within is not None:
                    within(version)
        return version

    def check_free(self, project: str, name: str) -> None:
        """See that a dataset may have this name, upper and lower case being one in SQL.

        Raises: BadDatasetName, DatasetNameTaken, DatasetDeleted.
        """
        dataset = self._store.find_dataset(project, checked_name(name))
        if dataset is not None:
            # One whose files are all gone can't be restored: its name is free, its numbers go on.
            if dataset.deleted_at is not None and any(
                version.purged_at is None for version in self._store.list_versions(dataset.id)
            ):
                raise DatasetDeleted(name)
            return
        folded = name.casefold()
        if folded in self._ground.relations:
            raise DatasetNameTaken(name, f"the platform's table {self._ground.relations[folded]!r}")
        for other in self._store.list_datasets(project):
            if other.name.casefold() == folded:
                raise DatasetNameTaken(name, f"the dataset {other.name!r}")

    def _task_for(self, dataset: Dataset | None, order: Order) -> dict[str, Any]:
        new = order.new
        latest = None if dataset is None else self._store.latest_version(dataset.id)
        expectations = None if dataset is None else self._store.expectations(dataset.id)
        stem, storage = new_id(), self._ground.storage
        return {
            "path": str(new.path),
            "file": order.file,
            "stem": stem,
            "table_uri": storage.table_uri(f"{order.project}/{order.name}"),
            "quarantine_uri": storage.table_uri(f"{order.project}/{order.name}.quarantine/{stem}"),
            "append": new.mode == "append",
            "read": plain(new.read),
            "roles": plain(merged_roles(dataset.roles if dataset else Roles(), new.roles)),
            "named": plain(new.roles),
            "expectations": None
            if expectations is None
            else pinned(expectations, self._store, order.project, self._ground.clock.now()),
            "base": None if latest is None else as_task(latest),
            "table_version": self._delta_version(dataset),
            "rule": new.schema,
            "look": new.look,
            "ours": storage.root is not None and new.path.is_relative_to(storage.root / "staging"),
            "in_place": order.origin.in_place,
            "size": 0 if order.origin.in_place else _size(new.path),
            "told": order.origin.notes,
        }

    def _delta_version(self, dataset: Dataset | None) -> int | None:
        """The newest version of the dataset's own table that a version of the dataset mentions."""
        if dataset is None:
            return None
        own = self._ground.storage.table_uri(f"{dataset.project}/{dataset.name}")
        return self._store.newest_delta(dataset.id, own)

    def _append(
        self, dataset: Dataset | None, order: Order, blobs: "_Blobs", made: dict[str, Any]
    ) -> DatasetVersion:
        """Write a version, its artifacts, its run and its event, in the ambient transaction."""
        who, name, now = order.who, order.name, self._ground.clock.now()
        if dataset is None:
            dataset = Dataset(
                id=new_id(),
                project=order.project,
                name=name,
                roles=Roles(),
                created_at=now,
                created_by=who.name,
            )
        before = self._store.latest_version(dataset.id)
        roles = merged_roles(dataset.roles, order.new.roles)
        self._store.put_dataset(replace(dataset, roles=roles))
        if dataset.deleted_at is not None:
            self._store.mark_dataset(dataset.id, None)
        if self._store.expectations(dataset.id) is None and made["expectations"] is not None:
            kept = msgspec.convert(made["expectations"], list[Expectation])
            self._store.set_expectations(dataset.id, kept)
        number = self._store.next_number(dataset.id)
        file, source = self._record_source(order, blobs.raw, made)
        consumed = {"file": file.id}
        if order.new.mode == "append" and before is not None:
            consumed["before"] = before.artifact_id
        artifact_id, run_id = self._record_made(
            order, blobs.profile, made, _metadata(name, number, roles, made, order.origin), consumed
        )
        version = msgspec.convert(
            made
            | {
                "dataset": name,
                "number": number,
                "artifact_id": artifact_id,
                "run_id": run_id,
                "mode": order.new.mode,
                "roles": plain(roles),
                "source": plain(source),
                "profile_digest": "" if blobs.profile is None else blobs.profile.digest,
                "created_at": now,
                "created_by": who.name,
            },
            DatasetVersion,
        )
        self._store.append_version(dataset.id, version)
        self._tell(order, version)
        return version

    def _record_made(
        self,
        order: Order,
        profile: Blob | None,
        made: dict[str, Any],
        metadata: dict[str, Any],
        consumed: dict[str, str],
    ) -> tuple[str, str]:
        """The ids of the version's artifact and of the run that made it."""
        who, title = order.who, f"{order.name}@{metadata['version']}"
        labels = {"dataset": order.name, "version": str(metadata["version"])}
        run = self._lineage.start_run(
            who, NewRun(kind="ingest", name=title, project=order.project, labels=labels)
        )
        artifact = self._lineage.record(
            who,
            NewArtifact(
                type="dataset",
                name=title,
                uri=made["table_uri"],
                digest=made["digest"],
                size=made["size"],
                project=order.project,
                metadata=metadata,
            ),
        )
        for as_, used in consumed.items():
            self._lineage.consumed(who, run.id, used, as_)
        self._lineage.produced(who, run.id, artifact.id, "dataset")
        if profile is not None:
            told = {"kind": "profile", **labels}
            report = self._report(order, f"profile of {title}", profile, told)
            self._lineage.produced(who, run.id, report.id, "profile")
        self._lineage.finish_run(who, run.id, resources={"cpu_seconds": made["cpu_seconds"]})
        return artifact.id, run.id

    def _report(self, order: Order, name: str, blob: Blob, told: dict[str, Any]) -> Artifact:
        return self._lineage.record(
            order.who,
            NewArtifact(
                type="report",
                name=name,
                uri=blob.uri,
                digest=blob.digest,
                size=blob.size,
                project=order.project,
                metadata=told,
            ),
        )

    def _record_source(
        self, order: Order, raw: Blob | None, made: dict[str, Any]
    ) -> tuple[Artifact, Source]:
        """The file, or what stands for it where it is not kept: the frame, the query, the table."""
        origin, read = order.origin, msgspec.convert(made["source"], Source)
        digest = made["digest"] if raw is None else raw.digest
        size = made["size"] if raw is None else raw.size
        told = {"kind": origin.kind, "uri": origin.uri, "sql": origin.sql}
        artifact = self._lineage.record(
            order.who,
            NewArtifact(
                type="file" if raw is not None else "folder" if origin.packs else "source",
                name=order.file,
                uri=raw.uri if raw is not None else origin.uri or f"{origin.kind}:{order.file}",
                digest=origin.packs or digest,
                size=size,
                project=order.project,
                metadata={key: value for key, value in told.items() if value}
                if origin.kind != "file"
                else {},
            ),
        )
        source = replace(
            read,
            file=order.file,
            digest=digest,
            size=size,
            artifact_id=artifact.id,
            kind=origin.kind,
            uri=origin.uri,
            sql=origin.sql,
            packs=origin.packs,
        )
        return artifact, source

    def _tell(self, order: Order, version: DatasetVersion) -> None:
        detail: dict[str, Any] = {
            "dataset": version.dataset,
            "version": version.number,
            "artifact": version.artifact_id,
            "digest": version.digest,
            "rows": version.rows,
            "mode": version.mode,
            "file": version.source.file,
        }
        action = "data.version.created"
        if version.state == "quarantined":
            action = "data.version.quarantined"
            detail["checks"] = [
                {"check": check.kind, "column": check.column, "message": check.message,
                 "count": check.count, "rows": list(check.rows)}
                for check in failing_checks(version)
            ]  # fmt: skip
        subject = f"{version.dataset}@{version.number}"
        self._ground.events.tell(order.who, action, subject, detail, project=order.project)


def failing_checks(version: DatasetVersion) -> tuple[CheckResult, ...]:
    """The checks that keep a version in quarantine."""
    return tuple(check for check in version.checks if not check.passed and check.severity == "fail")


def merged_roles(before: Roles, named: Roles) -> Roles:
    """The roles of a dataset when some are named anew; what is not named stays."""
    return Roles(
        target=named.target or before.target,
        id=named.id or before.id,
        time=named.time or before.time,
        sensitive=named.sensitive or before.sensitive,
    )


def _metadata(
    name: str, number: int, roles: Roles, made: dict[str, Any], origin: Origin
) -> dict[str, Any]:
    """What whoever uses the version as an artifact needs to know."""
    packs = {"packs": origin.packs} if origin.packs else {}
    return packs | {
        "format_version": FORMAT_VERSION,
        "dataset": name,
        "version": number,
        "state": made["state"],
        "table_uri": made["table_uri"],
        "delta_version": made["delta_version"],
        "files": list(made["files"]),
        "rows": made["rows"],
        "columns": made["columns"],
        "roles": plain(roles),
        "left_out": made["left_out"],
    }


def _size(path: Path) -> int:
    """Bytes of a file, or of a folder's files."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def as_task(version: DatasetVersion) -> dict[str, Any]:
    """A version as the work modules take it."""
    return {
        "table_uri": version.table_uri,
        "delta_version": version.delta_version,
        "files": list(version.files),
        "columns": plain(version.columns),
    }


def paths_of(version: DatasetVersion) -> list[str]:
    """Where a version's files lie."""
    uri = version.table_uri.rstrip("/")
    return [file if file.startswith("/") else f"{uri}/{file}" for file in version.files]


def plain(value: Any) -> Any:
    """A record as plain data."""
    return msgspec.to_builtins(value)
