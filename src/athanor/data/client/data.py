"""The data room's verbs over a transport."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from athanor.data.client.sources import SourceVerbs, version_path
from athanor.data.client.versions import VersionVerbs
from athanor.data.types import (
    CheckResult,
    Dataset,
    DatasetVersion,
    Expectation,
    Mode,
    OfferedTable,
    Profile,
    Quarantine,
    Query,
    QueryResult,
    Roles,
    Watch,
    WatchedFile,
)
from athanor.kernel import Transport
from athanor.kernel.transport import segment


class Data(SourceVerbs, VersionVerbs):
    """Datasets, watched folders and SQL."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def datasets(self) -> list[Dataset]:
        """All datasets, by name."""
        return self._transport.send("GET", "/datasets").read(list[Dataset])

    def dataset(self, name: str) -> Dataset:
        """One dataset."""
        return self._transport.send("GET", f"/datasets/{segment(name)}").read(Dataset)

    def versions(self, name: str, *, deleted: bool = False) -> list[DatasetVersion]:
        """The versions of a dataset, newest first; the deleted ones too if they are asked for."""
        query = {"deleted": deleted}
        answer = self._transport.send("GET", f"/datasets/{segment(name)}/versions", query=query)
        return answer.read(list[DatasetVersion])

    def version(self, reference: str) -> DatasetVersion:
        """The version that NAME, NAME@3, NAME@<date>, NAME@sha256:... or NAME@<tag> means."""
        return self._transport.send("GET", version_path(reference)).read(DatasetVersion)

    def profile(self, reference: str, *, target: str = "") -> Profile:
        """What a version holds, column by column; against `target` in place of the dataset's."""
        query = {"target": target} if target else None
        answer = self._transport.send("GET", f"{version_path(reference)}/profile", query=query)
        return answer.read(Profile)

    def rows(self, reference: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """The first rows of a version, at most 1,000."""
        answer = self._transport.send(
            "GET", f"{version_path(reference)}/rows", query={"limit": limit}
        )
        return answer.read(list[dict[str, Any]])

    def check(self, reference: str) -> list[CheckResult]:
        """Today's expectations, tried on a version."""
        return self._transport.send("GET", f"{version_path(reference)}/checks").read(
            list[CheckResult]
        )

    def quarantine(self, reference: str) -> Quarantine:
        """Why a version stands apart, with the rows that are to blame."""
        return self._transport.send("GET", f"{version_path(reference)}/quarantine").read(Quarantine)

    def suggest(self, reference: str) -> list[Expectation]:
        """Expectations by the profile of a version; nothing is set."""
        answer = self._transport.send("GET", f"{version_path(reference)}/expectations")
        return answer.read(list[Expectation])

    def expectations(self, name: str) -> list[Expectation]:
        """What every new version must fulfil."""
        answer = self._transport.send("GET", f"/datasets/{segment(name)}/expectations")
        return answer.read(list[Expectation])

    def expect(self, name: str, expectations: Sequence[Expectation]) -> list[Expectation]:
        """Say what every new version must fulfil; what held before is replaced."""
        answer = self._transport.send(
            "PUT", f"/datasets/{segment(name)}/expectations", body=list(expectations)
        )
        return answer.read(list[Expectation])

    def watch(
        self, name: str, folder: str | Path, *, mode: Mode = "append", roles: Roles | None = None
    ) -> Watch:
        """Take each file in a folder of the server's machine as the next version."""
        body = {"folder": str(folder), "mode": mode, "roles": roles or Roles()}
        answer = self._transport.send("PUT", f"/datasets/{segment(name)}/watches", body=body)
        return answer.read(Watch)

    def unwatch(self, name: str, folder: str | Path) -> None:
        """Take no more files from a folder."""
        query = {"folder": str(folder)}
        self._transport.send("DELETE", f"/datasets/{segment(name)}/watches", query=query)

    def watches(self, name: str = "") -> list[Watch]:
        """The watched folders of a dataset, or of all."""
        answer = self._transport.send("GET", "/watches", query={"dataset": name})
        return answer.read(list[Watch])

    def files(self, name: str, *, limit: int = 100) -> list[WatchedFile]:
        """What became of the files of a dataset's folders, newest first."""
        answer = self._transport.send(
            "GET", f"/datasets/{segment(name)}/files", query={"limit": limit}
        )
        return answer.read(list[WatchedFile])

    def tables(self) -> list[OfferedTable]:
        """What SQL may read."""
        return self._transport.send("GET", "/sql/tables").read(list[OfferedTable])

    def query(self, query: Query | str) -> QueryResult:
        """The answer to one SELECT, given as text or with its limits."""
        asked = Query(sql=query) if isinstance(query, str) else query
        return self._transport.send("POST", "/sql", body=asked).read(QueryResult)
