"""One attempt of one task: a step in a fork of its own, or a platform operation right here."""

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from athanor.kernel import (
    AthanorError,
    Database,
    Principal,
    Storage,
    error_from_dict,
)
from athanor.kernel.workers import Child, Exit, Workers
from athanor.lineage import Lineage, Operation, OperationCall, OperationResult
from athanor.pipelines.engines.local.exchange import (
    LOCK_FILE,
    LOG_FILE,
    TASK_FILE,
    Foreign,
    GivenArtifact,
    Order,
    read_result,
    write_order,
)
from athanor.pipelines.engines.local.fitting import (
    CREATE_VOLUME,
    DELETE_VOLUME,
    VOLUMES,
    Fitting,
    create_volume,
    delete_volume,
    fitting_of,
)
from athanor.pipelines.engines.local.importing import imported_artifact
from athanor.pipelines.engines.local.leftovers import descendants, end_strays, shorten_log
from athanor.pipelines.engines.local.recording import Ending, Recorder
from athanor.pipelines.errors import (
    EngineFault,
    OperationNotFound,
    StepDied,
    StepTookTooLong,
)
from athanor.pipelines.ir.spec import (
    ComponentOutputs,
    ComponentSpec,
    ContainerSpec,
    ExecutorSpec,
    ImporterSpec,
)
from athanor.pipelines.logic.bindings import Bindings
from athanor.pipelines.logic.containers import read_lightweight
from athanor.pipelines.logic.embedding import Embedded, read_embedded, read_operation
from athanor.pipelines.logic.placeholders import fill, names_of
from athanor.pipelines.logic.planner import Launch
from athanor.pipelines.logic.resources import Wanted
from athanor.pipelines.logic.values import as_text, type_of
from athanor.pipelines.secrets import SecretStore
from athanor.pipelines.store import Ordered
from athanor.pipelines.types import Task

ENVIRONMENTS = "environments"
_TARGET = "athanor.pipelines.engines.local.child:main"
_COMPILER = "athanor.pipelines.authoring.loading:compile_target"
_COMPILE_SECONDS = 120.0
_LOST_LOCK_SECONDS = 10.0
_POLL_SECONDS = 0.01
_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task that is ready, with its component."""

    ordered: Ordered
    task: Task
    launch: Launch
    component: ComponentSpec
    executor: ExecutorSpec
    schemas: Mapping[str, str] = field(default_factory=dict)
    """Titles of the types of artifacts, by input or output."""
    known: Mapping[str, str] = field(default_factory=dict)
    """What the run's placeholders stand for."""
    wanted: Wanted = field(default_factory=Wanted)
    """The cores and memory that it may use."""

    @property
    def container(self) -> ContainerSpec:
        """The command and its image; an empty one where the executor is something else."""
        return self.executor.container or ContainerSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the engine works, and with what."""

    folder: Path
    """Attempts have their folders here: `<run>/<task id>/<attempt>`."""
    secrets: SecretStore
    materializers: tuple[str, ...]
    operations: Mapping[str, Operation] = field(default_factory=dict)

    def attempt(self, task: Task) -> Path:
        """The folder of a task's present attempt."""
        return self.folder / task.run / task.id / str(task.attempt)


