"""The scheduler: one thread that plans, and a thread for each task that runs.

All state is in the database; what is kept here is rebuilt from it. Only this thread talks to the
planners.
"""

import contextlib
import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Thread

import msgspec

from athanor.kernel import AthanorError, error_from_dict
from athanor.pipelines.engines.local.admission import Room
from athanor.pipelines.engines.local.attempts import Attempts, Work
from athanor.pipelines.engines.local.environment import environment_of
from athanor.pipelines.engines.local.recording import Ending, Recorder
from athanor.pipelines.errors import EngineFault, TaskFailed
from athanor.pipelines.ir.spec import (
    ComponentInputs,
    ComponentOutputs,
    ContainerSpec,
    ExecutorSpec,
    PipelineSpec,
    Resources,
    RetryPolicy,
    TaskSpec,
)
from athanor.pipelines.logic.cache import cache_key, key_parts, named_key
from athanor.pipelines.logic.embedding import read_operation
from athanor.pipelines.logic.graph import is_loop
from athanor.pipelines.logic.placeholders import fill, names_of
from athanor.pipelines.logic.planner import (
    OVER,
    Bindings,
    Launch,
    Move,
    Planned,
    Planner,
    Settled,
    replay,
)
from athanor.pipelines.logic.resources import Wanted
from athanor.pipelines.logic.retries import pause_before
from athanor.pipelines.store import CacheEntry, Ordered, RunStore
from athanor.pipelines.types import PipelineRun, Task

_log = logging.getLogger(__name__)
_POLL_SECONDS = 5.0
_MANY_STEPS = 3
"""From how many steps on a pipeline is worth warm workers where they were not made ahead."""
_MOST_DEATHS = 3
"""Attempts of one task that may be killed from outside before it counts as failed."""


