"""The verbs of batch prediction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import IO, Any, TypeAlias

import msgspec

from athanor.data import Query
from athanor.kernel import DEFAULT_PROJECT, nearby
from athanor.kernel.ids import is_id, new_id
from athanor.kernel.permissions import Access, Principal
from athanor.kernel.storage import Incoming
from athanor.lineage import NewArtifact, NewRun
from athanor.serving.batches.desk import Desk
from athanor.serving.batches.runner import BATCH, BatchGround
from athanor.serving.errors import FlavorNotServed, ModelElsewhere, SignatureMissing
from athanor.serving.errors.batches import (
    BadBatch,
    BatchEnded,
    BatchFileElsewhere,
    BatchFileMissing,
    BatchNotFound,
    InputColumnsMissing,
    InputColumnTaken,
)
from athanor.serving.errors.repeats import IdempotencyKeyReused
from athanor.serving.logic.outputs import made_columns
from athanor.serving.logic.signature import lacking
from athanor.serving.ports import ModelSource, RegisteredVersion
from athanor.serving.service.signatures import signature_of
from athanor.serving.store.batches import BatchStore
from athanor.serving.types import Signature
from athanor.serving.types.batches import Batch, BatchFile, NewBatch

BatchList: TypeAlias = list[Batch]

_LEAST_ROWS, _MOST_ROWS = 1_000, 10_000_000
_MOST_WORKERS = 64
_MOST_LISTED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pinned:
    """What a submission comes down to."""

    version: RegisteredVersion
    artifact: str
    signature: Signature
    source: dict[str, Any]
    consumed: tuple[tuple[str, str], ...]
    """Artifacts that go in: (id, as)."""


class Arriving:
    """A file on its way in; what is not kept leaves nothing behind."""

    def __init__(self, file: str, incoming: Incoming) -> None:
        self._file = file
        self._incoming = incoming

    def write(self, piece: bytes) -> None:
        """Take the next piece. Raises: DiskNearlyFull."""
        self._incoming.write(piece)

    def write_all(self, stream: IO[bytes]) -> None:
        """Take all of a stream. Raises: DiskNearlyFull."""
        self._incoming.write_all(stream)

    def keep(self) -> BatchFile:
        """The file, once all of it has come. Raises: DiskNearlyFull."""
        blob = self._incoming.keep()
        return BatchFile(file=self._file, digest=blob.digest, size=blob.size)


class Batches:
    """Predictions for whole tables, chunk by chunk; each row exactly once."""

    def __init__(
        self,
        store: BatchStore,
        ground: BatchGround,
        *,
        models: ModelSource,
        access: Access,
        desk: Desk,
        at_once: bool = False,
    ) -> None:
        """`at_once`: whether this process works on what it was given, being no server."""
        self._store = store
        self._ground = ground
        self._models = models
        self._access = access
        self._desk = desk
        self._at_once = at_once

    def submit(self, who: Principal, new: NewBatch) -> Batch:
        """Have a model version predict the rows of a dataset, a query or files.

        Model and dataset version are pinned now. The predictions become the next version of the
        dataset `to`, beside the columns to be kept, in the order of the input.

        Raises: BadBatch, InputColumnsMissing, InputColumnTaken, BatchFileMissing, BadDatasetName,
        DatasetNameTaken, IdempotencyKeyReused; ModelElsewhere, FlavorNotServed, SignatureMissing;
        what the registry, the datasets and SQL raise.
        """
        self._access.require(who, "serving.submit", new.to)
        _check(new)
        if done := self._repeated(new):
            return _shown(done)
        self._ground.datasets.intake.check_free(new.project, new.to)
        pinned = self._pinned(who, new)
        batch = self._new(who, new, pinned)
        with self._ground.database.transaction():
            if done := self._repeated(new):  # somebody with the same key came meanwhile
                return _shown(done)
            self._store.add(batch, new.idempotency_key)
            self._record(who, batch, pinned)
            self._queue(who, batch)
        return _shown(batch)

    def get(self, who: Principal, batch_id: str) -> Batch:
        """The batch with this id.

        Raises: BatchNotFound.
        """
        self._access.require(who, "serving.get", batch_id)
        return _shown(self._found(batch_id))

    def list(
        self,
        who: Principal,
        *,
        state: str = "",
        limit: int = 100,
        project: str = DEFAULT_PROJECT,
    ) -> BatchList:
        """A project's batches, newest first; at most 1,000."""
        self._access.require(who, "serving.list", project)
        found = self._store.page(project, state=state, limit=max(1, min(limit, _MOST_LISTED)))
        return [_shown(item) for item in found]

    def cancel(self, who: Principal, batch_id: str) -> Batch:
        """Stop a batch; what it scored so far is removed.

        Raises: BatchNotFound, BatchEnded.
        """
        self._access.require(who, "serving.cancel", batch_id)
        ground = self._ground
        with ground.database.transaction():
            batch = self._found(batch_id)
            changes = {"state": "cancelled", "ended_at": ground.clock.now()}
            if not self._store.change(batch_id, changes, while_in=("queued", "running")):
                raise BatchEnded(batch_id, batch.state, "cancelled")
            ground.lineage.finish_run(who, batch_id, state="stopped")
            ground.events.tell(
                who, "serving.batch.cancelled", batch_id, {"batch": batch_id}, project=batch.project
            )
        ground.news.tell(batch_id)
        return _shown(self._found(batch_id))

    def resume(self, who: Principal, batch_id: str) -> Batch:
        """Go on with a batch that failed or was cancelled: chunks that are done stay done.

        Raises: BatchNotFound, BatchEnded (it is done, or goes on anyway).
        """
        self._access.require(who, "serving.resume", batch_id)
        ground = self._ground
        with ground.database.transaction():
            batch = self._found(batch_id)
            changes = {"state": "queued", "error": None, "ended_at": None}
            if not self._store.change(batch_id, changes, while_in=("failed", "cancelled")):
                raise BatchEnded(batch_id, batch.state, "resumed")
            ground.lineage.reopen_run(who, batch_id)
            self._queue(who, batch)
            ground.events.tell(
                who, "serving.batch.resumed", batch_id, {"batch": batch_id}, project=batch.project
            )
        return _shown(self._found(batch_id))

    @contextmanager
    def add_file(self, who: Principal, file: str) -> Iterator["Arriving"]:
        """Take in a file that batches may name, piece by piece.

        It is kept as long as a batch names it; a day otherwise.
        Raises: BadBatch (its name), DiskNearlyFull.
        """
        self._access.require(who, "serving.add_file", file)
        name = file.replace("\\", "/").rsplit("/", 1)[-1]
        if not name:
            raise BadBatch("The file has no name.", "Name it: PUT /api/v1/batch-files?file=NAME")
        with self._ground.storage.incoming() as incoming:
            yield Arriving(name, incoming)

    def add_near(
        self, who: Principal, file: str, path: str, seal: str, *, near: bool = True
    ) -> BatchFile:
        """Take in a file that lies where its caller and this process both see it.

        `near` is whether it was named on this machine: the files of others have to be sent.
        Raises: BatchFileElsewhere (it has to be sent), BadBatch, DiskNearlyFull.
        """
        self._access.require(who, "serving.add_file", file)
        allowed = near or self._ground.sources_near
        stream = nearby.opened(path, seal) if allowed else None
        if stream is None:
            raise BatchFileElsewhere(file)
        with stream, self.add_file(who, file) as arriving:
            stamp = nearby.stamp_of(stream.fileno())
            arriving.write_all(stream)
            if not nearby.holds(stream, seal):
                raise BadBatch(f"{file} was written to while it was read.", "Send it again.")
            kept = arriving.keep()
            self._ground.near.note(kept.digest, path, stamp)
            return kept

    def _found(self, batch_id: str) -> Batch:
        found = self._store.find(batch_id) if is_id(batch_id) else None
        if found is None:
            raise BatchNotFound(batch_id)
        return found

    def _repeated(self, new: NewBatch) -> Batch | None:
        """The batch that this request made when it came before.

        Raises: IdempotencyKeyReused.
        """
        key = new.idempotency_key
        done = None if key is None else self._store.by_key(new.project, key)
        if key is None or done is None:
            return None
        if differs := _difference(done, new):
            raise IdempotencyKeyReused(key, f"batch {done.id}", differs)
        return done

    def _queue(self, who: Principal, batch: Batch) -> None:
        payload = {"batch": batch.id, "who": asdict(who)}
        key = f"batch:{batch.id}:{batch.attempts}"
        self._desk.jobs.submit(BATCH, payload, key=key, project=batch.project)
        if self._at_once:
            self._ground.database.after_commit(self._desk.start)

    def _pinned(self, who: Principal, new: NewBatch) -> _Pinned:
        version = self._models.version(who, new.model)
        reference = f"{version.model}@{version.number}"
        if version.artifact_id is None:
            raise ModelElsewhere(reference)
        if not self._ground.loading.loadable(reference):
            raise FlavorNotServed(reference, version.flavor)
        self._ground.loading.runs_code(reference)
        columns = () if version.signature.inputs else self._ground.loading.columns(reference)
        signature = signature_of(version, columns)
        if not signature.columns:
            raise SignatureMissing(reference)
        source, consumed = self._input(who, new, signature)
        return _Pinned(
            version=version,
            artifact=version.artifact_id,
            signature=signature,
            source=source,
            consumed=((version.artifact_id, "model"), *consumed),
        )

    def _input(
        self, who: Principal, new: NewBatch, signature: Signature
    ) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
        """What goes in, pinned, its columns checked as far as they are known now."""
        if new.dataset:
            reference = new.dataset.removeprefix("dataset:")
            found = self._ground.datasets.version(who, reference, project=new.project)
            pinned = f"{found.dataset}@{found.number}"
            if found.dataset == new.to:
                raise BadBatch(
                    f"The predictions would become the next version of their own input, "
                    f"{found.dataset!r}.",
                    "Give `to` another name.",
                )
            names = [column.name for column in found.columns]
            _check_columns(signature, names, pinned)
            _check_kept(new, signature, names)
            return {"dataset": pinned}, ((found.artifact_id, "input"),)
        if new.sql:
            looked = self._ground.sql.query(who, Query(sql=new.sql, limit=0), project=new.project)
            _check_columns(signature, looked.columns, "The query")
            _check_kept(new, signature, looked.columns)
            return {"sql": new.sql}, ()
        consumed = []
        for item in new.files:
            if not self._ground.storage.exists(item.digest):
                raise BatchFileMissing(item.file, item.digest)
            consumed.append((self._recorded_file(who, new, item), item.file))
        return {"files": [asdict(item) for item in new.files]}, tuple(consumed)

    def _recorded_file(self, who: Principal, new: NewBatch, item: BatchFile) -> str:
        return self._ground.lineage.record(
            who,
            NewArtifact(
                type="file",
                name=item.file,
                uri=f"blob:{item.digest}",
                digest=item.digest,
                size=item.size,
                project=new.project,
            ),
        ).id

    def _new(self, who: Principal, new: NewBatch, pinned: _Pinned) -> Batch:
        return Batch(
            id=new_id(),
            project=new.project,
            state="queued",
            model=pinned.version.model,
            version=pinned.version.number,
            artifact=pinned.artifact,
            digest=pinned.version.digest,
            source=pinned.source,
            to=new.to,
            settings={
                "keep": None if new.keep is None else [*new.keep],
                "mode": new.mode,
                "chunk_rows": new.chunk_rows,
                "workers": new.workers,
                "max_errors": new.max_errors,
                "signature": msgspec.to_builtins(pinned.signature),
            },
            created_by=who.name,
            created_at=self._ground.clock.now(),
        )

    def _record(self, who: Principal, batch: Batch, pinned: _Pinned) -> None:
        lineage = self._ground.lineage
        run = lineage.start_run(
            who,
            NewRun(
                id=batch.id,
                kind="batch",
                name=f"{batch.model}@{batch.version} to {batch.to}",
                project=batch.project,
                labels={"model": batch.model, "version": str(batch.version), "dataset": batch.to},
            ),
        )
        for artifact, as_ in pinned.consumed:
            lineage.consumed(who, run.id, artifact, as_)
        detail = {
            "batch": batch.id,
            "model": batch.model,
            "version": batch.version,
            "source": pinned.source,
            "to": batch.to,
        }
        self._ground.events.tell(
            who, "serving.batch.submitted", batch.id, detail, project=batch.project
        )


