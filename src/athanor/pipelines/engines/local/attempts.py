"""One attempt of one task: a step in a fork of its own, or a platform operation right here."""

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from athanor.kernel import (
    AthanorError,
    Database,
    Storage,
    error_from_dict,
)
from athanor.kernel.reaching import Way, variables_of
from athanor.kernel.workers import Child, Exit, Workers
from athanor.lineage import (
    Artifact,
    LongOperation,
    Operation,
    OperationCall,
    OperationResult,
)
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
from athanor.pipelines.engines.local.guarding import Guard, Guarded, death_of, end_step
from athanor.pipelines.engines.local.importing import imported_artifact
from athanor.pipelines.engines.local.leftovers import end_strays, shorten_log
from athanor.pipelines.engines.local.recording import Ending, Recorder
from athanor.pipelines.errors import (
    EngineFault,
    OperationNotFound,
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
from athanor.pipelines.logic.embedding import Embedded, read_operation
from athanor.pipelines.logic.placeholders import fill, names_of
from athanor.pipelines.logic.planner import Launch
from athanor.pipelines.logic.resources import Wanted
from athanor.pipelines.logic.values import as_text, type_of
from athanor.pipelines.secrets import SecretStore
from athanor.pipelines.store import Ordered
from athanor.pipelines.types import Task

ENVIRONMENTS = "environments"
_VOLUMES = frozenset({CREATE_VOLUME, DELETE_VOLUME})
_TARGET = "athanor.pipelines.engines.local.child:main"
_COMPILER = "athanor.pipelines.authoring.loading:compile_target"
_COMPILE_SECONDS = 120.0
_LOST_LOCK_SECONDS = 10.0
_LONGEST_SENT = 1 << 16
"""Bytes of an order that a step's process need not read from the file."""
_POLL_SECONDS = 0.01
_PASSING = frozenset({"inputs", "outputs", "code", VOLUMES})
"""Folders of an attempt that nobody needs after its end."""


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
    given: Mapping[str, list[Artifact]] = field(default_factory=dict)
    """The input artifacts of a step."""
    embedded: Embedded | None = None
    """The function of a step that is ours."""
    code: bytes | None = None
    """What that function is compiled to, if it was."""
    light: bool = False
    """Whether it needs no library."""
    wanted: Wanted = field(default_factory=Wanted)
    """The cores and memory that it may use."""

    @property
    def forked(self) -> bool:
        """Whether it is a process of its own."""
        made_here = self.executor.importer is not None or self.container.image in _VOLUMES
        return not made_here and read_operation(self.container) is None

    @property
    def container(self) -> ContainerSpec:
        """The command and its image; an empty one where the executor is something else."""
        return self.executor.container or ContainerSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the engine works, and with what."""

    folder: Path
    """Attempts have their folders here: `<run>/<attempt>/<task id>`."""
    secrets: SecretStore
    materializers: tuple[str, ...]
    operations: Mapping[str, Operation] = field(default_factory=dict)
    way: Callable[[], Way | None] = lambda: None
    """How steps reach the platform."""

    def attempt(self, task: Task) -> Path:
        """The folder of a task's present attempt."""
        return Path(f"{self.folder}/{task.run}/{task.attempt}/{task.id}")


class Attempts:
    """Runs attempts. Called from many threads at once."""

    def __init__(
        self,
        workers: Workers,
        recorder: Recorder,
        *,
        database: Database,
        storage: Storage,
        place: Place,
    ) -> None:
        self._workers = workers
        self._recorder = recorder
        self._database = database
        self._storage = storage
        self._place = place
        self._volumes = place.folder / VOLUMES
        self._environments = str(place.folder / ENVIRONMENTS)
        self._children: dict[str, Child] = {}
        self._stopped: set[str] = set()
        self._lock = Lock()
        self._guard = Guard()

    def perform(self, work: Work) -> tuple[Ending, Bindings | None]:
        """Do what needs no process of its own, and write it down.

        The bindings are None where nothing was written: it failed (which is the scheduler's to try
        again or to write down), or it was not the running attempt any more.
        """
        operation = read_operation(work.container)
        try:
            if operation is not None:
                return self._operate(work, operation)
            if work.executor.importer is not None:
                return self._import(work, work.executor.importer)
            return self._volume(work)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the thread
            return _fault(work, error), None

    def begin(self, work: Work, ended: Callable[[Work, Ending], None]) -> None:
        """Make a step's process, which is written down already.

        `ended` is called once, on any thread. A killed attempt ends as `waiting`.
        """
        try:
            self._begin(work, ended)
        except Exception as error:  # noqa: BLE001 - as above
            ended(work, _fault(work, error))

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
            end_step(child)

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
        folder = self._place.folder / task.run
        logs = {int(path.parts[-3]): path for path in folder.glob(f"[0-9]*/{task.id}/{LOG_FILE}")}
        if not logs:  # as it was laid out in the beginning
            logs = {int(path.parts[-2]): path for path in folder.glob(f"{task.id}/*/{LOG_FILE}")}
        texts = [path.read_text("utf-8", errors="replace") for _, path in sorted(logs.items())]
        if len(texts) == 1:
            return texts[0]
        return "".join(f"--- attempt {n} ---\n{text}" for n, text in enumerate(texts, 1))

    def order(self, task: Task) -> str:
        """The code and inputs of a task's last attempt as JSON; "" where there was none."""
        try:
            text = (self._place.attempt(task) / TASK_FILE).read_text("utf-8")
        except FileNotFoundError:
            return ""
        return text.partition("\n")[0]

    def tidy(self, task: Task) -> None:
        """Remove what an attempt no longer needs; its log stays."""
        with contextlib.suppress(OSError), os.scandir(self._place.attempt(task)) as found:
            for entry in found:
                if entry.name in _PASSING:
                    shutil.rmtree(entry.path, ignore_errors=True)

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
            artifacts=dict(work.given),
            project=run.project,
        )

        def finished(result: OperationResult) -> tuple[Ending, Bindings | None]:
            ending = Ending(
                state="done",
                parameters=result.parameters,
                made={key: [artifact.id] for key, artifact in result.artifacts.items()},
                resources={"wall_seconds": time.monotonic() - began},
            )
            return ending, self._recorder.finish(work.ordered, task, ending)

        if isinstance(operation, LongOperation):
            return finished(operation(who, call))
        with self._database.transaction():
            return finished(operation(who, call))

    def _import(self, work: Work, importer: ImporterSpec) -> tuple[Ending, Bindings | None]:
        """Record an artifact that exists already; its content is not read."""
        imported = imported_artifact(work.component, importer, work.launch.inputs, work.known)
        ending = Ending(state="done", artifacts={imported.output: [imported.made]})
        return ending, self._recorder.finish(work.ordered, work.task, ending)

    def _volume(self, work: Work) -> tuple[Ending, Bindings | None]:
        """Make or remove a volume, as Kubernetes' own components do."""
        parameters = work.launch.inputs.parameters
        volumes = self._volumes
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
            environments=self._environments,
        )

    def _begin(self, work: Work, ended: Callable[[Work, Ending], None]) -> None:
        task, folder = work.task, self._place.attempt(work.task)
        _make(folder)
        fitting = fitting_of(
            work.launch.settings,
            self._place.secrets,
            volumes=self._volumes,
            attempt=folder,
        )
        foreign = self._foreign(work) if work.embedded is None else None
        embedded = work.embedded or _unembedded(work)
        order = self._order(work, embedded, foreign, fitting)
        body = write_order(str(folder), order)
        log = folder / LOG_FILE
        limit = min(filter(None, (embedded.timeout, fitting.seconds)), default=None)
        guarded = Guarded(log=log, began=time.monotonic(), limit=limit)

        def over(how: Exit) -> None:
            guarded.over = True
            self._guard.leave(task.id)
            with self._lock:
                self._children.pop(task.id, None)
            try:
                ending = self._ending(task, guarded, how)
            except Exception as error:  # noqa: BLE001 - as above
                ending = _fault(work, error)
            ended(work, ending)

        def told(how: Exit) -> None:
            if how.code == 0:
                over(how)
            else:  # why it died takes longer to see, and others wait for this thread
                Thread(target=over, args=(how,), name="died", daemon=True).start()

        child = self._workers.spawn(
            _TARGET,
            {
                "folder": str(folder),
                "order": body if len(body) <= _LONGEST_SENT else None,
                "code": work.code,
            },
            log=log,
            env=self._reaching(work, order.env | fitting.env),
            cwd=folder,
            threads=embedded.threads,
            memory_bytes=work.wanted.memory_bytes or None,
            light=work.light,
            silent=True,
            on_exit=told,
        )
        guarded.child = child
        with self._lock:
            if guarded.over:
                return
            self._children[task.id] = child
            stopped = task.id in self._stopped
        self._guard.watch(task.id, guarded)
        if stopped:
            Thread(target=end_step, args=(child,), daemon=True).start()

    def _reaching(self, work: Work, env: dict[str, str]) -> dict[str, str]:
        """A step's variables, with how it reaches the platform, if it imports anything for that."""
        way = None if work.light else self._place.way()
        return env if way is None else variables_of(way, work.task.id, os.environ | env) | env

    def _ending(self, task: Task, guarded: Guarded, ended: Exit) -> Ending:
        shorten_log(guarded.log)
        folder = guarded.log.parent
        resources = {
            "wall_seconds": time.monotonic() - guarded.began,
            "cpu_seconds": ended.cpu_seconds,
            "max_rss_bytes": float(ended.max_rss_bytes),
        }
        result = read_result(folder)
        if result is not None and result.error is None and not guarded.late:
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
        if guarded.late:
            late = StepTookTooLong(task.name, guarded.limit or 0.0)
            return Ending(state="failed", error=late, resources=resources)
        if result is not None:
            error = error_from_dict(result.error or {})
            return Ending(state="failed", error=error, resources=resources)
        end_strays(folder)
        died = death_of(task.name, ended)
        killed = ended.signal == signal.SIGKILL or (ended.signal is None and ended.code is None)
        return Ending(state="waiting" if killed else "failed", error=died, resources=resources)

    def _filled(self, work: Work, text: str) -> str:
        find = names_of(work.launch.inputs.parameters, work.known)
        return as_text(fill(text, find))

    def _order(
        self, work: Work, embedded: Embedded, foreign: Foreign | None, fitting: Fitting
    ) -> Order:
        outputs = work.component.output_definitions or ComponentOutputs()
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
            environments=self._environments,
            parameters=dict(work.launch.inputs.parameters),
            artifacts={
                name: [_given(item) for item in items] for name, items in work.given.items()
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


def _make(folder: Path) -> None:
    """Make an attempt's folder; mostly the one around it is there, and it is not."""
    try:
        os.mkdir(folder)  # noqa: PTH102 - what Path's does costs as much as the call
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # a power cut undid what was known of the attempt, but not its files
        shutil.rmtree(folder)
        os.mkdir(folder)  # noqa: PTH102 - as above


def _fault(work: Work, error: Exception) -> Ending:
    if not isinstance(error, AthanorError):
        error = EngineFault(f"task {work.task.name!r}", error)
    return Ending(state="failed", error=error)


def _given(artifact: Artifact) -> GivenArtifact:
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
