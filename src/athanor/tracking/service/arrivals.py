"""Runs, experiments and logged models that come from another store, whole."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from athanor.kernel import Access, Clock, Database, Events, Principal, Storage
from athanor.lineage import Lineage, NewRun, RunAmendment, RunNotFound
from athanor.tracking.errors import ExperimentNotFound, RunTaken, Unloggable, WrongDigest
from athanor.tracking.files import FileEntry
from athanor.tracking.logged_models import LoggedModel, ModelMetric
from athanor.tracking.logic.paths import below, clean, place_of
from athanor.tracking.records import (
    ExperimentHere,
    ExperimentRecord,
    FileRecord,
    LoggedModelRecord,
    ModelPoint,
    PointsRecord,
    RunRecord,
    unpacked,
)
from athanor.tracking.service.inputs import Inputs
from athanor.tracking.service.logged_models import LoggedModels
from athanor.tracking.store.experiments import ExperimentStore
from athanor.tracking.store.files import FileStore
from athanor.tracking.store.logged_models import LoggedModelStore
from athanor.tracking.store.runs import Membership, TrackedRunStore
from athanor.tracking.store.transfers import TransferStore
from athanor.tracking.types import Experiment, KeyedPoint

_CHUNK = 1 << 20
_LONGEST_ID = 32
_MODEL_ID = re.compile(r"m-[A-Za-z0-9_-]{1,250}")
_POINTS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStores:
    """What whole runs are written to and read from."""

    experiments: ExperimentStore
    runs: TrackedRunStore
    models: LoggedModelStore
    files: FileStore
    transfers: TransferStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """What arrivals stand beside."""

    lineage: Lineage
    inputs: Inputs
    models: LoggedModels
    storage: Storage


class Arrivals:
    """Takes in what another store gives: ids and times are kept, and again changes nothing.

    An owner is a run or a logged model, by its id. What has arrived whole is marked: the sender's
    mark changes when the owner does, and only what is not marked so is sent again.
    """

    def __init__(
        self,
        stores: TransferStores,
        database: Database,
        *,
        household: Household,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._database = database
        self._household = household
        self._events = events
        self._access = access
        self._clock = clock

    def wanted(self, who: Principal, marks: Mapping[str, str]) -> list[str]:
        """Which owners have not arrived with these marks."""
        self._access.require(who, "tracking.wanted", "*")
        here = self._stores.transfers.marks(list(marks))
        return [owner for owner, mark in marks.items() if here.get(owner) != mark]

    def take_experiments(
        self, who: Principal, records: Sequence[ExperimentRecord]
    ) -> list[ExperimentHere]:
        """Find experiments by project and name, or make them.

        The id is kept where no other experiment has it.
        """
        self._access.require(who, "tracking.take_experiments", "*")
        with self._database.transaction():
            kept = [(record.id, self._experiment(who, record)) for record in records]
        return [
            ExperimentHere(id=told, here=found.id, location=found.artifact_location)
            for told, found in kept
        ]

    def take_runs(self, who: Principal, records: Sequence[RunRecord]) -> list[str]:
        """Take in runs with all but their files; `experiment` is the id here. The ids of new ones.

        A long history may come in several records of one run.
        Raises: ExperimentNotFound; RunTaken where another project has a run of this id.
        """
        self._access.require(who, "tracking.take_runs", "*")
        with self._database.transaction():
            added = [record.id for record in records if self._run(who, record)]
            if added:
                project = records[0].project
                detail = {"runs": len(added), "first": added[0]}
                self._events.tell(who, "tracking.runs.arrived", added[0], detail, project=project)
        return added

    def take_logged_models(self, who: Principal, records: Sequence[LoggedModelRecord]) -> list[str]:
        """Take in logged models with all but their files; the ids of new ones.

        `experiment` is the id here. A model that was ready is so again when it is settled.
        """
        self._access.require(who, "tracking.take_logged_models", "*")
        with self._database.transaction():
            return [record.id for record in records if self._logged_model(record)]

    def take_files(self, who: Principal, files: Mapping[str, Sequence[FileRecord]]) -> list[str]:
        """Put files in their places, by owner; the digests of content that is not here yet.

        Raises: RunNotFound, LoggedModelNotFound, BadArtifactPath, PathTaken.
        """
        self._access.require(who, "tracking.take_files", "*")
        storage, store = self._household.storage, self._stores.files
        digests = {file.digest for owned in files.values() for file in owned}
        absent = {digest for digest in digests if not storage.exists(digest)}
        now = self._clock.now()
        with self._database.transaction():
            for owner, owned in files.items():
                root = self._root(who, owner)
                here = {entry.path: entry.digest for entry in store.files(root)}
                for file in owned:
                    path = below(root, clean(file.path))
                    if file.digest not in absent and here.get(path) != file.digest:
                        entry = FileEntry(path=path, digest=file.digest, size=file.size, at=now)
                        store.put(entry)
        return sorted(absent)

    def lacking(self, who: Principal, digests: Sequence[str]) -> list[str]:
        """Which of these contents are not here."""
        self._access.require(who, "tracking.lacking", "*")
        storage = self._household.storage
        return [digest for digest in dict.fromkeys(digests) if not storage.exists(digest)]

    def take_content(
        self, who: Principal, listed: Sequence[tuple[str, int]], stream: IO[bytes]
    ) -> None:
        """Take in the bytes of files, one behind the other, each listed by digest and size.

        Raises: WrongDigest, DiskNearlyFull.
        """
        self._access.require(who, "tracking.take_content", "*")
        for digest, size in listed:
            left = size
            with self._household.storage.incoming() as incoming:
                while left and (piece := stream.read(min(_CHUNK, left))):
                    left -= len(piece)
                    incoming.write(piece)
                found = incoming.finish()
                if f"sha256:{found.removeprefix('sha256:')}" != digest:
                    raise WrongDigest(digest, found)
                incoming.keep()

    def settle(self, who: Principal, marks: Mapping[str, str]) -> None:
        """Say that owners have arrived whole: logged models become artifacts of the lineage."""
        self._access.require(who, "tracking.settle", "*")
        for owner in marks:
            model = self._stores.models.find(owner) if owner.startswith("m-") else None
            if model is not None and model.status == "pending" and not model.deleted:
                self._finalize(who, model)
        with self._database.transaction():
            self._stores.transfers.set_marks(marks, self._clock.now())

    def _experiment(self, who: Principal, record: ExperimentRecord) -> Experiment:
        store = self._stores.experiments
        found = store.find_by_name(record.project, record.name)
        if found is not None:
            missing = {key: value for key, value in record.tags.items() if key not in found.tags}
            if missing:
                store.set_tags(found.id, missing)
            return found
        free = (
            record.id.isdecimal() and len(record.id) < _LONGEST_ID and store.find(record.id) is None
        )
        now = self._clock.now()
        experiment = Experiment(
            id=record.id if free else "",
            project=record.project,
            name=record.name,
            artifact_location="",
            lifecycle=record.lifecycle,
            created_at=record.created_at or now,
            updated_at=record.updated_at or record.created_at or now,
            tags=record.tags,
        )
        made = store.add(experiment)
        detail = {"name": made.name, "from": record.id}
        self._events.tell(who, "tracking.experiment.arrived", made.id, detail, project=made.project)
        return made

    def _run(self, who: Principal, record: RunRecord) -> bool:
        """Take in a run; whether it is new."""
        experiment = self._stores.experiments.find(record.experiment)
        if experiment is None:
            raise ExperimentNotFound.by_id(record.experiment)
        new = self._lineage_run(who, record)
        location = experiment.artifact_location
        runs, started = self._stores.runs, record.started_at or self._clock.now()
        runs.add(
            Membership(
                run=record.id,
                experiment=record.experiment,
                lifecycle="active",
                user=record.user,
                artifact_uri=f"{location.rstrip('/')}/{record.id}/artifacts",
                started_at=started,
            )
        )
        runs.set_tags({record.id: record.tags})
        runs.add_params(record.id, record.params)
        batch: list[KeyedPoint] = []
        for series in record.points:
            for value, step, at in _points_of(series):
                batch.append(KeyedPoint(series.key, at, step, value))
                if len(batch) == _POINTS:
                    runs.add_points({record.id: batch})
                    batch = []
        if batch:
            runs.add_points({record.id: batch})
        if runs.lifecycle(record.id) == "active":
            used, inputs = record.used, self._household.inputs
            if used.datasets or used.models:
                inputs.log_inputs(who, record.id, used.datasets, used.models)
            if used.outputs:
                inputs.log_outputs(who, record.id, used.outputs)
            if record.lifecycle == "deleted":
                runs.set_lifecycle(record.id, "deleted", record.deleted_at or self._clock.now())
        return new

    def _lineage_run(self, who: Principal, record: RunRecord) -> bool:
        lineage = self._household.lineage
        try:
            known = lineage.run(who, record.id)
        except RunNotFound:
            known = None
        if known is not None and known.project != record.project:
            raise RunTaken(record.id, known.project)
        if known is None:
            started = NewRun(
                id=record.id,
                kind=record.kind,
                name=record.name,
                project=record.project,
                state=record.state,
                parent=self._parent(who, record),
                started_at=record.started_at,
                labels=record.labels,
                environment=record.environment,
                code=record.code,
            )
            lineage.start_run(who, started)
        lineage.amend_run(
            who,
            record.id,
            RunAmendment(state=record.state, name=record.name, ended_at=record.ended_at),
        )
        return known is None

    def _parent(self, who: Principal, record: RunRecord) -> str | None:
        """The run that it is a part of, if that is here already."""
        told = record.parent or record.tags.get("mlflow.parentRunId")
        try:
            return self._household.lineage.run(who, told).id if told else None
        except RunNotFound:
            return None

    def _logged_model(self, record: LoggedModelRecord) -> bool:
        store = self._stores.models
        found = store.find(record.id)
        if found is None:
            if not _MODEL_ID.fullmatch(record.id):
                raise Unloggable(
                    f"The logged model's id {record.id[:100]!r} has to be 'm-' and letters, "
                    "digits, '-' or '_'."
                )
            experiment = self._stores.experiments.find(record.experiment)
            location = experiment.artifact_location if experiment else "mlflow-artifacts:/0"
            now = self._clock.now()
            store.add(
                LoggedModel(
                    id=record.id,
                    experiment=record.experiment,
                    project=record.project,
                    name=record.name,
                    location=f"{location.rstrip('/')}/models/{record.id}/artifacts",
                    # Ready when its files have come.
                    status="pending" if record.status == "ready" else record.status,
                    status_message=record.status_message,
                    type=record.type,
                    run=record.run or "",
                    deleted=record.lifecycle == "deleted",
                    created_at=record.created_at or now,
                    updated_at=record.updated_at or record.created_at or now,
                )
            )
        store.add_params(record.id, record.params)
        store.set_tags(record.id, record.tags)
        store.add_metrics(
            ModelMetric(
                model=record.id,
                key=point.key,
                value=_number(point),
                step=point.step,
                at=point.at,
                run=point.run,
                dataset_name=point.dataset_name or "",
                dataset_digest=point.dataset_digest or "",
            )
            for point in record.points
        )
        return found is None

    def _finalize(self, who: Principal, model: LoggedModel) -> None:
        self._household.models.finalize(who, model.id, "ready")
        with self._database.transaction():
            self._stores.models.change(model.id, {"updated_at": model.updated_at})

    def _root(self, who: Principal, owner: str) -> str:
        """Where the tree keeps an owner's files."""
        if owner.startswith("m-"):
            return place_of(self._household.models.get(who, owner, deleted=True).location).path
        info = self._stores.runs.infos([owner]).get(owner)
        if info is None:
            raise RunNotFound(owner)
        return place_of(info.artifact_uri).path


def _points_of(series: PointsRecord) -> Iterator[tuple[float, int, int]]:
    """The points of a record.

    Raises: Unloggable where its columns can't be read.
    """
    try:
        yield from unpacked(series)
    except ValueError as error:
        raise Unloggable(f"The points of {series.key[:100]!r} can't be read: {error}.") from error


def _number(point: ModelPoint) -> float:
    """A measured value.

    Raises: Unloggable where it is none.
    """
    try:
        return float(point.value)
    except ValueError as error:
        raise Unloggable(
            f"The value {str(point.value)[:100]!r} of {point.key[:100]!r} is no number."
        ) from error
