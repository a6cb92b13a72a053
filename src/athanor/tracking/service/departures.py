"""Runs, experiments and logged models given out whole, as another store takes them in."""

import math
from collections.abc import Iterator
from dataclasses import replace

from athanor.kernel import Access, Principal
from athanor.lineage import RunNotFound
from athanor.tracking.errors import ArtifactFileNotFound
from athanor.tracking.inputs import RunInputs
from athanor.tracking.logged_models import LoggedModel
from athanor.tracking.logic.paths import below, clean, place_of
from athanor.tracking.records import (
    ExperimentRecord,
    FileRecord,
    LoggedModelRecord,
    ModelPoint,
    PointsRecord,
    RunRecord,
    packed,
)
from athanor.tracking.searches import Order
from athanor.tracking.service.arrivals import Household, TransferStores
from athanor.tracking.store.experiments import ExperimentSearch
from athanor.tracking.types import HistoryQuery, TrackedRun

_CHUNK = 1 << 20
_BY_ID = (Order(entity="attribute", key="experiment_id", ascending=True),)
_ALL = 1_000_000
_MOST = 100
_POINTS = 500_000


class Departures:
    """Gives out what `Arrivals` takes in."""

    def __init__(self, stores: TransferStores, *, household: Household, access: Access) -> None:
        self._stores = stores
        self._household = household
        self._access = access

    def give_experiments(self, who: Principal, project: str) -> list[ExperimentRecord]:
        """A project's experiments, deleted ones too."""
        self._access.require(who, "tracking.give_experiments", project)
        wanted = ExperimentSearch(project, ("active", "deleted"), (), _BY_ID, (_ALL, 0))
        return [
            ExperimentRecord(
                id=found.id,
                name=found.name,
                project=found.project,
                location=found.artifact_location,
                lifecycle=found.lifecycle,
                created_at=found.created_at,
                updated_at=found.updated_at,
                tags=found.tags,
            )
            for found in self._stores.experiments.search(wanted)
        ]

    def give_runs(self, who: Principal, experiment: str, *, after: str = "") -> list[RunRecord]:
        """The next runs of an experiment behind one, by id, deleted ones too.

        At most 100, and fewer where their histories are long; none behind the last one.
        """
        self._access.require(who, "tracking.give_runs", experiment)
        ids = self._stores.transfers.runs_after(experiment, after, _MOST)
        infos = self._stores.runs.infos(ids)
        used = self._household.inputs.inputs(who, ids)
        gone = self._stores.transfers.deleted_at(ids)
        given: list[RunRecord] = []
        points = 0
        for run in self._stores.runs.load([infos[run_id] for run_id in ids if run_id in infos]):
            series, count = self._points(run)
            points += count
            if given and points > _POINTS:
                break
            given.append(
                replace(
                    self._run(who, run),
                    points=series,
                    deleted_at=gone.get(run.info.id),
                    used=used.get(run.info.id, RunInputs()),
                )
            )
        return given

    def give_logged_models(
        self, who: Principal, experiment: str, *, after: str = ""
    ) -> list[LoggedModelRecord]:
        """The next 100 logged models of an experiment behind one, by id, deleted ones too."""
        self._access.require(who, "tracking.give_logged_models", experiment)
        ids = self._stores.transfers.models_after(experiment, after, _MOST)
        found = (self._stores.models.find(model_id) for model_id in ids)
        return [_logged_model(model) for model in found if model is not None]

    def give_files(self, who: Principal, owner: str) -> list[FileRecord]:
        """The files of a run or a logged model.

        Raises: RunNotFound, LoggedModelNotFound.
        """
        self._access.require(who, "tracking.give_files", owner)
        root = self._root(who, owner)
        return [
            FileRecord(
                path=entry.path.removeprefix(f"{root}/"), size=entry.size, digest=entry.digest
            )
            for entry in self._stores.files.files(root)
        ]

    def give_content(self, who: Principal, owner: str, path: str) -> Iterator[bytes]:
        """A file's bytes, piece by piece.

        Raises: RunNotFound, LoggedModelNotFound, BadArtifactPath, ArtifactFileNotFound.
        """
        self._access.require(who, "tracking.give_content", owner)
        entry = self._stores.files.find(below(self._root(who, owner), clean(path)))
        if entry is None or entry.is_folder:
            raise ArtifactFileNotFound(path)
        return self._pieces(entry.digest)

    def _pieces(self, digest: str) -> Iterator[bytes]:
        with self._household.storage.open(digest) as stream:
            while piece := stream.read(_CHUNK):
                yield piece

    def _points(self, run: TrackedRun) -> tuple[list[PointsRecord], int]:
        """A run's metrics, and how many points they have together."""
        series, count = [], 0
        for key in run.metrics:
            points = self._stores.runs.history(run.info.id, key, HistoryQuery())
            count += len(points)
            series.append(packed(key, ((point.value, point.step, point.at) for point in points)))
        return series, count

    def _run(self, who: Principal, run: TrackedRun) -> RunRecord:
        told = self._household.lineage.run(who, run.info.id)
        return RunRecord(
            id=run.info.id,
            experiment=run.info.experiment,
            project=told.project,
            kind=told.kind,
            name=run.info.name,
            state=told.state,
            user=run.info.user,
            lifecycle=run.info.lifecycle,
            location=run.info.artifact_uri,
            started_at=told.started_at,
            ended_at=told.ended_at,
            tags=dict(run.tags),
            params=dict(run.params),
            parent=told.parent,
            labels=told.labels,
            resources=told.resources,
            environment=told.environment,
            code=told.code,
        )

    def _root(self, who: Principal, owner: str) -> str:
        if owner.startswith("m-"):
            return place_of(self._household.models.get(who, owner, deleted=True).location).path
        info = self._stores.runs.infos([owner]).get(owner)
        if info is None:
            raise RunNotFound(owner)
        return place_of(info.artifact_uri).path


def _logged_model(model: LoggedModel) -> LoggedModelRecord:
    return LoggedModelRecord(
        id=model.id,
        experiment=model.experiment,
        project=model.project,
        name=model.name,
        location=model.location,
        status="pending" if model.status == "unspecified" else model.status,
        status_message=model.status_message,
        type=model.type,
        run=model.run or None,
        lifecycle="deleted" if model.deleted else "active",
        created_at=model.created_at,
        updated_at=model.updated_at,
        params=model.params,
        tags=model.tags,
        points=[
            ModelPoint(
                key=point.key,
                value=point.value if math.isfinite(point.value) else str(point.value),
                step=point.step,
                at=point.at,
                run=point.run,
                dataset_name=point.dataset_name or None,
                dataset_digest=point.dataset_digest or None,
            )
            for point in model.metrics
        ],
    )
