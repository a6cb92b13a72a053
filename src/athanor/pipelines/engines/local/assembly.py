"""The engine of one machine, put together."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from athanor.kernel import Clock, Database, Events, Storage
from athanor.kernel.reaching import Way
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage, Operation
from athanor.pipelines.engines.local.admission import Room, machine
from athanor.pipelines.engines.local.attempts import Attempts, Place
from athanor.pipelines.engines.local.engine import LocalEngine
from athanor.pipelines.engines.local.recording import Measure, Recorder
from athanor.pipelines.materializers import DEFAULT
from athanor.pipelines.news import RunNews
from athanor.pipelines.secrets import FolderSecrets, SecretStore
from athanor.pipelines.store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the engine of one machine needs."""

    store: RunStore
    database: Database
    storage: Storage
    lineage: Lineage
    events: Events
    clock: Clock
    workers: Workers
    folder: Path
    """Attempts have their folders here."""
    secrets: SecretStore | None = None
    """What steps are given of secrets; a folder beside the attempts' unless said."""
    materializers: tuple[str, ...] = ()
    """Import strings of more materializers, asked after the built-in ones."""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    """Platform steps by name. May be filled until the engine starts."""
    news: RunNews = field(default_factory=RunNews)
    """Who is told when a run has ended."""
    way: Callable[[], Way | None] = lambda: None
    """How steps reach the platform, to log to it."""
    measure: Measure | None = None
    """Keeps the figures of a task's metrics artifacts."""
    slots: int = 0
    """Tasks at once; 0 is as many as there are cores."""


def local_engine(given: Surroundings) -> LocalEngine:
    """The engine of this machine."""
    recorder = Recorder(
        given.store,
        given.database,
        given.storage,
        lineage=given.lineage,
        events=given.events,
        clock=given.clock,
        news=given.news,
    )
    recorder.measure = given.measure
    attempts = Attempts(
        given.workers,
        recorder,
        database=given.database,
        storage=given.storage,
        place=Place(
            folder=given.folder,
            secrets=given.secrets or FolderSecrets(given.folder / "secrets"),
            materializers=(*DEFAULT, *given.materializers),
            operations=given.operations,
            way=given.way,
        ),
    )
    slots = given.slots or os.cpu_count() or 1
    return LocalEngine(given.store, recorder, attempts, room=Room(machine(), slots))
