"""A batch from its plan to its dataset version: begun, gone on with, and ended exactly once.

Everything that a kill may leave is found again by its name: the plan and the chunks in the batch's
folder, the version by the file that it was read from.
"""

import logging
import os
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from athanor.data import Datasets, DatasetVersion, NewVersion, Sql
from athanor.kernel.clock import Clock
from athanor.kernel.database import Database
from athanor.kernel.errors import AthanorError, NotFound, error_to_dict
from athanor.kernel.events import Events
from athanor.kernel.jobs import Job
from athanor.kernel.permissions import Principal
from athanor.kernel.storage import Storage
from athanor.kernel.workers import Child, WorkerDied, Workers
from athanor.lineage import Lineage
from athanor.pipelines import RunNews
from athanor.serving.batches.desk import Desk
from athanor.serving.batches.near import NearFiles
from athanor.serving.errors.batches import BatchWorkersDied, CsvNotPlain, TooManyRowErrors
from athanor.serving.logic.outputs import made_columns
from athanor.serving.model_folders import ModelFolders
from athanor.serving.ports import Loading
from athanor.serving.store.batches import BatchStore
from athanor.serving.types import Signature
from athanor.serving.types.batches import Batch

_log = logging.getLogger(__name__)

BATCH = "serving.batch"
"""The kind of job."""
_WORK = "athanor.serving.batches.work"
_LOOK_SECONDS = 0.2
_TELL_SECONDS = 1.0
_TRIES = 3
"""How often processes may die without finishing a chunk, and faults of ours may happen."""
_CLIENT_FAULT = 500
_PLAN_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchGround:
    """What batches are worked through with."""

    database: Database
    storage: Storage
    workers: Workers
    events: Events
    clock: Clock
    lineage: Lineage
    datasets: Datasets
    sql: Sql
    loading: Loading
    workspace: Path
    sources_near: bool
    """Whether callers from elsewhere may name this machine's files, too."""
    near: NearFiles = field(default_factory=NearFiles)
    news: RunNews = field(default_factory=RunNews)
    """Who waits for the end of a batch hears of it here."""


