"""The verbs of logged models."""

import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from athanor.kernel import DEFAULT_PROJECT, Access, Clock, Database, Events, Principal
from athanor.lineage import Artifact, Lineage, NewArtifact, RunNotFound
from athanor.tracking.errors import (
    BadArtifactPath,
    BadLoggedModel,
    LoggedModelNotFound,
    LoggedModelTagNotFound,
)
from athanor.tracking.homes import Homes
from athanor.tracking.logged_models import (
    LoggedModel,
    LoggedModelQuery,
    ModelMetric,
    ModelStatus,
    NewLoggedModel,
)
from athanor.tracking.logic import rules
from athanor.tracking.logic.names import made_up_name
from athanor.tracking.logic.paths import in_project, place_of
from athanor.tracking.service.model_artifacts import ModelArtifacts
from athanor.tracking.store.inputs import InputStore
from athanor.tracking.store.logged_models import LoggedModelStore
from athanor.tracking.types import DEFAULT_EXPERIMENT_ID

_UNFIT = ("/", ":", ".", "%", '"', "'")
_LONGEST_NAME = 500
_LONGEST_KEY = 255
_METRIC_KEY = 250
_RUN_ID = 32
_DIGEST = 36
_EDGE_NAME = 255
_DEFAULT_NAME = "model"
"""What MLflow calls a model that nobody names."""
_MODEL_URI = re.compile(r"models:/(m-[0-9a-f]{32})(?:/(.*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNeighbours:
    """What logged models stand beside."""

    homes: Homes
    inputs: InputStore
    artifacts: ModelArtifacts
    lineage: Lineage


class LoggedModels:
    """Models that runs logged: what they are made with, how they measure, where their files lie."""

    def __init__(
        self,
        store: LoggedModelStore,
        database: Database,
        *,
        neighbours: ModelNeighbours,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._neighbours = neighbours
        self._events = events
        self._access = access
        self._clock = clock

    def create(self, who: Principal, new: NewLoggedModel) -> LoggedModel:
        """Make a model in an experiment; its files are sent to its `location`, then finalize it.

        Raises: BadLoggedModel; what the experiments raise where there is none, or a deleted one.
        """
        self._access.require(who, "tracking.create", new.experiment)
        _check_name(new.name)
        _check_length("model_type", new.type, _LONGEST_NAME)
        _check_length("source_run_id", new.run, _RUN_ID)
        _check_params({**new.params, **new.tags})
        home = self._neighbours.homes.experiment(
            who, new.experiment, project=new.project, writing=True
        )
        model_id = f"m-{secrets.token_hex(16)}"
        now = self._now()
        model = LoggedModel(
            id=model_id,
            experiment=home.id,
            project=home.project,
            name=new.name or made_up_name(),
            location=f"{home.location.rstrip('/')}/models/{model_id}/artifacts",
            type=new.type,
            run=new.run,
            created_at=now,
            updated_at=now,
            params=dict(new.params),
            tags=dict(new.tags),
        )
        with self._database.transaction():
            self._store.add(model)
            self._tell(who, "created", model)
        return model

    def get(self, who: Principal, model_id: str, *, deleted: bool = False) -> LoggedModel:
        """One model; a deleted one only where that is asked for.

        Raises: LoggedModelNotFound.
        """
        self._access.require(who, "tracking.get", model_id)
        model = self._model(model_id)
        if model.deleted and not deleted:
            raise LoggedModelNotFound(model_id)
        return model

    def finalize(self, who: Principal, model_id: str, status: ModelStatus) -> LoggedModel:
        """Say that a model's files are there (`ready`), or that they won't come (`failed`).

        A ready model becomes a model artifact of the lineage, made by its run.
        Raises: LoggedModelNotFound.
        """
        self._access.require(who, "tracking.finalize", model_id)
        artifact = self._folder(who, self._model(model_id)) if status == "ready" else None
        changes = {"status": status, "updated_at": self._now()}
        with self._database.transaction():
            self._store.change(model_id, changes)
            self._draw(who, self._model(model_id), artifact)
            model = self._model(model_id)
            self._tell(who, "finalized", model)
        return model

    def log_params(self, who: Principal, model_id: str, params: Mapping[str, str]) -> None:
        """Add parameters to a model; what it has already is said again at most.

        Raises: LoggedModelNotFound; BadLoggedModel where a parameter would change.
        """
        self._access.require(who, "tracking.log_params", model_id)
        _check_params(params)
        with self._database.transaction():
            kept = self._model(model_id).params
            for key, value in params.items():
                if kept.get(key, value) != value:
                    raise BadLoggedModel(
                        f"Changing param values is not allowed. Param with key='{key}' was already "
                        f"logged with value='{kept[key]}' for model ID='{model_id}'. Attempted "
                        f"logging new value '{value}'."
                    )
            self._store.add_params(model_id, params)

    def measure(self, who: Principal, points: Sequence[ModelMetric]) -> None:
        """Add measured points to models; an identical one is kept once.

        Raises: LoggedModelNotFound.
        """
        self._access.require(who, "tracking.measure", ",".join({point.model for point in points}))
        wanted = sorted({point.model for point in points})
        for point in points:
            _check_length("key", point.key, _METRIC_KEY)
            _check_length("run_id", point.run, _RUN_ID)
            _check_length("dataset_name", point.dataset_name, _LONGEST_NAME)
            _check_length("dataset_digest", point.dataset_digest, _DIGEST)
        with self._database.transaction():
            known = self._store.known(wanted)
            for model_id in wanted:
                if model_id not in known:
                    raise LoggedModelNotFound(model_id)
            self._store.add_metrics(points)

    def set_tags(self, who: Principal, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a model.

        Raises: LoggedModelNotFound.
        """
        self._access.require(who, "tracking.set_tags", model_id)
        _check_params(tags)
        with self._database.transaction():
            self._model(model_id)
            self._store.set_tags(model_id, tags)

    def delete_tag(self, who: Principal, model_id: str, key: str) -> None:
        """Remove a tag of a model.

        Raises: LoggedModelNotFound, LoggedModelTagNotFound.
        """
        self._access.require(who, "tracking.delete_tag", model_id)
        with self._database.transaction():
            self._model(model_id)
            if not self._store.delete_tag(model_id, key):
                raise LoggedModelTagNotFound(model_id, key)

    def delete(self, who: Principal, model_id: str) -> None:
        """Delete a model: it is found no more, its files and its artifact stay.

        Raises: LoggedModelNotFound.
        """
        self._access.require(who, "tracking.delete", model_id)
        with self._database.transaction():
            model = self._model(model_id)
            self._store.change(model_id, {"deleted": True, "updated_at": self._now()})
            self._tell(who, "deleted", model)

    def search(
        self, who: Principal, query: LoggedModelQuery
    ) -> tuple[list[LoggedModel], int | None]:
        """The models that a query finds, and the offset of the next page, if there is one.

        Raises: BadLoggedModel; Unloggable where an experiment's id can't be one.
        """
        self._access.require(who, "tracking.search", ",".join(query.experiments))
        experiments = tuple(self._experiment(who, given, query) for given in query.experiments)
        if any(not dataset.name for dataset in query.datasets):
            raise BadLoggedModel("`dataset_name` in the `datasets` clause must be specified.")
        found = self._store.search(replace(query, experiments=experiments, limit=query.limit + 1))
        more = len(found) > query.limit
        return found[: query.limit], query.offset + query.limit if more else None

    def artifact(
        self, who: Principal, source: str, *, run: str = "", project: str
    ) -> Artifact | None:
        """The model artifact behind a model's source: `models:/m-...`, or a folder of the tree.

        A folder that is none yet becomes one, made by `run` if that is given. None where the
        source does not lie here, or is no MLflow model.
        """
        self._access.require(who, "tracking.artifact", source)
        logged = _MODEL_URI.fullmatch(source)
        if logged is not None:
            return self._of_logged(who, logged[1], logged[2] or "")
        try:
            place = place_of(source)
        except BadArtifactPath:
            return None
        if place.kind != "tree" or not place.path:
            return None
        name = place.path.rpartition("/")[2]
        found = self._neighbours.artifacts.of_folder(
            in_project(place.path, project),
            self._telling(who, name, run),
            project=project,
            metadata={"run": run} if run else {},
        )
        if found is None:
            return None
        lineage = self._neighbours.lineage
        with self._database.transaction():
            artifact = lineage.record(who, found)
            if run:
                lineage.produced(who, run, artifact.id, name[:_EDGE_NAME])
        return artifact

    def _telling(self, who: Principal, name: str, run: str) -> str:
        """A name that tells models apart: most are called as MLflow calls them by default."""
        if name != _DEFAULT_NAME or not run:
            return name
        maker = self._neighbours.lineage.run(who, run).name
        return f"{maker}/{name}" if maker else name

    def _experiment(self, who: Principal, given: str, query: LoggedModelQuery) -> str:
        """An experiment's own id: "0" is the default one of each project."""
        found = rules.experiment_id(given)
        if found != DEFAULT_EXPERIMENT_ID or query.project == DEFAULT_PROJECT:
            return found
        return self._neighbours.homes.experiment(who, found, project=query.project).id

    def _of_logged(self, who: Principal, model_id: str, below: str) -> Artifact | None:
        model = self._store.find(model_id)
        if model is None:
            return None
        if below:
            source = f"{model.location}/{below}"
            return self.artifact(who, source, run=model.run, project=model.project)
        if model.artifact_id is None:
            artifact = self._folder(who, model)
            with self._database.transaction():
                self._draw(who, model, artifact)
            model = self._model(model_id)
        if model.artifact_id is None:
            return None
        return self._neighbours.lineage.artifact(who, model.artifact_id)

    def _folder(self, who: Principal, model: LoggedModel) -> NewArtifact | None:
        """The artifact that a model's files are; None where they do not lie here."""
        place = place_of(model.location)
        if place.kind != "tree":
            return None
        return self._neighbours.artifacts.of_folder(
            in_project(place.path, model.project),
            self._telling(who, model.name, model.run),
            project=model.project,
            metadata={"logged_model": model.id, "run": model.run},
        )

    def _draw(self, who: Principal, model: LoggedModel, new: NewArtifact | None) -> None:
        """Bring a model into the lineage, with the runs that made and used it."""
        if new is None:
            return
        lineage = self._neighbours.lineage
        artifact = lineage.record(who, new)
        self._store.change(model.id, {"artifact_id": artifact.id})
        runs = set(self._neighbours.inputs.runs_of(model.id))
        if model.run:
            runs.add((model.run, "model_output"))
        for run, relation in sorted(runs):
            join = lineage.produced if relation == "model_output" else lineage.consumed
            with suppress(RunNotFound):
                join(who, run, artifact.id, model.name[:_EDGE_NAME])

    def _model(self, model_id: str) -> LoggedModel:
        found = self._store.find(model_id)
        if found is None:
            raise LoggedModelNotFound(model_id)
        return found

    def _now(self) -> datetime:
        """Now in whole milliseconds, which is what the protocol tells and searches for."""
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _tell(self, who: Principal, what: str, model: LoggedModel) -> None:
        detail = {
            "experiment": model.experiment,
            "name": model.name,
            "status": model.status,
            "run": model.run,
            "artifact": model.artifact_id,
        }
        self._events.tell(
            who, f"tracking.logged_model.{what}", model.id, detail, project=model.project
        )


def _check_name(name: str | None) -> None:
    """Refuse a name that can't be one. The words are MLflow's, which clients match."""
    if name is None:
        return
    if not name or any(letter in name for letter in _UNFIT):
        raise BadLoggedModel(
            f"Invalid model name ({name[:100]!r}) provided. Model name must be a non-empty string "
            f"and cannot contain the following characters: {_UNFIT}"
        )
    if len(name) > _LONGEST_NAME:
        raise BadLoggedModel(f"A model's name has at most {_LONGEST_NAME} characters.")


def _check_length(name: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise BadLoggedModel(f"'{name}' exceeds the maximum length of {limit} characters")


def _check_params(given: Mapping[str, str]) -> None:
    for key in given:
        if not 1 <= len(key) <= _LONGEST_KEY:
            raise BadLoggedModel(
                f"{key[:60]!r} can't be a key of a logged model: it has to have 1 to "
                f"{_LONGEST_KEY} characters."
            )
