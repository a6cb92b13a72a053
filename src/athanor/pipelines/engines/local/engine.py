"""The scheduler: one thread that plans, and is told how tasks end.

All state is in the database; what is kept here is rebuilt from it. Only this thread talks to the
planners. What has ended since it looked last, and what begins because of that, is one transaction:
in a chain of steps, one a step. The processes of those that begin are made once that is committed.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

import msgspec

from athanor.kernel import AthanorError
from athanor.pipelines.engines.local.admission import Room
from athanor.pipelines.engines.local.attempts import Attempts, Work
from athanor.pipelines.engines.local.live import Live, known_of, settled_before
from athanor.pipelines.engines.local.pauses import Pauses
from athanor.pipelines.engines.local.recording import Ending, Recorder
from athanor.pipelines.errors import EngineFault
from athanor.pipelines.ir.spec import PipelineSpec
from athanor.pipelines.logic.cache import cache_key
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
from athanor.pipelines.store import Ordered, RunStore
from athanor.pipelines.types import Task

_log = logging.getLogger(__name__)
_POLL_SECONDS = 5.0
_STUMBLE_SECONDS = 0.5
_LONGEST_SECONDS = 0.1
"""After which a transaction begins nothing more."""
_STOP_SECONDS = 10.0
_MANY_STEPS = 3
"""From how many steps on a pipeline is worth warm workers where they were not made ahead."""
_MOST_DEATHS = 3
"""Attempts of one task that may be killed from outside before it counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    task: Task
    """As it was when the attempt began."""
    ending: Ending
    bindings: Bindings | None = None
    recorded: bool = False
    """Whether it was written down already, if it was to be."""
    tidy: bool = False
    """Whether it leaves no file behind that nobody needs."""