class BatchRunner:
    """Does the jobs of kind `serving.batch`."""

    def __init__(self, store: BatchStore, ground: BatchGround, desk: Desk) -> None:
        self._store = store
        self._ground = ground
        self._desk = desk
        self._folders = ModelFolders(ground.storage, ground.workspace)
        desk.lane(BATCH, self.run, threads=2, max_attempts=_TRIES)

    def run(self, job: Job) -> None:
        """Work through a batch, from where it is.

        Raises: DeskClosed; what goes wrong on our side, after which it is tried again.
        """
        batch = self._store.find(str(job.payload["batch"]))
        if batch is None or batch.ended:
            return
        who = msgspec.convert(job.payload["who"], Principal)
        started = {
            "state": "running",
            "attempts": batch.attempts + 1,
            "started_at": batch.started_at or self._ground.clock.now(),
            "error": None,
        }
        self._store.change(batch.id, started, while_in=("queued", "running"))
        try:
            self._work(who, batch)
        except Cancelled:
            shutil.rmtree(self.folder(batch.id), ignore_errors=True)
        except AthanorError as error:
            if error.status >= _CLIENT_FAULT and job.attempts < job.max_attempts:
                raise
            self._failed(who, batch, error)
        except Exception as error:  # noqa: BLE001 - a batch's failure is kept with the batch
            _log.exception("batch %s failed", batch.id)
            told = AthanorError(
                f"The batch failed: {type(error).__name__}: {error}",
                hint="The server's log has the whole trace.",
            )
            self._failed(who, batch, told)

    def folder(self, batch_id: str) -> Path:
        """Where a batch's plan and chunks are."""
        return self._ground.workspace / "work" / "batches" / batch_id

    def _work(self, who: Principal, batch: Batch) -> None:
        folder = self.folder(batch.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = self._made_already(who, batch)
        if done is None:
            model = self._model(who, batch)
            try:
                figures = self._figures(who, batch, model)
            except CsvNotPlain:
                _begin_anew(folder)
                figures = self._figures(who, replace(batch, chunks=0), model)
            self._store.change(batch.id, {"figures": figures})
            pieces = self._staging(batch.id)
            try:
                done = self._added(who, batch, pieces)
            finally:
                shutil.rmtree(pieces, ignore_errors=True)
        self._finished(who, batch, done)
        shutil.rmtree(folder, ignore_errors=True)

    def _figures(self, who: Principal, batch: Batch, model: dict[str, Any]) -> dict[str, float]:
        """Plan and score. Raises: CsvNotPlain, what else goes wrong."""
        folder = self.folder(batch.id)
        planned = self._planned(who, batch, folder, model)
        self._store.change(batch.id, planned)
        return self._scored(batch, folder, model, planned["chunks"])

    def _added(self, who: Principal, batch: Batch, pieces: Path) -> DatasetVersion:
        """The version that the chunks become."""
        folder = str(self.folder(batch.id))
        made = self._call("gather:gather", {"folder": folder, "into": str(pieces)})
        self._allowed(batch, int(made["errors"]))
        self._store.change(batch.id, {"errors": made["errors"], "rows_done": made["rows"]})
        self._alive(batch.id)
        new = NewVersion(
            path=pieces,
            file_name=_file_name(batch),
            mode=batch.settings["mode"],
            keep=False,
            look=self._is_checked(who, batch),
        )
        return self._ground.datasets.add(who, batch.to, new, project=batch.project)

    def _is_checked(self, who: Principal, batch: Batch) -> bool:
        """Whether the result must fulfil anything; else it is profiled when somebody asks."""
        try:
            return bool(self._ground.datasets.expectations(who, batch.to, project=batch.project))
        except NotFound:
            return False

    def _staging(self, batch_id: str) -> Path:
        """Where files lie that the datasets may take over."""
        root = self._ground.storage.root
        return (self.folder(batch_id) if root is None else root / "staging") / f"batch-{batch_id}"

    def _made_already(self, who: Principal, batch: Batch) -> DatasetVersion | None:
        """The version that an attempt before this one made, if it came so far."""
        try:
            versions = self._ground.datasets.versions(who, batch.to, project=batch.project)
        except NotFound:
            return None
        return next((item for item in versions if item.source.file == _file_name(batch)), None)

    def _model(self, who: Principal, batch: Batch) -> dict[str, Any]:
        artifact = self._ground.lineage.artifact(who, batch.artifact)
        return {
            "folder": str(self._folders.of(artifact)),
            "signature": batch.settings["signature"],
            "pickles": self._ground.loading.runs_code(f"{batch.model}@{batch.version}"),
        }

    def _planned(
        self, who: Principal, batch: Batch, folder: Path, model: dict[str, Any]
    ) -> dict[str, Any]:
        """The rows and chunks of the plan, which is made where there is none yet."""
        if batch.chunks and (folder / "plan.json").exists():
            return {"rows": batch.rows, "chunks": batch.chunks}
        self._ground.storage.check_space()
        signature = msgspec.convert(model["signature"], Signature)
        made = made_columns(signature.classes, reasons=bool(batch.settings["max_errors"]))
        found: dict[str, Any] = self._call(
            "plan:make",
            {
                "folder": str(folder),
                "source": self._source(who, batch, folder),
                "signature": model["signature"],
                "made": made,
                "settings": {
                    "keep": batch.settings["keep"],
                    "chunk_rows": batch.settings["chunk_rows"],
                },
            },
        )
        return found

    def _source(self, who: Principal, batch: Batch, folder: Path) -> dict[str, Any]:
        """Where the input's rows lie."""
        source, ground = batch.source, self._ground
        if "dataset" in source:
            version = ground.datasets.version(who, source["dataset"], project=batch.project)
            uri = version.table_uri.rstrip("/")
            return {"parquet": [f"{uri}/{file}" for file in version.files]}
        if "sql" in source:
            path = folder / "query.parquet"
            if not path.exists():
                passing = folder / "query.part"
                read = ground.sql.copy(who, source["sql"], passing, project=batch.project)
                self._consumed(who, batch, read)
                passing.replace(path)
            return {"parquet": [str(path)]}
        files = []
        for number, item in enumerate(source["files"]):
            path = folder / f"sent-{number:04d}"
            local = ground.storage.path_of(item["digest"])
            if local is None:
                ground.storage.fetch_file(item["digest"], path)
            near = ground.near.find(item["digest"])
            files.append({"file": item["file"], "path": str(local or path), "near": near})
        return {"files": files}

    def _consumed(self, who: Principal, batch: Batch, relations: list[str]) -> None:
        """Note the dataset versions that a query read."""
        lineage = self._ground.lineage
        for name in relations:
            try:
                version = self._ground.datasets.version(who, name, project=batch.project)
            except AthanorError:
                continue  # a table of the platform's own
            lineage.consumed(who, batch.id, version.artifact_id, name)

    def _scored(
        self, batch: Batch, folder: Path, model: dict[str, Any], chunks: int
    ) -> dict[str, float]:
        """Score every chunk that is not scored yet, in processes; what it took."""
        progress = _Progress(batch.id, folder, self._store)
        wanted = int(batch.settings["workers"]) or os.cpu_count() or 1
        began, fruitless, cpu = time.monotonic(), 0, 0.0
        before = progress.look()
        while progress.chunks < chunks:
            children = [
                self._spawn(folder, model, batch)
                for _ in range(min(wanted, chunks - progress.chunks))
            ]
            deaths = self._watch(batch, children, progress)
            cpu += sum(how.cpu_seconds for child in children if (how := child.wait(5.0)))
            fruitless = fruitless + 1 if progress.look() == before and deaths else 0
            before = progress.chunks
            if fruitless >= _TRIES:
                raise BatchWorkersDied("; ".join(sorted(set(deaths))))
        seconds = max(time.monotonic() - began, 1e-9)
        return {
            "seconds": round(seconds, 3),
            "cpu_seconds": round(cpu, 3),
            "rows_per_second": round(progress.scored / seconds, 1),
            "workers": float(min(wanted, chunks)),
        }

    def _spawn(self, folder: Path, model: dict[str, Any], batch: Batch) -> Child:
        return self._ground.workers.spawn(
            f"{_WORK}.score:work",
            {
                "folder": str(folder),
                "model": model,
                "settings": {"max_errors": batch.settings["max_errors"]},
            },
            log=folder / "log.txt",
        )

    def _watch(self, batch: Batch, children: list[Child], progress: "_Progress") -> list[str]:
        """Wait for the processes; how those died that did.

        Raises: Cancelled, DeskClosed, and what a process raised.
        """
        deaths: list[str] = []
        running = list(children)
        try:
            while running:
                self._alive(batch.id)
                progress.tell()
                for child in list(running):
                    if child.wait(_LOOK_SECONDS / len(running)) is None:
                        continue
                    running.remove(child)
                    try:
                        child.result(5.0)
                    except WorkerDied as error:
                        deaths.append(error.message)
        finally:
            for child in running:
                child.kill(0.0)
        progress.tell(at_once=True)
        return deaths

    def _alive(self, batch_id: str) -> None:
        """Return if the batch is to go on. Raises: Cancelled, DeskClosed."""
        self._desk.check()
        found = self._store.find(batch_id)
        if found is None or found.state == "cancelled":
            raise Cancelled

    def _allowed(self, batch: Batch, errors: int) -> None:
        allowed = int(batch.settings["max_errors"])
        if errors > allowed:
            raise TooManyRowErrors(0, f"{errors} rows were refused in all", allowed)

    def _finished(self, who: Principal, batch: Batch, made: DatasetVersion) -> None:
        ground = self._ground
        with ground.database.transaction():
            now = ground.clock.now()
            changes = {
                "state": "done",
                "dataset_version": made.number,
                "output": made.artifact_id,
                "rows_done": batch.rows if batch.rows is not None else made.rows,
                "ended_at": now,
            }
            latest = self._store.find(batch.id) or batch
            if latest.rows is not None:
                changes |= {"rows_done": latest.rows, "chunks_done": latest.chunks}
            if not self._store.change(batch.id, changes, while_in=("queued", "running")):
                return
            ground.lineage.produced(who, batch.id, made.artifact_id, "predictions")
            resources = {"cpu_seconds": float(latest.figures.get("cpu_seconds", 0.0))}
            ground.lineage.finish_run(who, batch.id, resources=resources)
            detail = {
                "batch": batch.id,
                "model": batch.model,
                "version": batch.version,
                "dataset": batch.to,
                "dataset_version": made.number,
                "rows": changes["rows_done"],
                "errors": latest.errors,
            }
            ground.events.tell(
                who, "serving.batch.finished", batch.id, detail, project=batch.project
            )
        ground.news.tell(batch.id)

    def _failed(self, who: Principal, batch: Batch, error: AthanorError) -> None:
        ground = self._ground
        with ground.database.transaction():
            changes = {
                "state": "failed",
                "error": error_to_dict(error),
                "ended_at": ground.clock.now(),
            }
            if not self._store.change(batch.id, changes, while_in=("queued", "running")):
                return
            ground.lineage.finish_run(who, batch.id, state="failed")
            detail = {"batch": batch.id, "model": batch.model, "reason": error.message}
            ground.events.tell(who, "serving.batch.failed", batch.id, detail, project=batch.project)
        ground.news.tell(batch.id)

    def _call(self, function: str, payload: dict[str, Any]) -> Any:
        return self._ground.workers.call(f"{_WORK}.{function}", payload, timeout=_PLAN_SECONDS)


class Cancelled(Exception):
    """The batch was cancelled."""


class _Progress:
    """How many chunks are there, as the files say; told to the database now and then."""

    def __init__(self, batch_id: str, folder: Path, store: BatchStore) -> None:
        self._batch = batch_id
        self._folder = folder
        self._store = store
        self._told_at = 0.0
        self._told = -1
        self._sizes = [int(item["rows"]) for item in _chunks_of(folder)]
        self.chunks = 0
        self.scored = 0
        """Rows that were scored since this began to look."""
        self._first: int | None = None

    def look(self) -> int:
        """How many chunks are done."""
        places = [int(path.stem.partition("-")[2]) for path in self._folder.glob("chunk-*.parquet")]
        self.chunks = len(places)
        rows = sum(self._sizes[place] for place in places)
        if self._first is None:
            self._first = rows
        self.scored = rows - self._first
        return self.chunks

    def tell(self, *, at_once: bool = False) -> None:
        """Write it down, at most once a second."""
        now = time.monotonic()
        if not at_once and now - self._told_at < _TELL_SECONDS:
            return
        self._told_at = now
        if self.look() != self._told:
            self._told = self.chunks
            rows = self.scored + (self._first or 0)
            self._store.change(self._batch, {"chunks_done": self.chunks, "rows_done": rows})


def _begin_anew(folder: Path) -> None:
    """Forget the plan and its chunks; the next plan reads CSV files as any others."""
    (folder / "not-plain").touch()
    (folder / "plan.json").unlink(missing_ok=True)
    for path in folder.glob("chunk-*"):
        path.unlink()


def _chunks_of(folder: Path) -> list[dict[str, Any]]:
    plan: dict[str, Any] = msgspec.json.decode((folder / "plan.json").read_bytes())
    return list(plan["chunks"])


def _file_name(batch: Batch) -> str:
    """The name by which the version that a batch made is found again."""
    return f"batch-{batch.id}.parquet"