@dataclass(slots=True)
class _Live:
    """A run that goes on, in memory."""

    ordered: Ordered
    spec: PipelineSpec
    planner: Planner
    tasks: dict[str, Task]
    known: dict[str, str]
    """What the run's placeholders stand for."""
    ready: deque[Launch] = field(default_factory=deque)
    launches: dict[str, Launch] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    stopping: bool = False
    error: AthanorError | None = None

    def executor(self, component: str) -> ExecutorSpec:
        """What does the work of a component."""
        label = self.spec.components[component].executor_label
        return self.spec.deployment_spec.executors[label]

    def task_spec(self, path: str) -> TaskSpec:
        """The task of a path in the specification; of a loop's iteration, the loop."""
        component, task, looping = self.spec.root, TaskSpec(), False
        for name in path.split("/"):
            if looping:  # the iteration's number
                looping = False
                continue
            task = component.dag.tasks[name] if component.dag else TaskSpec()
            component = self.spec.components[task.component_ref.name if task.component_ref else ""]
            looping = is_loop(task)
        return task

    def schemas(self, component: str) -> dict[str, str]:
        """The titles of the types of a component's artifacts, by input or output."""
        found = self.spec.components[component]
        inputs = found.input_definitions or ComponentInputs()
        outputs = found.output_definitions or ComponentOutputs()
        kinds = {name: item.artifact_type for name, item in inputs.artifacts.items()}
        kinds |= {name: item.artifact_type for name, item in outputs.artifacts.items()}
        return {name: kind.schema_title for name, kind in kinds.items() if kind is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    run: str
    path: str
    ending: Ending
    bindings: Bindings | None


class LocalEngine:
    """Runs pipelines on this machine."""

    def __init__(
        self, store: RunStore, recorder: Recorder, attempts: Attempts, *, room: Room
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._attempts = attempts
        self._room = room
        self._live: dict[str, _Live] = {}
        self._ended: SimpleQueue[_Ended] = SimpleQueue()
        self._timers: list[tuple[float, str, str]] = []
        self._changed = Condition()
        self._look = True
        self._stopping = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin; runs that were under way when the last engine ended go on."""
        self._thread = Thread(target=self._loop, name="pipelines", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look for new runs and cancellations at once."""
        with self._changed:
            self._look = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End; running steps are stopped and run again at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        stoppers = [
            Thread(target=self._attempts.stop, args=(task.id,), daemon=True)
            for live in list(self._live.values())
            for task in list(live.tasks.values())
            if task.state == "running"
        ]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(10.0)
        if self._thread is not None:
            self._thread.join(10.0)
        with self._changed:
            self._changed.wait_for(lambda: self._room.tasks == 0, 5.0)

    def compile(self, target: str) -> str:
        """The YAML of a pipeline named `module:attribute`. Raises: BadPipeline."""
        return self._attempts.compile(target)

    def order(self, task: Task) -> str:
        """The code and inputs of a task's last attempt as JSON; "" where there was none."""
        return self._attempts.order(task)

    def log(self, task: Task) -> str:
        """What a task has written so far, all its attempts."""
        return self._attempts.log(task)

    def _loop(self) -> None:
        while not self._stopping:
            try:
                self._round()
            except Exception:  # noqa: BLE001 - the loop goes on
                _log.exception("the pipelines' scheduler failed; it goes on")
                time.sleep(0.5)
            self._wait()

    def _wait(self) -> None:
        with self._changed:
            pause = _POLL_SECONDS
            if self._timers:
                pause = min(pause, max(0.0, self._timers[0][0] - time.monotonic()))
            if not self._look and not self._stopping and self._ended.empty():
                self._look = not self._changed.wait(pause) or self._look

    def _round(self) -> None:
        if self._look:
            self._look = False
            self._find_runs()
        with contextlib.suppress(Empty):
            while True:
                self._take_end(self._ended.get_nowait())
        while self._timers and self._timers[0][0] <= time.monotonic():
            _, run, path = heapq.heappop(self._timers)
            if run in self._live:
                live = self._live[run]
                live.ready.append(live.launches[path])
        for live in list(self._live.values()):
            self._guarded(live, self._launch_ready)

    def _find_runs(self) -> None:
        active = self._store.active_runs()
        for ordered in active:
            live = self._live.get(ordered.run.id)
            if live is None:
                self._take_over(ordered)
            elif ordered.cancelled and not live.stopping:
                self._guarded(live, self._cancel)

    def _take_over(self, ordered: Ordered) -> None:
        """Bring a run into memory: a new one, or one that another engine left."""
        try:
            body = self._store.find_spec(ordered.spec)
            spec = msgspec.json.decode(body, type=PipelineSpec)
            run = ordered.run
            inputs = Bindings(
                parameters=run.parameters,
                artifacts={name: [item] for name, item in run.artifacts.items()},
            )
            known = known_of(run, spec, self._attempts.workspace(run.id))
            planner = Planner(spec, inputs, known)
            tasks = {task.name: task for task in self._store.tasks_of(run.id)}
            live = _Live(ordered, spec, planner, tasks, known)
            self._live[run.id] = live
            if run.state == "waiting":
                self._recorder.begin(ordered)
            ended = {
                path: _settled(task)
                for path, task in tasks.items()
                if task.kind != "dag" and task.state in OVER
            }
            moves, left = replay(planner, ended)
            self._note_errors(live, ended.values())
            self._carry_out(live, [move for move in moves if not isinstance(move, Launch)])
            for launch in left:
                live.launches[launch.path] = launch
                self._recover(live, launch)
            if ordered.cancelled:
                self._cancel(live)
        except AthanorError as error:
            self._live.pop(ordered.run.id, None)
            self._recorder.abandon(ordered, error)
        except Exception as error:  # noqa: BLE001 - one broken run must not hold up the others
            _log.exception("run %s can't be taken up", ordered.run.id)
            self._live.pop(ordered.run.id, None)
            self._recorder.abandon(ordered, EngineFault(f"run {ordered.run.id}", error))

    def _recover(self, live: _Live, launch: Launch) -> None:
        """A task that was running when the last engine ended: take its result, or run it again."""
        task = live.tasks[launch.path]
        if task.state != "running":
            live.ready.append(launch)
            return
        ending = self._attempts.lost(task) if task.kind == "step" else None
        if ending is None:
            self._recorder.try_again(task, None)
            live.tasks[launch.path] = replace(task, state="waiting")
            live.ready.append(launch)
            return
        bindings = None
        if ending.state == "done":
            bindings = self._recorder.finish(live.ordered, task, ending)
        self._ended.put(
            _Ended(run=live.ordered.run.id, path=task.name, ending=ending, bindings=bindings)
        )

    def _guarded(self, live: _Live, act: Callable[[_Live], None]) -> None:
        """Do something for a run; a failure ends that run alone."""
        try:
            act(live)
        except AthanorError as error:
            _log.warning("run %s failed: %s", live.ordered.run.id, error)
            self._live.pop(live.ordered.run.id, None)
            self._recorder.abandon(live.ordered, error)

    def _cancel(self, live: _Live) -> None:
        live.stopping = True
        moves = live.planner.stop()
        waiting = {launch.path for launch in live.ready}
        waiting |= {path for _, run, path in self._timers if run == live.ordered.run.id}
        live.ready.clear()
        self._timers = [item for item in self._timers if item[1] != live.ordered.run.id]
        heapq.heapify(self._timers)
        for path in waiting:
            reason = "the run was cancelled"
            self._recorder.settle(
                live.tasks[path], Settled(path=path, state="stopped", reason=reason)
            )
            moves += live.planner.finish(path, "stopped")
        for path in live.planner.running:
            if path not in waiting:
                task_id = live.tasks[path].id
                Thread(target=self._attempts.stop, args=(task_id,), daemon=True).start()
        self._carry_out(live, moves)

    def _carry_out(self, live: _Live, moves: Iterable[Move]) -> None:
        """Write down what the planner decided, and queue what is ready."""
        moves = list(moves)
        planned = [m for m in moves if isinstance(m, Planned) and m.path not in live.tasks]
        if planned:
            kinds = {move.path: self._kind(live, move) for move in planned}
            live.tasks |= self._recorder.plan(live.ordered, planned, kinds)
        for move in moves:
            if isinstance(move, Settled):
                if live.tasks[move.path].state not in OVER:
                    self._recorder.settle(live.tasks[move.path], move)
                if move.error is not None and live.error is None:
                    live.error = TaskFailed(move.path, move.error)
            elif isinstance(move, Launch):
                live.launches[move.path] = move
                live.ready.append(move)
        if live.planner.state in OVER:
            error = live.error if live.planner.state == "failed" else None
            self._recorder.end(live.ordered, live.planner, error)
            self._live.pop(live.ordered.run.id, None)

    def _kind(self, live: _Live, move: Planned) -> str:
        if move.is_dag:
            return "dag"
        executor = live.executor(move.component)
        ours = executor.container is not None and read_operation(executor.container) is None
        return "step" if ours else "operation"

    def _launch_ready(self, live: _Live) -> None:
        while live.ready and not self._room.full and not self._stopping:
            launch = live.ready.popleft()
            try:
                wanted = self._wanted(live, launch)
            except AthanorError as error:
                self._refuse(live, launch, error)
                continue
            if not self._room.fits(wanted):
                live.ready.appendleft(launch)
                return
            self._launch(live, launch, wanted)

    def _wanted(self, live: _Live, launch: Launch) -> Wanted:
        """The cores and memory that a task takes."""
        container = live.executor(launch.component).container
        resources = container.resources if container is not None else None
        if resources is None:
            return Wanted()
        find = names_of(launch.inputs.parameters, live.known)
        filled = msgspec.convert(
            fill(msgspec.to_builtins(resources), find), Resources, strict=False
        )
        return self._room.asked(launch.path, filled)

    def _refuse(self, live: _Live, launch: Launch, error: AthanorError) -> None:
        """A task that can't ever begin has failed."""
        move = Settled(path=launch.path, state="failed", reason=error.message, error=error)
        self._recorder.settle(live.tasks[launch.path], move)
        live.tasks[launch.path] = replace(live.tasks[launch.path], state="failed")
        if live.error is None:
            live.error = TaskFailed(launch.path, error)
        self._carry_out(live, live.planner.finish(launch.path, "failed", error=error))

    def _launch(self, live: _Live, launch: Launch, wanted: Wanted) -> None:
        task = live.tasks[launch.path]
        ordered = live.ordered
        executor = live.executor(launch.component)
        container = executor.container or ContainerSpec()
        parts, key = {}, ""
        spec = live.task_spec(launch.path)
        if task.kind == "step":
            parts = self._parts(live, launch, container, spec)
            key = cache_key(parts)
            options = spec.caching_options
            may = ordered.cache and options is not None and options.enable_cache
            entry = self._store.cached(ordered.run.project, key) if may else None
            if entry is not None and self._recorder.still_there(ordered, entry):
                self._reuse(live, launch, parts, entry, key)
                return
            if len(live.spec.deployment_spec.executors) >= _MANY_STEPS:
                self._attempts.warm_up()
        self._recorder.launch(ordered, task, launch, parts, key)
        task = replace(task, state="running", attempt=task.attempt + 1, key=key)
        live.tasks[launch.path] = task
        work = Work(
            ordered=ordered,
            task=task,
            launch=launch,
            component=live.spec.components[launch.component],
            executor=executor,
            schemas=live.schemas(launch.component),
            known=live.known | {".pipeline_task_name": launch.path.rpartition("/")[2]},
            wanted=wanted,
        )
        with self._changed:
            self._room.take(task.id, wanted)
        Thread(target=self._do, args=(work,), name=f"task {task.name}", daemon=True).start()

    def _parts(
        self, live: _Live, launch: Launch, container: ContainerSpec, spec: TaskSpec
    ) -> dict[str, str]:
        if spec.caching_options is not None and spec.caching_options.cache_key:
            return named_key(launch.component, spec.caching_options.cache_key)
        digests = self._recorder.digests(live.ordered, launch.inputs)
        return key_parts(
            live.spec.components[launch.component],
            container,
            launch.inputs.parameters,
            digests,
            environment_of(container),
        )

    def _reuse(
        self, live: _Live, launch: Launch, parts: dict[str, str], entry: CacheEntry, key: str
    ) -> None:
        task = live.tasks[launch.path]
        bindings = self._recorder.reuse(
            live.ordered, replace(task, key=key), launch, parts, entry=entry
        )
        live.tasks[launch.path] = replace(task, state="cached", key=key)
        self._carry_out(live, live.planner.finish(launch.path, "cached", bindings))

    def _do(self, work: Work) -> None:
        ending, bindings = self._attempts.run(work)
        self._ended.put(
            _Ended(run=work.task.run, path=work.task.name, ending=ending, bindings=bindings)
        )
        with self._changed:
            self._room.leave(work.task.id)
            self._changed.notify_all()

    def _take_end(self, ended: _Ended) -> None:
        live = self._live.get(ended.run)
        if live is None or self._stopping:
            return
        self._guarded(live, lambda live: self._settle_end(live, ended))

    def _settle_end(self, live: _Live, ended: _Ended) -> None:
        task, ending, bindings = live.tasks[ended.path], ended.ending, ended.bindings
        if bindings is None:
            if ending.state == "done":  # another attempt has taken over
                return
            again = ending.state == "waiting" or self._may_retry(live, task)
            if again and self._try_again(live, task, ending):
                return
            state = "failed" if ending.state == "waiting" else ending.state
            ending = replace(ending, state=state)
            bindings = self._recorder.finish(live.ordered, task, ending)
            if bindings is None:
                return
        live.tasks[ended.path] = replace(task, state=ending.state)
        if ending.error is not None and live.error is None:
            live.error = TaskFailed(ended.path, ending.error)
        moves = live.planner.finish(ended.path, ending.state, bindings, ending.error)
        self._carry_out(live, moves)

    def _may_retry(self, live: _Live, task: Task) -> bool:
        policy = live.task_spec(task.name).retry_policy or RetryPolicy()
        failures = self._store.failures_of(task.id)
        return not live.stopping and failures < policy.max_retry_count

    def _try_again(self, live: _Live, task: Task, ending: Ending) -> bool:
        pause = 0.0
        if ending.state == "waiting":
            deaths = live.deaths[task.name] = live.deaths.get(task.name, 0) + 1
            if deaths >= _MOST_DEATHS or live.stopping:
                return False
            self._recorder.try_again(task, None)
        else:
            policy = live.task_spec(task.name).retry_policy or RetryPolicy()
            pause = pause_before(policy, self._store.failures_of(task.id))
            self._recorder.try_again(task, ending.error)
        live.tasks[task.name] = replace(task, state="waiting")
        run = live.ordered.run.id
        heapq.heappush(self._timers, (time.monotonic() + pause, run, task.name))
        return True

    def _note_errors(self, live: _Live, ended: Iterable[Settled]) -> None:
        for item in ended:
            if item.state == "failed" and item.error is not None and live.error is None:
                live.error = TaskFailed(item.path, item.error)


def known_of(run: PipelineRun, spec: PipelineSpec, workspace: Path) -> dict[str, str]:
    """What a run's placeholders stand for, the same after a restart."""
    name = f"{run.pipeline}-{run.id}"
    begun = f"{run.created_at:%Y-%m-%dT%H:%M:%SZ}"
    return {
        ".pipeline_job_name": name,
        ".pipeline_job_resource_name": name,
        ".pipeline_job_uuid": run.id,
        ".pipeline_root": spec.default_pipeline_root or str(workspace.parent),
        ".pipeline_job_create_time_utc": begun,
        ".pipeline_job_schedule_time_utc": begun,
        ".workspace_path": str(workspace),
    }


def _settled(task: Task) -> Settled:
    return Settled(
        path=task.name,
        state=task.state,
        error=error_from_dict(task.error) if task.error else None,
        outputs=Bindings(parameters=task.outputs, artifacts=task.made),
    )