class LocalEngine:
    """Runs pipelines on this machine."""

    def __init__(
        self, store: RunStore, recorder: Recorder, attempts: Attempts, *, room: Room
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._attempts = attempts
        self._room = room
        self._live: dict[str, Live] = {}
        self._inbox: SimpleQueue[_Ended | None] = SimpleQueue()
        """What has ended; None says that there are runs or cancellations to look for."""
        self._unsettled: list[_Ended] = []
        self._at_work: set[str] = set()
        """Ids of the tasks that have begun here and whose end is not written down."""
        self._begun: list[Work] = []
        self._pauses = Pauses()
        self._look = True
        self._until = 0.0
        self._cut = False
        """Whether there was more to begin than one transaction should hold."""
        self._stopping = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin; runs that were under way when the last engine ended go on."""
        self._thread = Thread(target=self._loop, name="pipelines", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look for new runs and cancellations at once."""
        self._inbox.put(None)

    def stop(self) -> None:
        """End; running steps are stopped and run again at the next start."""
        self._stopping = True
        self._inbox.put(None)
        stoppers = [
            Thread(target=self._attempts.stop, args=(task.id,), daemon=True)
            for live in list(self._live.values())
            for task in list(live.tasks.values())
            if task.state == "running"
        ]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(_STOP_SECONDS)
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
        until = time.monotonic() + _STOP_SECONDS / 2
        while self._room.tasks and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(Empty):
                ended = self._inbox.get(timeout=left)
                if ended is not None:
                    self._room.leave(ended.task.id)

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
                time.sleep(_STUMBLE_SECONDS)
            self._wait()

    def _wait(self) -> None:
        """Wait for news, and take all that there are."""
        busy = self._look or self._unsettled or self._cut or self._stopping
        self._cut = False
        with contextlib.suppress(Empty):
            item = self._inbox.get(timeout=0.0 if busy else self._pauses.left(_POLL_SECONDS))
            while True:
                if item is None:
                    self._look = True
                else:
                    self._room.leave(item.task.id)
                    self._unsettled.append(item)
                item = self._inbox.get_nowait()

    def _round(self) -> None:
        if self._stopping:
            return
        if self._look:
            self._look = False
            self._find_runs()
        for run, path in self._pauses.over():
            if (live := self._live.get(run)) is not None:
                live.ready.append(live.launches[path])
        if self._unsettled or (not self._room.full and any(i.ready for i in self._live.values())):
            self._settle_all()

    def _settle_all(self) -> None:
        """Write down what has ended and what begins because of that, all at once."""
        at: Live | None = None
        self._cut, self._until = False, time.monotonic() + _LONGEST_SECONDS
        try:
            with self._recorder.together():
                for ended in self._unsettled:
                    if (at := self._live.get(ended.task.run)) is not None:
                        self._settle_end(at, ended)
                for at in list(self._live.values()):
                    self._launch_ready(at)
                at = None
        except Exception as error:
            self._begin_anew(at, error)
            raise
        for work in self._begun:
            if work.forked:
                self._attempts.begin(work, self._step_ended)
            else:
                Thread(target=self._perform, args=(work,), name="operation", daemon=True).start()
        self._begun.clear()
        for ended in self._unsettled:
            self._at_work.discard(ended.task.id)
            if ended.ending.state == "done" and not ended.tidy:
                self._attempts.tidy(ended.task)
        self._unsettled.clear()

    def _begin_anew(self, failed: Live | None, error: Exception) -> None:
        """Nothing of what was to be written down was: go back to what the database knows.

        The run that caused it fails, and holds up no other.
        """
        for work in self._begun:
            self._at_work.discard(work.task.id)
            self._room.leave(work.task.id)
        self._begun.clear()
        self._live.clear()
        self._pauses.clear()
        self._look = True
        if failed is not None:
            if not isinstance(error, AthanorError):
                error = EngineFault(f"run {failed.ordered.run.id}", error)
            _log.warning("run %s failed: %s", failed.ordered.run.id, error)
            self._recorder.abandon(failed.ordered, error)

    def _find_runs(self) -> None:
        for ordered in self._store.active_runs():
            live = self._live.get(ordered.run.id)
            if live is None:
                self._taken_up(ordered, partial(self._take_over, ordered, self._left(ordered)))
            elif ordered.cancelled and not live.stopping:
                self._taken_up(ordered, partial(self._cancel, live))

    def _left(self, ordered: Ordered) -> dict[str, Ending | None]:
        """How the tasks that another engine left running have ended, if they have, by id."""
        return {
            task.id: self._attempts.lost(task)
            for task in self._store.tasks_of(ordered.run.id, state="running")
            if task.kind == "step" and task.id not in self._at_work
        }

    def _taken_up(self, ordered: Ordered, act: Callable[[], None]) -> None:
        """Do something for a run in one transaction; a failure ends that run alone."""
        try:
            with self._recorder.together():
                act()
        except AthanorError as error:
            self._live.pop(ordered.run.id, None)
            self._recorder.abandon(ordered, error)
        except Exception as error:  # noqa: BLE001 - one broken run must not hold up the others
            _log.exception("run %s can't be taken up", ordered.run.id)
            self._live.pop(ordered.run.id, None)
            self._recorder.abandon(ordered, EngineFault(f"run {ordered.run.id}", error))

    def _take_over(self, ordered: Ordered, left_by_others: Mapping[str, Ending | None]) -> None:
        """Bring a run into memory: a new one, or one that another engine left."""
        spec = msgspec.json.decode(self._store.find_spec(ordered.spec), type=PipelineSpec)
        run = ordered.run
        inputs = Bindings(
            parameters=run.parameters,
            artifacts={name: [item] for name, item in run.artifacts.items()},
        )
        known = known_of(run, spec, self._attempts.workspace(run.id))
        planner = Planner(spec, inputs, known)
        tasks = {task.name: task for task in self._store.tasks_of(run.id)}
        live = Live(ordered, spec, planner, tasks, known)
        self._live[run.id] = live
        if run.state == "waiting":
            self._recorder.begin(ordered)
        ended = {
            path: settled_before(task)
            for path, task in tasks.items()
            if task.kind != "dag" and task.state in OVER
        }
        moves, launches = replay(planner, ended)
        for item in ended.values():
            if item.state == "failed":
                live.note(item.path, item.error)
        self._carry_out(live, [move for move in moves if not isinstance(move, Launch)])
        for launch in launches:
            live.launches[launch.path] = launch
            self._recover(live, launch, left_by_others)
        if ordered.cancelled:
            self._cancel(live)

    def _recover(
        self, live: Live, launch: Launch, left_by_others: Mapping[str, Ending | None]
    ) -> None:
        """A task that was running when the last engine ended: take its result, or run it again."""
        task = live.tasks[launch.path]
        if task.state != "running":
            live.ready.append(launch)
            return
        if task.id in self._at_work:  # of our own: its end will be told
            return
        ending = left_by_others.get(task.id)
        if ending is not None:
            self._inbox.put(_Ended(task=task, ending=ending))
            return
        self._recorder.try_again(task, None)
        live.tasks[launch.path] = replace(task, state="waiting")
        live.ready.append(launch)

    def _cancel(self, live: Live) -> None:
        live.stopping = True
        moves = live.planner.stop()
        waiting = {launch.path for launch in live.ready}
        waiting |= self._pauses.forget(live.ordered.run.id)
        live.ready.clear()
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

    def _carry_out(self, live: Live, moves: Iterable[Move]) -> None:
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
                live.note(move.path, move.error)
            elif isinstance(move, Launch):
                live.launches[move.path] = move
                live.ready.append(move)
        if live.planner.state in OVER:
            error = live.error if live.planner.state == "failed" else None
            self._recorder.end(live.ordered, live.planner, error)
            self._live.pop(live.ordered.run.id, None)

    def _kind(self, live: Live, move: Planned) -> str:
        if move.is_dag:
            return "dag"
        return "step" if live.executable(move.component).is_step else "operation"

    def _launch_ready(self, live: Live) -> None:
        while live.ready and not self._room.full and not self._stopping:
            if time.monotonic() > self._until:  # many that are cached: let others write, too
                self._cut = True
                return
            launch = live.ready.popleft()
            try:
                wanted = self._room.asked(launch.path, live.resources(launch))
            except AthanorError as error:
                self._refuse(live, launch, error)
                continue
            if not self._room.fits(wanted):
                live.ready.appendleft(launch)
                return
            self._launch(live, launch, wanted)

    def _refuse(self, live: Live, launch: Launch, error: AthanorError) -> None:
        """A task that can't ever begin has failed."""
        move = Settled(path=launch.path, state="failed", reason=error.message, error=error)
        self._recorder.settle(live.tasks[launch.path], move)
        live.tasks[launch.path] = replace(live.tasks[launch.path], state="failed")
        live.note(launch.path, error)
        self._carry_out(live, live.planner.finish(launch.path, "failed", error=error))

    def _launch(self, live: Live, launch: Launch, wanted: Wanted) -> None:
        task, ordered = live.tasks[launch.path], live.ordered
        found = live.executable(launch.component)
        given = self._recorder.given(ordered, launch.inputs)
        parts, key = {}, ""
        if task.kind == "step":
            options = live.task_spec(launch.path).caching_options
            parts = live.key_parts(launch, given, options.cache_key if options is not None else "")
            key = cache_key(parts)
            may = ordered.cache and options is not None and options.enable_cache
            entry = self._store.cached(ordered.run.project, key) if may else None
            if entry is not None and self._recorder.still_there(ordered, entry):
                bindings = self._recorder.reuse(
                    ordered, replace(task, key=key), launch, parts, entry=entry
                )
                live.tasks[launch.path] = replace(task, state="cached", key=key)
                self._carry_out(live, live.planner.finish(launch.path, "cached", bindings))
                return
            if not found.light and len(live.spec.deployment_spec.executors) >= _MANY_STEPS:
                self._attempts.warm_up()
        self._recorder.launch(ordered, task, launch, parts, key)
        task = replace(task, state="running", attempt=task.attempt + 1, key=key)
        live.tasks[launch.path] = task
        work = Work(
            ordered=ordered,
            task=task,
            launch=launch,
            component=found.component,
            executor=found.executor,
            embedded=found.embedded,
            code=found.code,
            light=found.light,
            schemas=found.schemas,
            known=live.known | {".pipeline_task_name": launch.path.rpartition("/")[2]},
            given=given,
            wanted=wanted,
        )
        self._room.take(task.id, wanted)
        self._at_work.add(task.id)
        self._begun.append(work)

    def _perform(self, work: Work) -> None:
        ending, bindings = self._attempts.perform(work)
        self._inbox.put(_Ended(task=work.task, ending=ending, bindings=bindings, recorded=True))

    def _step_ended(self, work: Work, ending: Ending) -> None:
        tidy = work.light and work.embedded is not None and not work.embedded.modules
        self._inbox.put(_Ended(task=work.task, ending=ending, tidy=tidy))

    def _settle_end(self, live: Live, ended: _Ended) -> None:
        ending, bindings, path = ended.ending, ended.bindings, ended.task.name
        task = live.tasks.get(path)
        if task is None or task.state != "running" or task.attempt != ended.task.attempt:
            return  # another attempt has taken over
        if bindings is None:
            if ended.recorded and ending.state == "done":
                return
            if ending.state != "done":
                again = ending.state == "waiting" or self._may_retry(live, task)
                if again and self._try_again(live, task, ending):
                    return
                state = "failed" if ending.state == "waiting" else ending.state
                ending = replace(ending, state=state)
            bindings = self._recorder.finish(live.ordered, task, ending)
            if bindings is None:
                return
        live.tasks[path] = replace(task, state=ending.state)
        live.note(path, ending.error)
        self._carry_out(live, live.planner.finish(path, ending.state, bindings, ending.error))

    def _may_retry(self, live: Live, task: Task) -> bool:
        policy = live.retry_policy(task.name)
        failures = self._store.failures_of(task.id)
        return not live.stopping and failures < policy.max_retry_count

    def _try_again(self, live: Live, task: Task, ending: Ending) -> bool:
        pause = 0.0
        if ending.state == "waiting":
            deaths = live.deaths[task.name] = live.deaths.get(task.name, 0) + 1
            if deaths >= _MOST_DEATHS or live.stopping:
                return False
            self._recorder.try_again(task, None)
        else:
            policy = live.retry_policy(task.name)
            pause = pause_before(policy, self._store.failures_of(task.id))
            self._recorder.try_again(task, ending.error)
        live.tasks[task.name] = replace(task, state="waiting")
        self._pauses.add(live.ordered.run.id, task.name, pause)
        return True