def _shown(batch: Batch) -> Batch:
    """The batch as callers see it: the signature is the model's, and told there."""
    plain = {name: value for name, value in batch.settings.items() if name != "signature"}
    return replace(batch, settings=plain)


def _check(new: NewBatch) -> None:
    given = [name for name in ("dataset", "sql", "files") if getattr(new, name)]
    if len(given) != 1:
        told = "none is" if not given else " and ".join(given) + " are"
        raise BadBatch(f"A batch reads one of dataset, sql and files; {told} given.")
    if not new.to:
        raise BadBatch("The batch names no dataset for its predictions.", "Give `to`.")
    for name, least, most in (
        ("chunk_rows", _LEAST_ROWS, _MOST_ROWS),
        ("workers", 0, _MOST_WORKERS),
        ("max_errors", 0, 1 << 62),
    ):
        if not least <= getattr(new, name) <= most:
            raise BadBatch(f"{name} is {getattr(new, name)}; it can be {least:,} to {most:,}.")


def _difference(done: Batch, new: NewBatch) -> str:
    """In what a request differs from the one that made a batch; "" where it is the same.

    References that move, such as `churn@champion`, are compared by their names.
    """
    asked = {
        "model": new.model.partition("@")[0],
        "to": new.to,
        "input": _named(new.dataset) or new.sql or [item.digest for item in new.files],
        "keep": None if new.keep is None else [*new.keep],
        **{name: getattr(new, name) for name in ("mode", "chunk_rows", "workers", "max_errors")},
    }
    source = done.source
    files = [item["digest"] for item in source.get("files", ())]
    first = {
        "model": done.model,
        "to": done.to,
        "input": _named(source.get("dataset", "")) or source.get("sql") or files,
        **done.settings,
    }
    return next((name for name, value in asked.items() if first.get(name) != value), "")


def _named(reference: str) -> str:
    return reference.removeprefix("dataset:").partition("@")[0]


def _check_kept(new: NewBatch, signature: Signature, came: Sequence[str]) -> None:
    """Return if the columns that are to be kept are there, and beside those that are made.

    Raises: BadBatch, InputColumnTaken.
    """
    made = made_columns(signature.classes, reasons=bool(new.max_errors))
    for name in came if new.keep is None else new.keep:
        if name not in came:
            known = ", ".join(map(repr, came[:20]))
            raise BadBatch(
                f"The input has no column {name!r} that could be kept.", f"It has {known}."
            )
        if name in made:
            raise InputColumnTaken(name)


def _check_columns(signature: Signature, came: Sequence[str], where: str) -> None:
    if missing := lacking(signature, came):
        raise InputColumnsMissing(missing, came, where)
