"""How a file becomes a version: one writer at a time, the work in a fork, then one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from athanor.data.errors import DatasetNameTaken
from athanor.data.logic.names import checked_name
from athanor.data.service.ground import Ground, OneWriter
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
class Order:
    """A file to be taken in; permission was asked for."""

    who: Principal
    project: str
    name: str
    new: NewVersion

    @property
    def file(self) -> str:
        """What the file is called by its owner."""
        return self.new.file_name or self.new.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blobs:
    """What was stored before the transaction."""

    raw: Blob
    profile: Blob


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
        raw = ground.storage.put_file(order.new.path)
        key = f"{order.project}/{name}"
        with self._writer.of(key, name) as holder, ground.scratch() as scratch:
            dataset = self._store.find_dataset(order.project, name)
            self.check_free(order.project, name)
            task = self._task_for(dataset, order) | {"scratch": str(scratch)}
            made = ground.workers.call("athanor.data.work.ingest:ingest", {"task": task})
            blobs = _Blobs(raw=raw, profile=ground.storage.put_bytes(made["profile"].encode()))
            with ground.database.transaction():
                self._writer.still(key, holder, name)
                version = self._append(dataset, order, blobs, made)
                if within is not None:
                    within(version)
        return version

    def check_free(self, project: str, name: str) -> None:
        """See that a new dataset's name is one of its own, upper and lower case being one in SQL.

        Raises: DatasetNameTaken.
        """
        if self._store.find_dataset(project, name) is not None:
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
            "expectations": None if expectations is None else plain(expectations),
            "base": None if latest is None else as_task(latest),
            "table_version": None if latest is None else latest.delta_version,
        }

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
        if self._store.expectations(dataset.id) is None:
            kept = msgspec.convert(made["expectations"], list[Expectation])
            self._store.set_expectations(dataset.id, kept)
        number = self._store.next_number(dataset.id)
        file, source = self._record_source(order, blobs.raw, made)
        consumed = {"file": file.id}
        if order.new.mode == "append" and before is not None:
            consumed["before"] = before.artifact_id
        artifact_id, run_id = self._record_made(
            order, blobs.profile, made, _metadata(name, number, roles, made), consumed
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
                "profile_digest": blobs.profile.digest,
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
        profile: Blob,
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
        report = self._lineage.record(
            who,
            NewArtifact(
                type="report",
                name=f"profile of {title}",
                uri=profile.uri,
                digest=profile.digest,
                size=profile.size,
                project=order.project,
                metadata={"kind": "profile", **labels},
            ),
        )
        for as_, used in consumed.items():
            self._lineage.consumed(who, run.id, used, as_)
        self._lineage.produced(who, run.id, artifact.id, "dataset")
        self._lineage.produced(who, run.id, report.id, "profile")
        self._lineage.finish_run(who, run.id, resources={"cpu_seconds": made["cpu_seconds"]})
        return artifact.id, run.id

    def _record_source(
        self, order: Order, raw: Blob, made: dict[str, Any]
    ) -> tuple[Artifact, Source]:
        artifact = self._lineage.record(
            order.who,
            NewArtifact(
                type="file",
                name=order.file,
                uri=raw.uri,
                digest=raw.digest,
                size=raw.size,
                project=order.project,
            ),
        )
        read = msgspec.convert(made["source"], Source)
        source = replace(
            read, file=order.file, digest=raw.digest, size=raw.size, artifact_id=artifact.id
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


def _metadata(name: str, number: int, roles: Roles, made: dict[str, Any]) -> dict[str, Any]:
    """What whoever uses the version as an artifact needs to know."""
    return {
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


def as_task(version: DatasetVersion) -> dict[str, Any]:
    """A version as the work modules take it."""
    return {
        "table_uri": version.table_uri,
        "delta_version": version.delta_version,
        "files": list(version.files),
        "columns": plain(version.columns),
    }


def plain(value: Any) -> Any:
    """A record as plain data."""
    return msgspec.to_builtins(value)
