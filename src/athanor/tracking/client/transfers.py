"""Arrivals and departures over a transport."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.tracking.records import (
    ExperimentHere,
    ExperimentRecord,
    FileRecord,
    LoggedModelRecord,
    RunRecord,
)


class TransfersClient:
    """Whole runs, experiments and logged models, taken in and given out."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def wanted(self, marks: Mapping[str, str]) -> list[str]:
        """Which owners have not arrived with these marks."""
        return self._transport.send("POST", "/transfers/wanted", body=marks).read(list[str])

    def take_experiments(self, records: Sequence[ExperimentRecord]) -> list[ExperimentHere]:
        """Find experiments by project and name, or make them."""
        answer = self._transport.send("POST", "/transfers/experiments", body=records)
        return answer.read(list[ExperimentHere])

    def take_runs(self, records: Sequence[RunRecord]) -> list[str]:
        """Take in runs with all but their files; the ids of new ones."""
        return self._transport.send("POST", "/transfers/runs", body=records).read(list[str])

    def take_logged_models(self, records: Sequence[LoggedModelRecord]) -> list[str]:
        """Take in logged models with all but their files; the ids of new ones."""
        answer = self._transport.send("POST", "/transfers/logged-models", body=records)
        return answer.read(list[str])

    def take_files(self, files: Mapping[str, Sequence[FileRecord]]) -> list[str]:
        """Put files in their places, by owner; the digests of content that is not there yet."""
        return self._transport.send("POST", "/transfers/files", body=files).read(list[str])

    def lacking(self, digests: Sequence[str]) -> list[str]:
        """Which of these contents are not there."""
        return self._transport.send("POST", "/transfers/lacking", body=digests).read(list[str])

    def take_content(self, packed: Path) -> None:
        """Send the bytes of files: a line of JSON (digests and sizes), then their bytes."""
        self._transport.send("PUT", "/transfers/content", content=packed)

    def settle(self, marks: Mapping[str, str]) -> None:
        """Say that owners have arrived whole."""
        self._transport.send("POST", "/transfers/settled", body=marks)

    def give_experiments(self, project: str) -> list[ExperimentRecord]:
        """A project's experiments, deleted ones too."""
        answer = self._transport.send("GET", "/transfers/experiments", query={"project": project})
        return answer.read(list[ExperimentRecord])

    def give_runs(self, experiment: str, *, after: str = "") -> list[RunRecord]:
        """The next runs of an experiment behind one, by id."""
        query = {"experiment": experiment, "after": after}
        return self._transport.send("GET", "/transfers/runs", query=query).read(list[RunRecord])

    def give_logged_models(self, experiment: str, *, after: str = "") -> list[LoggedModelRecord]:
        """The next 100 logged models of an experiment behind one, by id."""
        query = {"experiment": experiment, "after": after}
        answer = self._transport.send("GET", "/transfers/logged-models", query=query)
        return answer.read(list[LoggedModelRecord])

    def give_files(self, owner: str) -> list[FileRecord]:
        """The files of a run or a logged model."""
        path = f"/transfers/files/{segment(owner)}"
        return self._transport.send("GET", path).read(list[FileRecord])

    def give_content(self, owner: str, path: str) -> Iterator[bytes]:
        """A file's bytes, piece by piece."""
        return self._transport.stream(f"/transfers/content/{segment(owner)}", query={"path": path})
