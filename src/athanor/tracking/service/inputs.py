"""The verbs of what runs used and made."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b

from athanor.kernel import Access, AthanorError, Database, Events, Principal, Storage
from athanor.lineage import Artifact, Lineage, NewArtifact, RunNotFound
from athanor.tracking.errors import BadInput
from athanor.tracking.homes import Home, Homes
from athanor.tracking.inputs import (
    CONTEXT,
    DatasetInput,
    DatasetSummary,
    ModelOutput,
    RunInputs,
)
from athanor.tracking.logic.sources import our_dataset
from athanor.tracking.store.inputs import InputStore
from athanor.tracking.store.logged_models import LoggedModelStore

_EDGE_NAME = 255
_NAME = 500
_LIMITS = {
    "name": 500,
    "digest": 36,
    "source_type": 36,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 16_777_215,
}
"""How many characters each field of a dataset may have; MLflow's."""
_TAG_KEY, _TAG_VALUE, _MODEL_ID = 255, 500, 36
_VERSIONS = 100
"""How many of a dataset's versions are looked at to find that of a Delta table's version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputNeighbours:
    """What inputs stand beside."""

    homes: Homes
    models: LoggedModelStore
    lineage: Lineage
    storage: Storage


class Inputs:
    """Datasets and logged models that runs used and made: kept, and drawn as edges."""

    def __init__(
        self,
        store: InputStore,
        database: Database,
        *,
        neighbours: InputNeighbours,
        events: Events,
        access: Access,
    ) -> None:
        self._store = store
        self._database = database
        self._neighbours = neighbours
        self._events = events
        self._access = access

    def log_inputs(
        self,
        who: Principal,
        run_id: str,
        datasets: Sequence[DatasetInput] = (),
        models: Sequence[str] = (),
    ) -> None:
        """Say what a run used. What it said of a dataset before stays as it is.

        Each dataset is a consumed artifact of the lineage: the platform's own where its source
        names one, else one of this name, digest and source.
        Raises: BadInput; what the runs raise where there is none, or a deleted one.
        """
        self._access.require(who, "tracking.log_inputs", run_id)
        for given in datasets:
            _check(given)
        for model in models:
            _check_length("model_id", model, _MODEL_ID)
        home = self._neighbours.homes.run(who, run_id, writing=True)
        once: dict[tuple[str, str], DatasetInput] = {}
        for given in datasets:
            once.setdefault((given.dataset.name, given.dataset.digest), given)
        with self._database.transaction():
            self._store.add_datasets(run_id, home.experiment, once.values())
            for given in once.values():
                as_ = given.tags.get(CONTEXT) or given.dataset.name
                artifact = self._artifact(who, home, given)
                self._neighbours.lineage.consumed(who, run_id, artifact.id, as_[:_EDGE_NAME])
            self._store.add_models(run_id, models)
            self._connect(who, run_id, models, made=False)
            detail = {"datasets": [f"{name}@{digest}" for name, digest in once]}
            self._tell(who, "tracking.inputs.logged", home, detail | {"models": list(models)})

    def log_outputs(self, who: Principal, run_id: str, outputs: Iterable[ModelOutput]) -> None:
        """Say which logged models a run made.

        Raises: what the runs raise where there is none, or a deleted one.
        """
        self._access.require(who, "tracking.log_outputs", run_id)
        home = self._neighbours.homes.run(who, run_id, writing=True)
        made = list(outputs)
        for output in made:
            _check_length("model_id", output.model_id, _MODEL_ID)
        with self._database.transaction():
            self._store.add_outputs(run_id, made)
            models = [output.model_id for output in made]
            self._connect(who, run_id, models, made=True)
            self._tell(who, "tracking.outputs.logged", home, {"models": models})

    def inputs(self, who: Principal, run_ids: Sequence[str]) -> dict[str, RunInputs]:
        """What runs told of; those that told nothing are left out."""
        self._access.require(who, "tracking.inputs", ",".join(run_ids[:10]))
        return self._store.of_runs(run_ids)

    def search_datasets(self, who: Principal, experiments: Sequence[str]) -> list[DatasetSummary]:
        """The datasets that the runs of experiments used, at most 1,000."""
        self._access.require(who, "tracking.search_datasets", ",".join(experiments[:10]))
        return self._store.summaries(experiments)

    def _tell(self, who: Principal, action: str, home: Home, detail: dict[str, list[str]]) -> None:
        self._events.tell(who, action, home.id, detail, project=home.project)

    def _connect(self, who: Principal, run_id: str, models: Sequence[str], *, made: bool) -> None:
        """Draw the edges to models that are artifacts already; others are drawn when they are."""
        lineage = self._neighbours.lineage
        for model_id in models:
            model = self._neighbours.models.find(model_id)
            if model is None or model.artifact_id is None:
                continue
            join = lineage.produced if made else lineage.consumed
            with suppress(RunNotFound):
                join(who, run_id, model.artifact_id, model.name[:_EDGE_NAME])

    def _artifact(self, who: Principal, home: Home, given: DatasetInput) -> Artifact:
        ours = self._ours(who, home.project, given.dataset.source)
        if ours is not None:
            return ours
        info = given.dataset
        known_by = repr((home.project, info.name, info.digest, info.source_type, info.source))
        return self._neighbours.lineage.record(
            who,
            NewArtifact(
                id=blake2b(known_by.encode(), digest_size=16).hexdigest(),
                type="dataset",
                name=info.name[:_NAME],
                uri=info.source,
                digest=info.digest,
                metadata={
                    "source_type": info.source_type,
                    "source": info.source,
                    "schema": info.schema,
                    "profile": info.profile,
                },
                project=home.project,
            ),
        )

    def _ours(self, who: Principal, project: str, source: str) -> Artifact | None:
        """The platform's dataset that a source names, if there is such a version."""
        named = our_dataset(source, self._neighbours.storage.table_uri(project))
        if named is None:
            return None
        lineage = self._neighbours.lineage
        with suppress(AthanorError):
            found = lineage.resolve(who, named.reference)
            if named.delta_version is None:
                return found
            name = named.reference.removeprefix("dataset:").rpartition("@")[0]
            newest = int(found.metadata.get("version", 0))
            for number in range(newest, max(newest - _VERSIONS, 0), -1):
                version = lineage.resolve(who, f"dataset:{name}@{number}")
                if version.metadata.get("delta_version") == named.delta_version:
                    return version
        return None


def _check(given: DatasetInput) -> None:
    for name, limit in _LIMITS.items():
        _check_length(name, getattr(given.dataset, name), limit)
    for key, value in given.tags.items():
        _check_length("key", key, _TAG_KEY)
        _check_length("value", value, _TAG_VALUE)


def _check_length(name: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise BadInput(name, limit)
