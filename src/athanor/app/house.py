"""The house: every service of a workspace, joined once.

Rooms do not know each other's insides; here, and only here, they are given what they need.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata as distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from athanor.app.background import Background
from athanor.app.gallery import PRELOAD as GALLERY_PRELOAD
from athanor.app.keeping.unused import take_back_all
from athanor.app.live import Live
from athanor.app.network_folder import refuse_network_folder
from athanor.kernel import (
    Access,
    Clock,
    Database,
    Events,
    Jobs,
    Principal,
    Relation,
    Storage,
    SystemClock,
)
from athanor.kernel.events import SqlEventStore
from athanor.kernel.holder import Holder
from athanor.kernel.jobs import SqlJobStore
from athanor.kernel.permissions import OwnerAccess
from athanor.kernel.reaching import Way
from athanor.kernel.schema import migrate
from athanor.kernel.settings import Settings
from athanor.kernel.workers import Workers
from athanor.kernel.zygote import HEAVY_MODULES, choose_workers
from athanor.pipelines.engines.local import PRELOAD
from athanor.serving.supervisor.crew import PRELOAD as SERVING_PRELOAD
from athanor.tracking import MlflowRoutes

if TYPE_CHECKING:
    from fastapi import FastAPI

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class House:
    """All services of one workspace."""

    settings: Settings
    version: str
    database: Database
    storage: Storage
    events: Events
    jobs: Jobs
    workers: Workers
    access: Access
    clock: Clock
    live: Live
    serving: bool
    """Whether endpoints are served: in a server, not in a command without one."""
    services: dict[type, Any] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    starters: list[Callable[[], None]] = field(default_factory=list)
    """What begins with the house, in order."""
    closers: list[Callable[[], None]] = field(default_factory=list)
    """What ends with it, in reverse order."""
    holders: list[Holder] = field(default_factory=list)
    """Who may hold rows of a person."""
    counters: dict[str, Callable[[Principal], int]] = field(default_factory=dict)
    serving_url: Callable[[], str] = str
    way: Callable[[], Way | None] = lambda: None
    """Where its API answers, which is known once it is about to."""
    demanded_token: str = ""
    """What the data plane's callers must send; "" if nothing is demanded."""
    mlflow: MlflowRoutes = field(default_factory=MlflowRoutes)
    """The routes of MLflow's protocol; rooms add theirs."""
    background: Background = field(init=False)

    def __post_init__(self) -> None:
        self.background = Background(self.database, self.events, self.jobs)

    @classmethod
    def open(cls, settings: Settings, *, serving: bool, token: str = "") -> "House":
        """Open a workspace: its database is migrated, its services are joined. Starts nothing.

        The caller holds the workspace's lock.
        Raises: SchemaTooNew, DatabaseUnavailable, NetworkFolder.
        """
        workspace = settings.workspace
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = settings.database_url
        if not url:
            refuse_network_folder(workspace)
            url = f"sqlite:///{workspace / 'athanor.db'}"
        database = Database.open(url)
        from athanor.app.wiring import join_rooms  # noqa: PLC0415 - it needs this class's type

        clock = SystemClock()
        migrate(database)
        events = Events(SqlEventStore(database), database, clock)
        house = cls(
            settings=settings,
            version=distributions.version("athanor-ml"),
            database=database,
            storage=Storage(
                settings.storage_url or str(workspace / "storage"),
                reserve_bytes=settings.reserve_mb * 1_000_000,
            ),
            events=events,
            jobs=Jobs(SqlJobStore(database), clock),
            workers=choose_workers(
                (*HEAVY_MODULES, *PRELOAD, *GALLERY_PRELOAD, *SERVING_PRELOAD), ahead=serving
            ),
            access=OwnerAccess(),
            clock=clock,
            live=Live(events),
            serving=serving,
            demanded_token=token,
        )
        join_rooms(house)
        return house

    def folder(self, name: str) -> Path:
        """A folder of the workspace, made if it is not there."""
        path = self.settings.workspace / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def start(self) -> None:
        """Begin: recover what a killed process held, then events, jobs, engines, endpoints."""
        take_back_all(self.storage.url)
        if self.database.dialect == "sqlite":
            recovered = self.jobs.recover()
            if recovered:
                _log.info("took back %d jobs of a process that had ended", recovered)
        self.events.settle()
        if self.serving:
            self.workers.start()
        for start in self.starters:
            start()
        self.background.start()
        self.live.start()

    def close(self) -> None:
        """End everything that was begun, in reverse order."""
        self.live.close()
        self.background.close()
        for close in reversed(self.closers):
            try:
                close()
            except Exception:  # noqa: BLE001 - the others close all the same
                _log.exception("a part of the house did not close cleanly")
        self.workers.close()
        self.database.close()

    def reached(self) -> Way | None:
        """How the processes that it starts reach its API, if they can."""
        return self.way()

    def mount_studio(self, app: "FastAPI") -> None:
        """Serve the studio's files where this house serves."""
        if self.serving:
            from athanor.app.studio_files import mount_studio  # noqa: PLC0415 - as above

            mount_studio(app)

    def counts(self, who: Principal) -> dict[str, int]:
        """How many things of each kind there are."""
        return {name: count(who) for name, count in self.counters.items()}
