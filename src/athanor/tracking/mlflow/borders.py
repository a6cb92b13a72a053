"""What lies in other projects is not there: a workspace of MLflow's sees its own alone."""

from collections.abc import Sequence

from athanor.kernel import AthanorError, Principal
from athanor.lineage import Lineage
from athanor.tracking.errors import ExperimentNotFound, LoggedModelNotFound, TrackedRunNotFound
from athanor.tracking.service import Experiments
from athanor.tracking.service.logged_models import LoggedModels

_KNOWN = 50_000


class Borders:
    """Knows in which project something lies. That never changes, so it is asked once each."""

    def __init__(self, lineage: Lineage, experiments: Experiments, models: LoggedModels) -> None:
        self._lineage = lineage
        self._experiments = experiments
        self._models = models
        self._known: dict[str, str] = {}

    def check_run(self, who: Principal, run_id: str, project: str) -> None:
        """Refuse a run of another project; one that is not there is refused by who looks for it.

        Raises: TrackedRunNotFound.
        """
        found = self._known.get(run_id)
        if found is None:
            try:
                found = self._lineage.run(who, run_id).project
            except AthanorError:
                return  # whoever looks for it meets the same, and says it in his words
            self._remember(run_id, found)
        if found != project:
            raise TrackedRunNotFound(run_id)

    def check_model(self, who: Principal, model_id: str, project: str) -> None:
        """Refuse a logged model of another project, as `check_run` does.

        Raises: LoggedModelNotFound.
        """
        found = self._known.get(model_id)
        if found is None:
            try:
                found = self._models.get(who, model_id, deleted=True).project
            except LoggedModelNotFound:
                return
            self._remember(model_id, found)
        if found != project:
            raise LoggedModelNotFound(model_id)

    def own_experiments(
        self, who: Principal, experiment_ids: Sequence[str], project: str
    ) -> list[str]:
        """Those of the experiments that the project has.

        Raises: Unloggable where one is no number.
        """
        return [one for one in experiment_ids if self._is_own(who, one, project)]

    def _is_own(self, who: Principal, experiment_id: str, project: str) -> bool:
        key = f"{project}/{experiment_id}"
        if key in self._known:
            return True
        try:
            self._experiments.get(who, experiment_id, project=project)
        except ExperimentNotFound:
            return False
        self._remember(key, project)
        return True

    def _remember(self, what: str, project: str) -> None:
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[what] = project