class Attempts:
    """Runs attempts. Called from many threads at once."""

    def __init__(
        self,
        workers: Workers,
        recorder: Recorder,
        *,
        database: Database,
        lineage: Lineage,
        storage: Storage,
        place: Place,
    ) -> None:
        self._workers = workers
        self._recorder = recorder
        self._database = database
        self._lineage = lineage
        self._storage = storage
        self._place = place
        self._children: dict[str, Child] = {}
        self._stopped: set[str] = set()
        self._lock = Lock()

    def run(self, work: Work) -> tuple[Ending, Bindings | None]:
        """Do the work and write it down.

        The bindings are None where nothing was written: the attempt failed (it is the scheduler's
        to try again or to write down), it was killed from outside (state `waiting`), or it was not
        the running one any more.
        """
        operation = read_operation(work.container)
        try:
            if operation is not None:
                return self._operate(work, operation)
            if work.executor.importer is not None:
                return self._import(work, work.executor.importer)
            if work.container.image in {CREATE_VOLUME, DELETE_VOLUME}:
                return self._volume(work)
            embedded = read_embedded(work.container)
            foreign = self._foreign(work) if embedded is None else None
            ending = self._step(work, embedded or _unembedded(work), foreign)
        except AthanorError as error:
            return Ending(state="failed", error=error), None
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the thread
            fault = EngineFault(f"task {work.task.name!r}", error)
            return Ending(state="failed", error=fault), None
        if ending.state != "done":
            return ending, None
        bindings = self._recorder.finish(work.ordered, work.task, ending)
        self.tidy(work.task)
        return ending, bindings

    def workspace(self, run_id: str) -> Path:
        """The folder that all steps of a run share."""
        return self._place.folder / run_id / "workspace"

    def warm_up(self) -> None:
        """Have what most steps import loaded once for all of them."""
        self._workers.warm_up()

    def stop(self, task_id: str) -> None:
        """End a task's process and all that it started."""
        with self._lock:
            self._stopped.add(task_id)
            child = self._children.get(task_id)
        if child is not None:
            _end(child)

    def lost(self, task: Task) -> Ending | None:
        """How an attempt ended whose server was killed; None if it did not come to an end.

        Waits until its process is gone.
        """
        folder = self._place.attempt(task)
        _wait_for_lock(folder)
        result = read_result(folder)
        if result is None:
            return None
        if result.error is not None:
            return Ending(state="failed", error=error_from_dict(result.error))
        return Ending(state="done", parameters=result.parameters, artifacts=result.artifacts)

    def compile(self, target: str) -> str:
        """The YAML of a pipeline named `module:attribute`, compiled apart from the server."""
        payload = {"target": target}
        return str(self._workers.call(_COMPILER, payload, timeout=_COMPILE_SECONDS))

    def log(self, task: Task) -> str:
        """What a task has written so far, attempt by attempt."""
        folder = self._place.folder / task.run / task.id
        logs = sorted(folder.glob(f"*/{LOG_FILE}"), key=lambda path: int(path.parent.name))
        texts = [path.read_text("utf-8", errors="replace") for path in logs]
        if len(texts) == 1:
            return texts[0]
        return "".join(f"--- attempt {n} ---\n{text}" for n, text in enumerate(texts, 1))

    def order(self, task: Task) -> str:
        """The code and inputs of a task's last attempt as JSON; "" where there was none."""
        try:
            return (self._place.attempt(task) / TASK_FILE).read_text("utf-8")
        except FileNotFoundError:
            return ""

    def tidy(self, task: Task) -> None:
        """Remove what an attempt no longer needs; its log stays."""
        folder = self._place.attempt(task)
        for name in ("inputs", "outputs", "code", VOLUMES):
            shutil.rmtree(folder / name, ignore_errors=True)

    def _operate(self, work: Work, name: str) -> tuple[Ending, Bindings | None]:
        task, run = work.task, work.ordered.run
        operation = self._place.operations.get(name)
        if operation is None:
            raise OperationNotFound(name, self._place.operations)
        inputs = work.launch.inputs
        who = work.ordered.who
        began = time.monotonic()
        call = OperationCall(
            run_id=task.id,
            task=task.name,
            key=task.id,
            parameters=dict(inputs.parameters),
            artifacts={
                key: [self._lineage.artifact(who, item) for item in items]
                for key, items in inputs.artifacts.items()
            },
            project=run.project,
        )
        with self._database.transaction():
            result: OperationResult = operation(who, call)
            ending = Ending(
                state="done",
                parameters=result.parameters,
                made={key: [artifact.id] for key, artifact in result.artifacts.items()},
                resources={"wall_seconds": time.monotonic() - began},
            )
            return ending, self._recorder.finish(work.ordered, task, ending)

    def _import(self, work: Work, importer: ImporterSpec) -> tuple[Ending, Bindings | None]:
        """Record an artifact that exists already; its content is not read."""
        imported = imported_artifact(work.component, importer, work.launch.inputs, work.known)
        ending = Ending(state="done", artifacts={imported.output: [imported.made]})
        return ending, self._recorder.finish(work.ordered, work.task, ending)

    def _volume(self, work: Work) -> tuple[Ending, Bindings | None]:
        """Make or remove a volume, as Kubernetes' own components do."""
        parameters = work.launch.inputs.parameters
        volumes = self._place.folder / VOLUMES
        outputs: dict[str, Any] = {}
        if work.container.image == CREATE_VOLUME:
            unique = f"{work.ordered.run.pipeline}-{work.task.run[:12]}"
            outputs["name"] = create_volume(volumes, parameters, unique)
        else:
            delete_volume(volumes, parameters)
        ending = Ending(state="done", parameters=outputs)
        return ending, self._recorder.finish(work.ordered, work.task, ending)

    def _foreign(self, work: Work) -> Foreign:
        container = work.container
        self.workspace(work.task.run).mkdir(parents=True, exist_ok=True)
        return Foreign(
            function=read_lightweight(container),
            image=container.image,
            command=container.command,
            args=container.args,
            schemas=dict(work.schemas),
            known=dict(work.known),
            environments=str(self._place.folder / ENVIRONMENTS),
        )

    def _step(self, work: Work, embedded: Embedded, foreign: Foreign | None) -> Ending:
        task = work.task
        folder = self._place.attempt(task)
        folder.mkdir(parents=True, exist_ok=True)
        fitting = fitting_of(
            work.launch.settings,
            self._place.secrets,
            volumes=self._place.folder / VOLUMES,
            attempt=folder,
        )
        order = self._order(work, embedded, foreign, fitting)
        write_order(folder, order)
        limit = min(filter(None, (embedded.timeout, fitting.seconds)), default=None)
        began = time.monotonic()
        child = self._workers.spawn(
            _TARGET,
            {"folder": str(folder)},
            log=folder / LOG_FILE,
            env=order.env | fitting.env,
            cwd=folder,
            threads=embedded.threads,
            memory_bytes=work.wanted.memory_bytes or None,
        )
        with self._lock:
            self._children[task.id] = child
            stopped = task.id in self._stopped
        if stopped:
            _end(child)
        try:
            ended = _watched(child, folder / LOG_FILE, limit)
            if ended is None:
                _end(child)
                raise StepTookTooLong(task.name, limit or 0.0)
        finally:
            shorten_log(folder / LOG_FILE)
            with self._lock:
                self._children.pop(task.id, None)
        resources = {
            "wall_seconds": time.monotonic() - began,
            "cpu_seconds": ended.cpu_seconds,
            "max_rss_bytes": float(ended.max_rss_bytes),
        }
        return self._ending(task, folder, ended, resources)

    def _ending(self, task: Task, folder: Path, ended: Exit, resources: dict[str, float]) -> Ending:
        result = read_result(folder)
        if result is not None and result.error is None:
            return Ending(
                state="done",
                parameters=result.parameters,
                artifacts=result.artifacts,
                resources=resources,
            )
        with self._lock:
            stopped = task.id in self._stopped
            self._stopped.discard(task.id)
        if stopped:
            return Ending(state="stopped", reason="the run was cancelled", resources=resources)
        if result is not None:
            error = error_from_dict(result.error or {})
            return Ending(state="failed", error=error, resources=resources)
        end_strays(folder)
        error = _death(task.name, ended)
        killed = ended.signal == signal.SIGKILL or (ended.signal is None and ended.code is None)
        return Ending(state="waiting" if killed else "failed", error=error, resources=resources)

    def _filled(self, work: Work, text: str) -> str:
        find = names_of(work.launch.inputs.parameters, work.known)
        return as_text(fill(text, find))

    def _order(
        self, work: Work, embedded: Embedded, foreign: Foreign | None, fitting: Fitting
    ) -> Order:
        outputs = work.component.output_definitions or ComponentOutputs()
        who = work.ordered.who
        return Order(
            step=work.task.name,
            run=work.task.run,
            task=work.task.id,
            embedded=embedded,
            foreign=foreign,
            env={item.name: self._filled(work, item.value) for item in work.container.env},
            mounts=fitting.mounts,
            cores=work.wanted.cores,
            memory_bytes=work.wanted.memory_bytes,
            environments=str(self._place.folder / ENVIRONMENTS),
            parameters=dict(work.launch.inputs.parameters),
            artifacts={
                name: [self._given(who, item) for item in items]
                for name, items in work.launch.inputs.artifacts.items()
            },
            output_parameters={name: type_of(item) for name, item in outputs.parameters.items()},
            output_artifacts={
                name: str(item.metadata.get("type", "any"))
                for name, item in outputs.artifacts.items()
            },
            output_lists=[
                name for name, item in outputs.artifacts.items() if item.is_artifact_list
            ],
            materializers=list(self._place.materializers),
            storage_url=self._storage.url,
            storage_reserve=self._storage.reserve_bytes,
        )

    def _given(self, who: Principal, artifact_id: str) -> GivenArtifact:
        artifact = self._lineage.artifact(who, artifact_id)
        return GivenArtifact(
            id=artifact.id,
            type=artifact.type,
            uri=artifact.uri,
            digest=artifact.digest,
            metadata=artifact.metadata,
        )


