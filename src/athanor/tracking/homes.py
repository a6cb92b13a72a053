"""What files, logged models and inputs ask of experiments and runs: a port."""

from dataclasses import dataclass
from typing import Protocol

from athanor.kernel import Principal
from athanor.lineage import Lineage
from athanor.tracking.errors import ExperimentDeleted, RunDeleted
from athanor.tracking.service.experiments import Experiments
from athanor.tracking.service.tracking import Tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where something lies."""

    id: str
    """The experiment's, or the run's."""
    experiment: str
    project: str
    location: str
    """Where the artifacts of the experiment, or of the run, lie."""


class Homes(Protocol):
    """Finds experiments and runs; what is to be written to must not be deleted."""

    def experiment(
        self, who: Principal, experiment_id: str, *, project: str, writing: bool = False
    ) -> Home:
        """An experiment.

        Raises: what the experiments raise where there is none.
        """
        ...

    def run(self, who: Principal, run_id: str, *, writing: bool = False) -> Home:
        """A run.

        Raises: what the runs raise where there is none.
        """
        ...


class TrackedHomes:
    """Experiments and runs as the other services of this room know them."""

    def __init__(self, experiments: Experiments, tracking: Tracking, lineage: Lineage) -> None:
        self._experiments = experiments
        self._tracking = tracking
        self._lineage = lineage

    def experiment(
        self, who: Principal, experiment_id: str, *, project: str, writing: bool = False
    ) -> Home:
        """An experiment.

        Raises: ExperimentNotFound, ExperimentDeleted.
        """
        found = self._experiments.get(who, experiment_id, project=project)
        if writing and found.lifecycle != "active":
            raise ExperimentDeleted(found.id)
        return Home(
            id=found.id,
            experiment=found.id,
            project=found.project,
            location=found.artifact_location,
        )

    def run(self, who: Principal, run_id: str, *, writing: bool = False) -> Home:
        """A run.

        Raises: TrackedRunNotFound, RunDeleted.
        """
        info = self._tracking.run(who, run_id).info
        if writing and info.lifecycle != "active":
            raise RunDeleted(run_id)
        return Home(
            id=run_id,
            experiment=info.experiment,
            project=self._lineage.run(who, run_id).project,
            location=info.artifact_uri,
        )
