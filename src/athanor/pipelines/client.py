"""The verbs of pipelines over a transport."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from athanor.kernel import TookTooLong, Transport
from athanor.kernel.transport import segment
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.types import (
    ACTIVE,
    Compiled,
    Explanation,
    GalleryEntry,
    NewTrigger,
    PipelineRun,
    SecretKeys,
    StepOrder,
    Submission,
    Task,
    TaskState,
    Trigger,
)

_PAGE = 1000
_SHOWN = 20
_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.5


class PipelinesClient:
    """Pipelines: submit, watch, cancel, resume, explain; and triggers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.secrets = SecretsClient(transport)

    def submit(self, submission: Submission) -> PipelineRun:
        """Start a pipeline: `submit(churn.submission({"strength": 0.5}))`.

        Raises: BadPipeline for a pipeline without its inputs.
        """
        if not isinstance(submission, Submission):
            raise BadPipeline(
                f"{submission!r} is submitted with its inputs.",
                hint="Write: submit(pipeline.submission({'name': value})).",
            )
        return self._transport.send("POST", "/pipelines/runs", body=submission).read(PipelineRun)

    def run(
        self,
        run_id: str,
        *,
        state: TaskState | None = None,
        after: str = "",
        limit: int | None = None,
        wait: float = 0.0,
    ) -> PipelineRun:
        """One run with its tasks, in the order of their making.

        Only tasks in a `state`, or those behind the task whose id is `after`, or the first `limit`.
        With `wait`, the answer comes when the run has ended, or after so many seconds (30 at most).
        """
        found: PipelineRun | None = None
        tasks: list[Task] = []
        while True:
            left = _PAGE if limit is None else min(limit - len(tasks), _PAGE)
            query = {"state": state, "after": after or None, "limit": left, "wait": wait or None}
            found = self._transport.send("GET", _run(run_id), query=query).read(PipelineRun)
            tasks += found.tasks
            if len(found.tasks) < _PAGE:
                return replace(found, tasks=tasks)
            after, wait = found.tasks[-1].id, 0.0

    def wait(
        self,
        run_id: str,
        *,
        timeout: float | None = None,
        watch: Callable[[PipelineRun], None] | None = None,
    ) -> PipelineRun:
        """Wait for a run's end.

        On the way `watch` is called every now and then, with the run's `counts` and those of its
        tasks that run.
        Raises: TookTooLong after `timeout` seconds; the run goes on.
        """
        began = time.monotonic()
        while True:
            left = _LOOK_SECONDS if watch is not None else _WAIT_SECONDS
            if timeout is not None:
                left = min(left, max(0.001, began + timeout - time.monotonic()))
            run = self.run(run_id, state="running", limit=_SHOWN if watch else 0, wait=left)
            if watch is not None:
                watch(run)
            if run.state not in ACTIVE:
                return self.run(run_id)
            if timeout is not None and time.monotonic() - began > timeout:
                raise TookTooLong(
                    f"Run {run_id} still goes on after {timeout:g} s.",
                    hint=f"Look again: athanor pipeline show {run_id}",
                )

    def runs(
        self,
        *,
        project: str | None = None,
        trigger: str | None = None,
        pipeline: str | None = None,
        limit: int = 50,
    ) -> list[PipelineRun]:
        """Runs, newest first, without their tasks."""
        query = {"project": project, "trigger": trigger, "pipeline": pipeline, "limit": limit}
        return self._transport.send("GET", "/pipelines/runs", query=query).read(list[PipelineRun])

    def cancel(self, run_id: str) -> PipelineRun:
        """Stop a run."""
        return self._transport.send("POST", f"{_run(run_id)}/cancel").read(PipelineRun)

    def resume(self, run_id: str) -> PipelineRun:
        """Let a failed or stopped run go on."""
        return self._transport.send("POST", f"{_run(run_id)}/resume").read(PipelineRun)

    def logs(self, run_id: str, task: str) -> str:
        """What a task has written so far."""
        answer = self._transport.send("GET", f"{_run(run_id)}/logs", query={"task": task})
        return answer.content.decode("utf-8", errors="replace")

    def order(self, run_id: str, task: str) -> StepOrder:
        """What it takes to run a task's step once more."""
        answer = self._transport.send("GET", f"{_run(run_id)}/order", query={"task": task})
        return answer.read(StepOrder)

    def explain(self, run_id: str, task: str) -> Explanation:
        """Why a task ran, or why it did not have to."""
        answer = self._transport.send("GET", f"{_run(run_id)}/why", query={"task": task})
        return answer.read(Explanation)

    def compile(self, submission: Submission) -> Compiled:
        """A pipeline as YAML, checked."""
        return self._transport.send("POST", "/pipelines/compile", body=submission).read(Compiled)

    def gallery(self) -> list[GalleryEntry]:
        """The ready-made pipelines."""
        return self._transport.send("GET", "/pipelines/gallery").read(list[GalleryEntry])

    def add_trigger(self, new: NewTrigger) -> Trigger:
        """Have a pipeline start by itself."""
        return self._transport.send("POST", "/pipelines/triggers", body=new).read(Trigger)

    def triggers(self, *, project: str | None = None) -> list[Trigger]:
        """All triggers, by name."""
        query = {"project": project}
        return self._transport.send("GET", "/pipelines/triggers", query=query).read(list[Trigger])

    def remove_trigger(self, name: str) -> None:
        """Remove a trigger."""
        self._transport.send("DELETE", f"/pipelines/triggers/{segment(name)}")

    def fire(self, name: str, event: Mapping[str, Any] | None = None) -> PipelineRun:
        """Start a trigger's pipeline now."""
        path = f"/pipelines/triggers/{segment(name)}/fire"
        answer = self._transport.send("POST", path, body={"event": dict(event or {})})
        return answer.read(PipelineRun)


class SecretsClient:
    """Secrets that steps are given; their values never come back."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def set_secret(self, name: str, values: Mapping[str, str]) -> SecretKeys:
        """Set keys of a secret; others stay."""
        path = f"/pipelines/secrets/{segment(name)}"
        return self._transport.send("PUT", path, body={"values": dict(values)}).read(SecretKeys)

    def secrets(self) -> list[SecretKeys]:
        """All secrets with the names of their keys."""
        return self._transport.send("GET", "/pipelines/secrets").read(list[SecretKeys])

    def remove_secret(self, name: str) -> None:
        """Forget a secret."""
        self._transport.send("DELETE", f"/pipelines/secrets/{segment(name)}")


def _run(run_id: str) -> str:
    return f"/pipelines/runs/{segment(run_id)}"
