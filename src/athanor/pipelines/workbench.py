"""What one needs to look at a step closely: the order of its last attempt."""

from athanor.kernel import Access, Principal
from athanor.pipelines.engines.port import Engine
from athanor.pipelines.errors import NothingToDebug
from athanor.pipelines.service import Pipelines, task_of
from athanor.pipelines.types import StepOrder


class Workbench:
    """Steps are taken out of their runs and run again elsewhere; nothing is recorded."""

    def __init__(self, pipelines: Pipelines, engine: Engine, access: Access) -> None:
        self._pipelines = pipelines
        self._engine = engine
        self._access = access

    def order(self, who: Principal, run_id: str, task: str) -> StepOrder:
        """The code and inputs of a task's last attempt.

        Raises: PipelineRunNotFound, TaskNotFound, NothingToDebug where it has not been run.
        """
        self._access.require(who, "pipelines.order", run_id)
        found = task_of(self._pipelines.run(who, run_id), task)
        text = self._engine.order(found)
        if not text:
            raise NothingToDebug(found.name, found.state)
        return StepOrder(run=found.run, task=found.name, attempt=found.attempt, order=text)
