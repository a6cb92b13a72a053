"""Datasets: tables with numbered versions that are never rewritten."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from athanor.data.errors import BadSource, NotQuarantined, UnknownColumn
from athanor.data.logic.names import parsed_reference
from athanor.data.logic.rules import check_columns, check_expectation
from athanor.data.service.finder import Finder
from athanor.data.service.ground import Ground
from athanor.data.service.intake import Intake, Order, Origin, as_task, failing_checks
from athanor.data.service.pinning import pinned
from athanor.data.store import DataStore, MarkStore
from athanor.data.types import (
    CheckResult,
    Dataset,
    DatasetVersion,
    Expectation,
    NewVersion,
    NumberedRow,
    Profile,
    Quarantine,
)
from athanor.kernel import DEFAULT_PROJECT, Principal
from athanor.lineage import Artifact, Lineage

_MOST_ROWS = 1_000
_ROWS_SHOWN = 50


class Datasets:
    """Datasets, their versions, profiles and checks."""

    def __init__(
        self, store: DataStore, marks: MarkStore, lineage: Lineage, ground: Ground
    ) -> None:
        self._store = store
        self._lineage = lineage
        self._ground = ground
        self._access = ground.access
        self._finder = Finder(store, marks)
        self.ground = ground
        self.intake = Intake(store, lineage, ground)
        lineage.offer_resolver("dataset", self._resolved)

    def add(
        self, who: Principal, name: str, new: NewVersion, *, project: str = DEFAULT_PROJECT
    ) -> DatasetVersion:
        """Read a file as the next version of a dataset, which begins with its first.

        A first version must fulfil what its roles demand; a later one that breaks an expectation
        is kept in quarantine: it has a number, and `latest` stays where it was.

        Raises: BadDatasetName, DatasetNameTaken, UnreadableFile and its kinds, UnknownColumn,
        UnfitTable, AnotherWriter, LostTheLease, StorageFull.
        """
        self._access.require(who, "data.add", name)
        origin = Origin(kind="file" if new.keep else "frame")
        return self.intake.take(Order(who=who, project=project, name=name, new=new, origin=origin))

    def datasets(self, who: Principal, *, project: str = DEFAULT_PROJECT) -> list[Dataset]:
        """All datasets that are not deleted, by name."""
        self._access.require(who, "data.datasets", project)
        return [item for item in self._store.list_datasets(project) if item.deleted_at is None]

    def dataset(self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT) -> Dataset:
        """One dataset.

        Raises: DatasetNotFound.
        """
        self._access.require(who, "data.dataset", name)
        return self._dataset(project, name)

    def version(
        self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT
    ) -> DatasetVersion:
        """The version that NAME, NAME@latest, NAME@3, NAME@<date>, NAME@sha256:... or a tag means.

        A date is a day (its end) or a time (ISO 8601, UTC where it names no zone): the newest
        version that there was.
        Raises: DatasetNotFound, VersionNotFound, NoReadyVersion, BadVersionReference,
        VersionDeleted, DatasetDeleted, AmbiguousDigest.
        """
        self._access.require(who, "data.version", reference)
        return self._version(project, reference)

    def versions(
        self,
        who: Principal,
        name: str,
        *,
        deleted: bool = False,
        project: str = DEFAULT_PROJECT,
    ) -> list[DatasetVersion]:
        """The versions of a dataset, newest first; the deleted ones too if they are asked for.

        Raises: DatasetNotFound, DatasetDeleted.
        """
        self._access.require(who, "data.versions", name)
        dataset = self._finder.dataset(project, name, deleted=deleted)
        found = self._store.list_versions(dataset.id)
        return [version for version in found if deleted or version.deleted_at is None]

    def profile(
        self, who: Principal, reference: str, *, target: str = "", project: str = DEFAULT_PROJECT
    ) -> Profile:
        """What a version holds, column by column; it was measured when the version was added.

        Against another target than the version's own it is measured now.
        Raises: DatasetNotFound, VersionNotFound, NoReadyVersion, BadVersionReference,
            UnknownColumn.
        """
        self._access.require(who, "data.profile", reference)
        version = self._version(project, reference)
        if target and target != version.roles.target:
            return self._profiled_against(version, target)
        if not version.profile_digest:
            return self._profiled(project, version)
        stored = self._ground.storage.read(version.profile_digest)
        return msgspec.json.decode(stored, type=Profile)

    def rows(
        self, who: Principal, reference: str, *, limit: int = 20, project: str = DEFAULT_PROJECT
    ) -> list[dict[str, Any]]:
        """The first rows of a version, at most 1,000.

        Raises: DatasetNotFound, VersionNotFound, NoReadyVersion, BadVersionReference.
        """
        self._access.require(who, "data.rows", reference)
        version = self._version(project, reference)
        wanted = list(range(1, min(limit, _MOST_ROWS, version.rows) + 1))
        return [row.values for row in self._rows(version, wanted)]

    def expectations(
        self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT
    ) -> list[Expectation]:
        """What every new version of a dataset must fulfil.

        Raises: DatasetNotFound.
        """
        self._access.require(who, "data.expectations", name)
        return self._store.expectations(self._dataset(project, name).id) or []

    def expect(
        self,
        who: Principal,
        name: str,
        expectations: Sequence[Expectation],
        *,
        project: str = DEFAULT_PROJECT,
    ) -> list[Expectation]:
        """Say what every new version must fulfil; what held before is replaced.

        Raises: DatasetNotFound, UnknownExpectation, BadExpectation.
        """
        self._access.require(who, "data.expect", name)
        for item in expectations:
            check_expectation(item)
        with self._ground.database.transaction():
            dataset = self._dataset(project, name)
            before = self._store.expectations(dataset.id) or []
            if latest := self._store.latest_version(dataset.id):
                # What was kept may stay: its column may have gone, and come back.
                new = [item for item in expectations if item not in before]
                check_columns(new, [column.name for column in latest.columns])
            self._store.set_expectations(dataset.id, list(expectations))
            detail = {"dataset": name, "expectations": len(expectations)}
            self._ground.events.tell(who, "data.checks.changed", name, detail, project=project)
        return list(expectations)

    def suggest(
        self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT
    ) -> list[Expectation]:
        """Expectations by the profile of a version; nothing is set.

        Raises: DatasetNotFound, VersionNotFound, NoReadyVersion, BadVersionReference.
        """
        self._access.require(who, "data.suggest", reference)
        version = self._version(project, reference)
        task = {"version": as_task(version), "roles": msgspec.to_builtins(version.roles)}
        found = self._ground.workers.call("athanor.data.work.look:suggest", task)
        return msgspec.convert(found, list[Expectation])

    def check(
        self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT
    ) -> list[CheckResult]:
        """Try today's expectations on a version; its state does not change.

        Raises: DatasetNotFound, VersionNotFound, NoReadyVersion, BadVersionReference.
        """
        self._access.require(who, "data.check", reference)
        version = self._version(project, reference)
        dataset = self._dataset(project, version.dataset)
        found = self._ground.workers.call(
            "athanor.data.work.look:check",
            {
                "version": as_task(version),
                "roles": msgspec.to_builtins(version.roles),
                "expectations": pinned(
                    self._store.expectations(dataset.id) or [],
                    self._store,
                    project,
                    self._ground.clock.now(),
                ),
            },
        )
        return msgspec.convert(found, list[CheckResult])

    def quarantine(
        self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT
    ) -> Quarantine:
        """Why a version stands apart, with the rows that are to blame.

        Raises: NotQuarantined, DatasetNotFound, VersionNotFound, BadVersionReference.
        """
        self._access.require(who, "data.quarantine", reference)
        version = self._version(project, reference)
        if version.state != "quarantined":
            raise NotQuarantined(version.dataset, version.number)
        failing = failing_checks(version)
        wanted = sorted({row for check in failing for row in check.rows})[:_ROWS_SHOWN]
        return Quarantine(version=version, failing=failing, rows=tuple(self._rows(version, wanted)))

    def upload(self) -> AbstractContextManager[Path]:
        """A folder for a file that is on its way in; it goes when the context ends.

        Raises: StorageFull.
        """
        self._ground.storage.check_space()
        return self._ground.scratch()

    def recover(self) -> int:
        """Free what killed processes were writing. Only under the workspace's lock.

        Their half-written files, which may hold anybody's rows, go at once.
        """
        if (root := self._ground.storage.root) is not None:
            shutil.rmtree(root / "staging", ignore_errors=True)
        return self._store.leases.end_all()

    def _dataset(self, project: str, name: str) -> Dataset:
        return self._finder.dataset(project, name)

    def _version(self, project: str, reference: str) -> DatasetVersion:
        asked = parsed_reference(reference)
        if asked.part:
            raise BadSource(
                f"{reference!r} names a part of a split; a whole version is wanted here.",
                f"Leave out #{asked.part}; parts are read by `athanor data get`, and by SQL.",
            )
        return self._finder.version(self._dataset(project, asked.name), asked)

    def _resolved(self, who: Principal, rest: str) -> Artifact:
        """The artifact behind `dataset:NAME@VERSION`."""
        return self._lineage.artifact(who, self.version(who, rest).artifact_id)

    def _profiled(self, project: str, version: DatasetVersion) -> Profile:
        """Measure a version that was stored unseen, once."""
        task = {"version": as_task(version), "roles": msgspec.to_builtins(version.roles)}
        found = self._ground.workers.call("athanor.data.work.look:profile", task)
        blob = self._ground.storage.put_bytes(msgspec.json.encode(found))
        dataset = self._dataset(project, version.dataset)
        self._store.set_profile(dataset.id, version.number, blob.digest)
        return msgspec.convert(found, Profile)

    def _profiled_against(self, version: DatasetVersion, target: str) -> Profile:
        names = [column.name for column in version.columns]
        if target not in names:
            raise UnknownColumn("target", target, names)
        roles = msgspec.to_builtins(replace(version.roles, target=target))
        task = {"version": as_task(version), "roles": roles}
        found = self._ground.workers.call("athanor.data.work.look:profile", task)
        return msgspec.convert(found, Profile)

    def _rows(self, version: DatasetVersion, numbers: list[int]) -> list[NumberedRow]:
        task = {"version": as_task(version), "numbers": numbers}
        found = self._ground.workers.call("athanor.data.work.look:rows", task)
        return msgspec.convert(found, list[NumberedRow])
