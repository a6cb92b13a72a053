"""The verbs of pipelines: submit, watch, cancel, resume, explain; and triggers."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from athanor.kernel import Access, Clock, Database, Events, Principal, new_id, provenance
from athanor.kernel.ids import begins_id, is_id
from athanor.lineage import Lineage, NewRun, RunNotFound
from athanor.pipelines.engines.port import Engine
from athanor.pipelines.errors import (
    BadPipeline,
    BadTrigger,
    PipelineNotFound,
    PipelineRunNotFound,
    RunCannotResume,
    RunIsOver,
    TaskNotFound,
    TriggerExists,
    TriggerNotFound,
)
from athanor.pipelines.ir.spec import Document, PipelineSpec
from athanor.pipelines.ir.text import read_document, read_spec, write_document
from athanor.pipelines.logic.cache import explain
from athanor.pipelines.logic.code import digest_of
from athanor.pipelines.logic.graph import check, check_inputs
from athanor.pipelines.logic.planner import Bindings, root_bindings
from athanor.pipelines.logic.platforms import with_platform
from athanor.pipelines.logic.schedule import next_time
from athanor.pipelines.logic.templates import check_action, check_fields, check_templates, fill
from athanor.pipelines.logic.values import type_of
from athanor.pipelines.store import Ordered, RunStore, TriggerStore
from athanor.pipelines.types import (
    ACTIVE,
    Compiled,
    Explanation,
    GalleryEntry,
    NewTrigger,
    PipelineRun,
    Submission,
    Task,
    TaskState,
    Trigger,
)

_TRIGGER_NAME = re.compile(r"\w(?:[\w .:-]{0,78}[\w-])?")
"""It stands in addresses and on the command line."""


class Pipelines:
    """Pipelines are submitted, and run by the engine."""

    def __init__(
        self,
        runs: RunStore,
        triggers: TriggerStore,
        database: Database,
        *,
        lineage: Lineage,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._triggers = triggers
        self._database = database
        self._lineage = lineage
        self._events = events
        self._access = access
        self._clock = clock
        self._engine: Engine | None = None
        self._gallery: dict[str, tuple[str, str]] = {}
        self._compiled: dict[str, PipelineSpec] = {}

    def use_engine(self, engine: Engine) -> None:
        """Say what runs the pipelines; the app does, once."""
        self._engine = engine

    def offer_gallery(self, name: str, target: str, description: str = "") -> None:
        """Offer a ready-made pipeline, as `module:attribute`; submitted by its name."""
        self._gallery[name] = (target, description)

    def submit(self, who: Principal, submission: Submission) -> PipelineRun:
        """Start a pipeline. References are resolved and pinned now; all names and types checked.

        Raises: BadPipeline and its kinds, PipelineNotFound, BadReference and what resolving a
        reference raises.
        """
        self._access.require(who, "pipelines.submit", submission.pipeline or submission.project)
        return self._submit(who, submission, trigger=None)

    def run(
        self,
        who: Principal,
        run_id: str,
        *,
        state: TaskState | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> PipelineRun:
        """One run with its tasks, in the order of their making.

        Only tasks in a `state`, or those behind the task whose id is `after`, or the first so many.
        Raises: PipelineRunNotFound.
        """
        self._access.require(who, "pipelines.run", run_id)
        run = self._find(who, run_id).run
        return replace(
            run,
            tasks=self._runs.tasks_of(run.id, state=state or "", after=after, limit=limit),
            counts=self._runs.counts_of(run.id),
        )

    def runs(
        self,
        who: Principal,
        *,
        project: str | None = None,
        trigger: str | None = None,
        pipeline: str | None = None,
        limit: int = 50,
    ) -> list[PipelineRun]:
        """Runs, newest first, without their tasks; `limit` is 1 to 1,000."""
        self._access.require(who, "pipelines.runs", project or "*")
        limit = max(1, min(limit, 1000))
        return self._runs.list_runs(
            project=project, trigger=trigger, pipeline=pipeline, limit=limit
        )

    def cancel(self, who: Principal, run_id: str) -> PipelineRun:
        """Stop a run: what runs is ended with all that it started, what waits is not begun.

        Raises: PipelineRunNotFound, RunIsOver.
        """
        self._access.require(who, "pipelines.cancel", run_id)
        ordered = self._find(who, run_id)
        with self._database.transaction():
            if not self._runs.change_run(ordered.run.id, {"cancelled": True}):
                raise RunIsOver(run_id, ordered.run.state)
            self._tell(who, "pipelines.run.cancelled", ordered.run)
        self._wake()
        return self._find(who, run_id).run

    def resume(self, who: Principal, run_id: str) -> PipelineRun:
        """Let a failed or stopped run go on; tasks that are done stay done.

        Raises: PipelineRunNotFound, RunCannotResume.
        """
        self._access.require(who, "pipelines.resume", run_id)
        ordered = self._find(who, run_id)
        if ordered.run.state not in {"failed", "stopped"}:
            raise RunCannotResume(run_id, ordered.run.state)
        with self._database.transaction():
            self._runs.reopen_run(ordered.run.id)
            self._lineage.reopen_run(who, ordered.run.id)
            self._tell(who, "pipelines.run.resumed", ordered.run)
        self._wake()
        return self._find(who, run_id).run

    def logs(self, who: Principal, run_id: str, task: str) -> str:
        """What a task has written so far.

        Raises: PipelineRunNotFound, TaskNotFound.
        """
        self._access.require(who, "pipelines.logs", run_id)
        found = self._task(self._find(who, run_id).run, task)
        return self._engine.log(found) if self._engine is not None else ""

    def compile(self, who: Principal, submission: Submission) -> Compiled:
        """A pipeline as YAML, checked.

        Raises: BadPipeline and its kinds, PipelineNotFound.
        """
        self._access.require(who, "pipelines.compile", submission.pipeline)
        spec = self._spec_of(submission)
        check(spec)
        definitions = spec.root.input_definitions
        inputs: dict[str, str] = {}
        if definitions is not None:
            inputs = {name: type_of(item) for name, item in definitions.parameters.items()}
            for name, item in definitions.artifacts.items():
                inputs[name] = item.artifact_type.schema_title if item.artifact_type else "artifact"
        return Compiled(
            name=spec.pipeline_info.name, yaml=write_document(Document(spec=spec)), inputs=inputs
        )

    def explain(self, who: Principal, run_id: str, task: str) -> Explanation:
        """Why a task ran, or why it did not have to: its key against the last earlier one.

        Raises: PipelineRunNotFound, TaskNotFound.
        """
        self._access.require(who, "pipelines.explain", run_id)
        ordered = self._find(who, run_id)
        found = self._task(ordered.run, task)
        parts = self._runs.key_parts_of(found.id) or {}
        earlier = self._runs.earlier_task(ordered.run, found.name)
        before = self._runs.key_parts_of(earlier.id) if earlier else None
        differences = explain(parts, before) if found.key else []
        return Explanation(
            run=ordered.run.id,
            task=found.name,
            state=found.state,
            key=found.key,
            parts=parts,
            compared_with=earlier.run if earlier else None,
            differences=differences,
            summary=_summary(ordered, found, earlier, differences),
        )

    def gallery(self, who: Principal) -> list[GalleryEntry]:
        """The ready-made pipelines."""
        self._access.require(who, "pipelines.gallery", "*")
        return [
            GalleryEntry(name=name, description=description)
            for name, (_, description) in sorted(self._gallery.items())
        ]

    def add_trigger(self, who: Principal, new: NewTrigger) -> Trigger:
        """Have a pipeline start by itself: on an event, by a schedule, or by hand.

        Adding an equal one again returns it.
        Raises: BadTrigger, TriggerExists, and what its pipeline raises when it is checked.
        """
        self._access.require(who, "pipelines.add_trigger", new.name)
        if new.action and new.cron:
            raise BadTrigger(
                f"Trigger {new.name!r} has both an event and a schedule.",
                hint="Make two triggers.",
            )
        if not _TRIGGER_NAME.fullmatch(new.name):
            raise BadTrigger(
                f"{new.name[:100]!r} can't name a trigger.",
                hint="Use 1 to 80 letters, digits, -, _ and inner dots, spaces or colons.",
            )
        if new.action:
            check_action(new.action)
        given = (new.submission.parameters, new.submission.artifacts)
        check_fields(new.action, new.match, list(given))
        check_templates(list(given), by_clock=bool(new.cron))
        spec = self._spec_of(new.submission)
        check(spec)
        check_inputs(spec, *given, whole=True)
        now = self._clock.now()
        fields = {
            name: getattr(new, name) for name in NewTrigger.__dataclass_fields__ if name != "cron"
        }
        trigger = Trigger(
            **fields,
            id=new_id(),
            kind="event" if new.action else "cron" if new.cron else "manual",
            cron=new.cron,
            next_fire=next_time(new.cron, now) if new.cron else None,
            created_by=who.name,
            created_at=now,
        )
        with self._database.transaction():
            if not self._triggers.add(trigger, who):
                twin = self._trigger(new.name, new.project)
                if any(getattr(twin, name) != value for name, value in fields.items()):
                    raise TriggerExists(new.name)
                return twin
            detail = {"kind": trigger.kind, "action": trigger.action, "cron": trigger.cron}
            self._events.tell(
                who, "pipelines.trigger.created", trigger.name, detail, project=trigger.project
            )
        return trigger

    def triggers(self, who: Principal, *, project: str | None = None) -> list[Trigger]:
        """All triggers, by name."""
        self._access.require(who, "pipelines.triggers", project or "*")
        return self._triggers.every(project)

    def remove_trigger(self, who: Principal, name: str) -> None:
        """Remove a trigger; runs that it started go on.

        Raises: TriggerNotFound.
        """
        self._access.require(who, "pipelines.remove_trigger", name)
        trigger = self._trigger(name)
        with self._database.transaction():
            self._triggers.remove(trigger.id)
            self._events.tell(
                who, "pipelines.trigger.removed", trigger.name, project=trigger.project
            )

    def fire(
        self, who: Principal, name: str, event: Mapping[str, Any] | None = None
    ) -> PipelineRun:
        """Start a trigger's pipeline now, whatever its cool-down says.

        `event` fills its templates. Raises: TriggerNotFound, BadTemplate and what submit raises.
        """
        self._access.require(who, "pipelines.fire", name)
        trigger = self._trigger(name)
        submission = replace(
            trigger.submission,
            parameters=fill(trigger.submission.parameters, event or {}),
            artifacts=fill(trigger.submission.artifacts, event or {}),
            project=trigger.project,
        )
        with self._database.transaction():
            run = self._submit(who, submission, trigger=trigger.name)
            self._triggers.fired(trigger.id, run.id, self._clock.now())
            detail = {"run": run.id, "pipeline": run.pipeline, "event": dict(event or {})}
            self._events.tell(
                who, "pipelines.trigger.fired", trigger.name, detail, project=trigger.project
            )
        return run

    def _submit(self, who: Principal, submission: Submission, trigger: str | None) -> PipelineRun:
        spec = self._spec_of(submission)
        check(spec)
        check_inputs(spec, submission.parameters, submission.artifacts, whole=True)
        pinned = {
            name: self._lineage.resolve(
                who, reference if ":" in reference else f"artifact:{reference}"
            ).id
            for name, reference in submission.artifacts.items()
        }
        given = Bindings(
            parameters=submission.parameters,
            artifacts={name: [item] for name, item in pinned.items()},
        )
        parameters = dict(root_bindings(spec, given).parameters)
        body = msgspec.json.encode(spec).decode()
        run = PipelineRun(
            id=new_id(),
            project=submission.project,
            pipeline=spec.pipeline_info.name,
            state="waiting",
            parameters=parameters,
            artifacts=pinned,
            labels=submission.labels,
            created_by=who.name,
            trigger=trigger,
            created_at=self._clock.now(),
        )
        ordered = Ordered(
            run=run, spec=digest_of(body), who=who, cache=submission.cache, key=submission.key
        )
        with self._database.transaction():
            self._runs.add_spec(ordered.spec, body)
            kept = self._runs.add_run(ordered)
            if kept is not ordered:
                return kept.run
            self._record(who, run, submission.code | {"spec": ordered.spec})
            self._database.after_commit(self._wake)
        return run

    def _record(self, who: Principal, run: PipelineRun, code: dict[str, Any]) -> None:
        labels = run.labels | {"pipeline": run.pipeline}
        if run.trigger:
            labels["trigger"] = run.trigger
        self._lineage.start_run(
            who,
            NewRun(
                kind="pipeline",
                name=run.pipeline,
                project=run.project,
                id=run.id,
                state="waiting",
                labels=labels,
                code=code,
                environment=provenance.environment(),
            ),
        )
        for name, artifact in run.artifacts.items():
            self._lineage.consumed(who, run.id, artifact, name)
        self._tell(who, "pipelines.run.submitted", run)

    def _spec_of(self, submission: Submission) -> PipelineSpec:
        given = [submission.pipeline or None, submission.spec, submission.yaml]
        if sum(item is not None for item in given) != 1:
            raise BadPipeline(
                "A submission names one pipeline: of the gallery, as a specification, or as YAML.",
                hint="Give exactly one of pipeline, spec and yaml.",
            )
        if submission.yaml is not None:
            return with_platform(read_document(submission.yaml))
        if submission.spec is not None:
            return read_spec(submission.spec)
        return self._from_gallery(submission.pipeline)

    def _from_gallery(self, name: str) -> PipelineSpec:
        if name not in self._gallery or self._engine is None:
            raise PipelineNotFound(name, self._gallery)
        if name not in self._compiled:
            text = self._engine.compile(self._gallery[name][0])
            self._compiled[name] = read_document(text).spec
        return self._compiled[name]

    def _find(self, who: Principal, run_id: str) -> Ordered:
        """The run with this id, or the only one whose id begins so."""
        if begins_id(run_id):
            with suppress(RunNotFound):
                run_id = self._lineage.run(who, run_id).id
        found = self._runs.find_run(run_id) if is_id(run_id) else None
        if found is None:
            raise PipelineRunNotFound(run_id)
        return found

    def _task(self, run: PipelineRun, name: str) -> Task:
        found = self._runs.tasks_named(run.id, name)
        return found[0] if found else task_of(replace(run, tasks=self._runs.tasks_of(run.id)), name)

    def _trigger(self, name: str, project: str | None = None) -> Trigger:
        found = self._triggers.find(name, project)
        if found is None:
            raise TriggerNotFound(name)
        return found

    def _tell(self, who: Principal, action: str, run: PipelineRun) -> None:
        detail = {"pipeline": run.pipeline, "trigger": run.trigger}
        self._events.tell(who, action, run.id, detail, project=run.project)

    def _wake(self) -> None:
        if self._engine is not None:
            self._engine.wake()


def task_of(run: PipelineRun, name: str) -> Task:
    """A task of a run by its id, its path, or the last part of that where one alone has it.

    Raises: TaskNotFound.
    """
    for task in run.tasks:
        if name in {task.name, task.id}:
            return task
    matching = [task for task in run.tasks if task.name.rsplit("/", 1)[-1] == name]
    if len(matching) == 1:
        return matching[0]
    raise TaskNotFound(run.id, name, [task.name for task in run.tasks])


def _summary(ordered: Ordered, task: Task, earlier: Task | None, differences: list[str]) -> str:
    if task.state == "cached":
        return f"{task.name} was not run: its key equals that of an earlier task ({task.reason})."
    if task.state in ACTIVE and not task.key:
        return f"{task.name} has not run yet."
    if task.kind != "step":
        return f"{task.name} is not cached: only steps are."
    if not task.key:
        return f"{task.name} did not run: {task.reason or task.state}."
    if not ordered.cache:
        return f"{task.name} ran because the run was submitted without the cache."
    if earlier is None:
        return f"{task.name} ran because no earlier run had it."
    if not differences:
        return (
            f"{task.name} ran although nothing has changed: the step's cache is off, or the "
            "earlier task did not succeed."
        )
    return f"{task.name} ran because " + "; ".join(differences) + "."
