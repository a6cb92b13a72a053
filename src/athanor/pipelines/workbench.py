"""What one needs to look at a step closely: the order of its last attempt."""

import shlex

from athanor.kernel import Access, Principal
from athanor.lineage import Lineage, RunNotFound
from athanor.pipelines.engines.port import Engine
from athanor.pipelines.errors import NothingToDebug
from athanor.pipelines.service import Pipelines, task_of
from athanor.pipelines.types import StepOrder, Task


class Workbench:
    """Steps are taken out of their runs and run again elsewhere; nothing is recorded."""

    def __init__(
        self, pipelines: Pipelines, engine: Engine, access: Access, lineage: Lineage
    ) -> None:
        self._pipelines = pipelines
        self._engine = engine
        self._access = access
        self._lineage = lineage

    def order(self, who: Principal, run_id: str, task: str) -> StepOrder:
        """The code and inputs of a task's last attempt.

        Raises: PipelineRunNotFound, TaskNotFound, NothingToDebug where it has not been run.
        """
        self._access.require(who, "pipelines.order", run_id)
        found = task_of(self._pipelines.run(who, run_id), task)
        text = self._engine.order(found)
        if not text:
            raise NothingToDebug(found.name, found.state, self._ran(who, found))
        return StepOrder(run=found.run, task=found.name, attempt=found.attempt, order=text)

    def _ran(self, who: Principal, task: Task) -> str:
        """The run and name of the equal task that a cached one took its outputs from, if known."""
        if task.state != "cached":
            return ""
        try:
            ran = self._lineage.run(who, task.reason.rpartition(" ")[2])
        except RunNotFound:
            return ""
        return f"{ran.parent} {shlex.quote(ran.labels.get('task', ''))}" if ran.parent else ""
