"""Who takes in what a source gives: a platform over a transport, or a store that is written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from athanor.client import Client
from athanor.registry.records import ModelArrival, ModelRecord, VersionRecord
from athanor.tracking.records import (
    ExperimentHere,
    ExperimentRecord,
    FileRecord,
    LoggedModelRecord,
    RunRecord,
)


class Receiver(Protocol):
    """Takes whole runs, logged models and registered models in. Every verb may be repeated."""

    def wanted(self, marks: Mapping[str, str]) -> list[str]:
        """Which owners have not arrived with these marks."""
        ...

    def take_experiments(self, records: Sequence[ExperimentRecord]) -> list[ExperimentHere]:
        """Find experiments by project and name, or make them."""
        ...

    def take_runs(self, records: Sequence[RunRecord]) -> list[str]:
        """Take in runs with all but their files; the ids of new ones."""
        ...

    def take_logged_models(self, records: Sequence[LoggedModelRecord]) -> list[str]:
        """Take in logged models with all but their files; the ids of new ones."""
        ...

    def take_files(self, files: Mapping[str, Sequence[FileRecord]]) -> list[str]:
        """Put files in their places, by owner; the digests of content that is not there yet."""
        ...

    def take_content(self, packed: Path) -> None:
        """Take the bytes of files: a line of JSON (digests and sizes), then their bytes."""
        ...

    def settle(self, marks: Mapping[str, str]) -> None:
        """Note that owners have arrived whole."""
        ...

    def take_version_files(self, model: str, version: VersionRecord, /) -> list[str]:
        """Make ready for a version's own folder; the digests that are not there yet."""
        ...

    def take_model(self, record: ModelRecord) -> ModelArrival:
        """Take in a registered model with its versions."""
        ...


class Platform:
    """A platform, in this process or on a server."""

    def __init__(self, client: Client) -> None:
        self._runs = client.transfers
        self._models = client.model_transfers

    def wanted(self, marks: Mapping[str, str]) -> list[str]:
        """Which owners have not arrived with these marks."""
        return self._runs.wanted(marks)

    def take_experiments(self, records: Sequence[ExperimentRecord]) -> list[ExperimentHere]:
        """Find experiments by project and name, or make them."""
        return self._runs.take_experiments(records)

    def take_runs(self, records: Sequence[RunRecord]) -> list[str]:
        """Take in runs with all but their files; the ids of new ones."""
        return self._runs.take_runs(records)

    def take_logged_models(self, records: Sequence[LoggedModelRecord]) -> list[str]:
        """Take in logged models with all but their files; the ids of new ones."""
        return self._runs.take_logged_models(records)

    def take_files(self, files: Mapping[str, Sequence[FileRecord]]) -> list[str]:
        """Put files in their places, by owner; the digests of content that is not there yet."""
        return self._runs.take_files(files)

    def take_content(self, packed: Path) -> None:
        """Take the bytes of files: a line of JSON (digests and sizes), then their bytes."""
        self._runs.take_content(packed)

    def settle(self, marks: Mapping[str, str]) -> None:
        """Note that owners have arrived whole."""
        self._runs.settle(marks)

    def take_version_files(self, _model: str, version: VersionRecord) -> list[str]:
        """Make ready for a version's own folder; the digests that are not there yet."""
        return self._runs.lacking([file.digest for file in version.files])

    def take_model(self, record: ModelRecord) -> ModelArrival:
        """Take in a registered model with its versions."""
        return self._models.take_model(record)