def _unembedded(work: Work) -> Embedded:
    """A step that is not ours has its name and its resources alone."""
    return Embedded(function=work.task.name, source="", file=f"<{work.task.component}>")


def _watched(child: Child, log: Path, limit: float | None) -> Exit | None:
    """Wait for the end of a step, and keep its log in bounds; None at the time limit."""
    until = time.monotonic() + limit if limit else None
    while True:
        left = _LOOK_SECONDS if until is None else min(_LOOK_SECONDS, until - time.monotonic())
        if left <= 0:
            return None
        ended = child.wait(left)
        if ended is not None:
            return ended
        shorten_log(log)


def _end(child: Child) -> None:
    """End a step and all that it started, those with a session of their own, too."""
    try:
        started = list(descendants(child.pid))
    except AthanorError:  # it has not begun
        started = []
    child.kill(_GRACE_SECONDS)
    for pid in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _death(step: str, ended: Exit) -> StepDied:
    if ended.signal is None:
        code = "for reasons unknown" if ended.code is None else f"with exit status {ended.code}"
        return StepDied(
            step, f"ended {code} before its function returned", "Read its log for the last words."
        )
    try:
        name = signal.Signals(ended.signal).name
    except ValueError:
        name = f"signal {ended.signal}"
    hint = "Read its log for the last words."
    if name == "SIGKILL":
        hint = "Most likely the machine ran out of memory: give the step less data, or more room."
    elif name in {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL"}:
        hint = "A native library crashed; the log may name it. Try another version of it."
    return StepDied(step, f"was ended by {name}", hint)


def _wait_for_lock(folder: Path) -> None:
    """Wait until no process works in an attempt's folder any more."""
    lock = folder / LOCK_FILE
    if not lock.exists():
        return
    until = time.monotonic() + _LOST_LOCK_SECONDS
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        while time.monotonic() < until:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_POLL_SECONDS)
            else:
                return
    finally:
        os.close(descriptor)
