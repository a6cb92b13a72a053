"""A platform's own runs, to leave for another store."""

import io
from collections.abc import Iterator
from typing import IO

from athanor.app.moving.source import Files, Found, Owner
from athanor.client import Client
from athanor.registry.records import ModelRecord, VersionRecord
from athanor.tracking.records import (
    ExperimentRecord,
    LoggedModelRecord,
    PointsRecord,
    RunRecord,
)


class OwnStore:
    """Reads a platform over its transport."""

    def __init__(self, client: Client, name: str, *, project: str = "default") -> None:
        self._client = client
        self._name = name
        self._project = project
        self._points: dict[str, list[PointsRecord]] = {}

    @property
    def name(self) -> str:
        """What it is and where."""
        return self._name

    def experiments(self) -> list[ExperimentRecord]:
        """All experiments of the project, deleted ones too."""
        return self._client.transfers.give_experiments(self._project)

    def runs(self, experiment: ExperimentRecord) -> Iterator[list[RunRecord]]:
        """The runs of an experiment, batch by batch."""
        after = ""
        while batch := self._client.transfers.give_runs(experiment.id, after=after):
            after = batch[-1].id
            yield batch

    def marks(self, runs: list[RunRecord]) -> dict[str, str]:
        """Nothing: runs are given with their points."""
        return {run.id: "" for run in runs}

    def points(self, runs: list[RunRecord]) -> dict[str, list[PointsRecord]]:
        """All points of these runs."""
        return {run.id: run.points for run in runs}

    def logged_models(self, experiment: ExperimentRecord) -> Iterator[list[LoggedModelRecord]]:
        """The logged models of an experiment, batch by batch."""
        after = ""
        while batch := self._client.transfers.give_logged_models(experiment.id, after=after):
            after = batch[-1].id
            yield batch

    def models(self) -> Iterator[list[ModelRecord]]:
        """The project's registered models, one by one."""
        for model in self._client.models.models(prompts=True):
            if model.project == self._project:
                yield [self._client.model_transfers.give_model(model.name)]

    def files(self, owner: Owner) -> Files:
        """What lies under a run's or a logged model's artifacts."""
        listed = self._client.transfers.give_files(owner.id)
        return Files(
            found=[
                Found(path=file.path, size=file.size, mark=file.digest, digest=file.digest)
                for file in listed
            ]
        )

    def open(self, owner: Owner | VersionRecord, file: Found) -> IO[bytes]:
        """A file's bytes as they come."""
        if isinstance(owner, VersionRecord):
            held = owner.held.id if owner.held else ""
            pieces = self._client.files.read(f"registry/{held}/{file.path}")
        else:
            pieces = self._client.transfers.give_content(owner.id, file.path)
        return io.BufferedReader(_Pieces(pieces), 1 << 20)

    def close(self) -> None:
        """Nothing is held open."""


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        size = min(len(into), len(self._rest))
        into[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
