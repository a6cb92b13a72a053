"""Keeps what runs equal to what the database says: planes, workers, routes, canaries, segments."""

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from athanor.kernel.clock import Clock
from athanor.kernel.errors import AthanorError
from athanor.kernel.permissions import SYSTEM
from athanor.kernel.storage import Storage
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage
from athanor.serving.errors import ModelUnloadable, PlaneUnreachable
from athanor.serving.log import ServingLog
from athanor.serving.logic.routing import Table
from athanor.serving.model_folders import ModelFolders
from athanor.serving.ports import Loading, OnlySafe
from athanor.serving.service import Traffic
from athanor.serving.store import EndpointStore
from athanor.serving.supervisor.compiling import Runtimes
from athanor.serving.supervisor.crew import NATIVE, Crew, Post
from athanor.serving.supervisor.headcount import Headcount
from athanor.serving.supervisor.judging import Judge
from athanor.serving.supervisor.planes import DOORBELL, Planes, PlaneSettings
from athanor.serving.supervisor.tables import Manning, routes_of, status_of, unmanned
from athanor.serving.supervisor.waking import Doorbell
from athanor.serving.types import RUNNING, Deployment, Endpoint
from athanor.serving.types.rollouts import CanaryStatus, DeploymentStatus

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
_COMPACT_SECONDS = 30.0
_PREFIX = "athanor-serving-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSettings:
    """How serving is run."""

    workspace: Path
    """Logs go to `logs/serving`, models to `cache/models`."""
    plane: PlaneSettings = field(default_factory=PlaneSettings)
    runtime: str = NATIVE
    """The target that model workers run: `module:function`, given `folder` and `path`."""
    compiling: bool = True
    """Whether models are compiled for the planes, where that is proved equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the supervisor works with."""

    store: EndpointStore
    traffic: Traffic
    log: ServingLog
    lineage: Lineage
    storage: Storage
    workers: Workers
    clock: Clock
    loading: Loading = field(default_factory=OnlySafe)


class Supervisor:
    """Runs serving for one server. It is the `Fleet` of `Endpoints`, too."""

    def __init__(self, settings: SupervisorSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._folders = ModelFolders(around.storage, settings.workspace)
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._compacting: threading.Thread | None = None
        self._compact_at = 0.0
        self._published: Table | None = None
        self._revision = int(time.time() * 1000)
        self._run = Path()
        self._planes: Planes | None = None
        self._crew: Crew | None = None
        self._judge: Judge | None = None
        self._headcount = Headcount()
        self._doorbell: Doorbell | None = None
        self._runtimes: Runtimes | None = None

    def start(self) -> None:
        """Take the port, start the planes, and bring back every endpoint that there is.

        Raises: PortTaken.
        """
        _sweep_runs()
        self._run = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        logs = self._settings.workspace / "logs" / "serving"
        logs.mkdir(parents=True, exist_ok=True)
        self._planes = Planes(
            self._settings.plane,
            self._run,
            self._around.log.predictions_folder,
            logs / "plane.log",
        )
        self._crew = Crew(self._around.workers, self._run, logs, self._wake.set)
        if self._settings.compiling and self._settings.runtime == NATIVE:
            cache = self._settings.workspace / "cache" / "runtimes"
            self._runtimes = Runtimes(self._around.workers, cache, logs, self._wake.set)
        self._judge = Judge(
            self._around.traffic,
            self._around.log,
            self._around.clock,
            counts=self._counts,
            socket_of=self._socket_of,
            moving=self._moved_at_once,
        )
        self._doorbell = Doorbell(self._run / DOORBELL, self.wake)
        self._doorbell.start()
        try:
            self._planes.start()
        except AthanorError:
            self._doorbell.stop()
            shutil.rmtree(self._run, ignore_errors=True)
            raise
        self._compact_at = time.monotonic() + _COMPACT_SECONDS
        self._thread = threading.Thread(target=self._loop, name="serving", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer what was begun and end every process."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._doorbell is not None:
            self._doorbell.stop()
        if self._planes is not None:
            self._planes.stop()
        if self._runtimes is not None:
            self._runtimes.stop()
        if self._crew is not None:
            self._crew.stop()
        if self._compacting is not None:
            self._compacting.join()
        if self._judge is not None:
            self._judge.close()
        self._around.log.close()
        shutil.rmtree(self._run, ignore_errors=True)

    def url(self) -> str:
        """Where the planes listen, or "" before they are started."""
        return self._planes.url if self._planes is not None else ""

    def changed(self) -> None:
        """Bring the database's word to the planes now."""
        if self._thread is not None and not self._stopping:
            with contextlib.suppress(AthanorError):
                self._reconcile()
        self._wake.set()

    def wake(self, deployment: str) -> None:
        """Have a worker for a deployment that sleeps; without effect on one that does not."""
        if self._headcount.crowded:  # who leaves is decided by the latest requests
            self._headcount.observe(self._counts())
        if self._headcount.wake(deployment):
            with contextlib.suppress(AthanorError):
                self._reconcile()

    def status(self, deployments: Sequence[Deployment]) -> list[DeploymentStatus]:
        """What runs of these deployments at this moment."""
        crew = self._crew
        if crew is None:
            return [unmanned(item) for item in deployments]
        stats = self._counts()
        return [
            status_of(item, crew, self._headcount, stats.get(item.id, ())) for item in deployments
        ]

    def canary(self, deployment: str) -> CanaryStatus | None:
        """How a canary under way does, by its id; None before it was looked at."""
        return None if self._judge is None else self._judge.status(deployment)

    def compact(self) -> int:
        """Have the planes seal their segments, and move them; how many rows were moved."""
        if self._planes is not None:
            self._planes.ask({"do": "seal"})
        return self._around.log.compact()

    @property
    def pids(self) -> dict[str, list[int]]:
        """Process ids: of `plane`, and of each running deployment's workers."""
        found: dict[str, list[int]] = {"plane": self._planes.pids if self._planes else []}
        if self._crew is not None:
            for endpoint in self._around.store.all():
                for item in endpoint.deployments:
                    if pids := self._crew.pids(item.id):
                        found[item.id] = pids
        return found

    def _loop(self) -> None:
        while not self._stopping:
            try:
                self._tick()
            except Exception:
                logger.exception("A look at serving failed; the next one follows")
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()

    def _tick(self) -> None:
        planes, crew, judge = self._planes, self._crew, self._judge
        if planes is None or crew is None or judge is None:
            return
        planes.tend()
        crew.tend()
        endpoints = self._reconcile()
        if self._headcount.watches and self._headcount.observe(self._counts()):
            self._reconcile()
        if judge.tend(endpoints):
            self._reconcile()
        self._compact_now_and_then()

    def _reconcile(self) -> list[Endpoint]:
        """Workers for what should run, states for what came up, routes for what is ready."""
        with self._lock:
            crew = self._crew
            if crew is None:
                return []
            endpoints = self._around.store.all()
            self._compile(endpoints)
            crew.staff(self._posts(endpoints))
            if self._came_up(crew, endpoints):
                endpoints = self._around.store.all()
                crew.staff(self._posts(endpoints))
            self._publish(crew, endpoints)
            return endpoints

    def _posts(self, endpoints: list[Endpoint]) -> dict[str, Post]:
        """What is needed of workers; nothing of deployments that sleep."""
        wanted = self._headcount.wanted(endpoints)
        return {
            item.id: self._post(item, wanted[item.id])
            for endpoint in endpoints
            for item in endpoint.deployments
            if wanted.get(item.id) and self._needs_workers(endpoint, item)
        }

    def _needs_workers(self, endpoint: Endpoint, deployment: Deployment) -> bool:
        """Compiled models answer in the planes; workers replay rows while a canary is judged."""
        return not self._runtime_of(deployment.id) or any(
            item.canary is not None and item.state in {"starting", "canary"}
            for item in endpoint.deployments
        )

    def _runtime_of(self, deployment: str) -> dict[str, str]:
        return {} if self._runtimes is None else self._runtimes.of(deployment)

    def _compile(self, endpoints: list[Endpoint]) -> None:
        """Have compiled what is not yet, and keep with the deployments what became of it."""
        runtimes = self._runtimes
        if runtimes is None:
            return
        running = [
            item
            for endpoint in endpoints
            for item in endpoint.deployments
            if item.state in RUNNING and item.rollout.graph is None
        ]
        runtimes.want({item.id: self._post(item, 1) for item in running})
        for item in running:
            report = runtimes.report(item.id)
            if report is not None and report != item.runtime:
                self._around.store.change_deployment(item.id, {"runtime": report})

    def _came_up(self, crew: Crew, endpoints: list[Endpoint]) -> bool:
        """Move on the deployments whose workers answer, or can't; whether there were any."""
        moved = False
        for endpoint in endpoints:
            for item in endpoint.deployments:
                if item.state not in RUNNING:
                    continue
                failure = crew.failure(item.id)
                if failure is not None:
                    told = ModelUnloadable(f"{item.model}@{item.version}", failure.message)
                    with self._moved_at_once():
                        self._around.traffic.failed(SYSTEM, item, told.message)
                    moved = True
                elif item.state == "starting" and (
                    crew.ready(item.id) or self._runtime_of(item.id)
                ):
                    with self._moved_at_once():
                        self._around.traffic.ready(SYSTEM, item)
                    moved = True
        return moved

    @contextmanager
    def _moved_at_once(self) -> Iterator[None]:
        """Moves of traffic that the planes follow before the database shows them.

        Who reads that a deployment is live can count on its answers.
        """
        with self._lock, self._around.traffic.transaction():
            yield
            if self._crew is not None:
                self._publish(self._crew, self._around.store.all(), patient=False)

    def _publish(self, crew: Crew, endpoints: list[Endpoint], *, patient: bool = True) -> None:
        manning = Manning(crew, self._headcount, self._runtime_of)
        wanted = routes_of(endpoints, manning)
        if self._planes is None:
            return
        if self._published is not None and self._published.routes == wanted:
            return
        self._revision += 1
        table = Table(revision=self._revision, routes=wanted)
        try:
            self._planes.publish(table, patient=patient)
        except PlaneUnreachable:
            logger.warning("A plane did not take the routes; it reads them when it is back")
            return
        self._published = table
        for name in self._headcount.waking():
            inside = bool(self._runtime_of(name))
            if (inside or crew.sockets(name)) and self._headcount.answers(name, inside=inside):
                self._wake.set()  # its figures are part of the table

    def _post(self, deployment: Deployment, replicas: int) -> Post:
        return Post(
            deployment=deployment.id,
            folder=lambda: self._folder_of(deployment),
            replicas=replicas,
            target=self._settings.runtime,
            runs_code=lambda: self._around.loading.runs_code(
                f"{deployment.model}@{deployment.version}"
            ),
        )

    def _folder_of(self, deployment: Deployment) -> Path:
        """The model's folder on this machine, fetched whole or not at all."""
        return self._folders.of(self._around.lineage.artifact(SYSTEM, deployment.artifact))

    def _counts(self) -> dict[str, list[Any]]:
        """Each deployment's figures, one entry a plane."""
        found: dict[str, list[Any]] = {}
        if self._planes is not None:
            for answer in self._planes.ask({"do": "stats"}):
                for deployment, series in answer["deployments"].items():
                    found.setdefault(deployment, []).append(series)
        return found

    def _socket_of(self, deployment: str) -> str:
        if self._crew is None or not self._crew.ready(deployment):
            return ""
        return self._crew.sockets(deployment)[0]

    def _compact_now_and_then(self) -> None:
        busy = self._compacting is not None and self._compacting.is_alive()
        if busy or time.monotonic() < self._compact_at:
            return
        self._compact_at = time.monotonic() + _COMPACT_SECONDS
        self._compacting = threading.Thread(target=self._compact, name="compaction", daemon=True)
        self._compacting.start()

    def _compact(self) -> None:
        try:
            self._around.log.compact()
        except AthanorError:
            logger.exception("Segments could not be moved into their table; they are tried again")


def _sweep_runs() -> None:
    """Remove what servers that were killed left in the temporary folder."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdigit() and path.stat().st_uid == os.getuid() and not _alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
