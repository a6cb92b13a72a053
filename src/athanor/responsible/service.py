"""The verbs of reports."""

import contextlib
from collections.abc import Callable
from typing import Any

import orjson

from athanor.kernel import SYSTEM, Access, Event, NotFound, Principal, Storage
from athanor.lineage import Artifact, Lineage
from athanor.responsible.catalogue import CATALOGUE
from athanor.responsible.errors import ModelNotEvaluated, ReportNotFound
from athanor.responsible.store import ReportStore
from athanor.responsible.types import Contents, Indicator, Report

DATA_FILE = "report.json"
PAGE_FILE = "report.html"
LATEST = "latest"
_AT = "@"
"""Stands in what names a model's version, and in no report's id."""


class Reports:
    """Evaluation reports: found where runs made them, shown and handed out."""

    def __init__(
        self,
        store: ReportStore,
        *,
        lineage: Lineage,
        storage: Storage,
        access: Access,
        version_of: Callable[[str], str] = lambda _artifact: "",
    ) -> None:
        """`version_of` tells a model's registered version by its artifact's id, or ""."""
        self._store = store
        self._lineage = lineage
        self._storage = storage
        self._access = access
        self._version_of = version_of

    def reports(self, who: Principal, *, limit: int = 50) -> list[Report]:
        """The newest reports, newest first; `limit` is 1 to 1,000."""
        self._access.require(who, "responsible.reports", "*")
        return self._store.recent(limit)

    def report(self, who: Principal, report_id: str) -> Contents:
        """A report with all its data; `latest` is the newest one, `churn@champion` a model's.

        Raises: ReportNotFound, ModelNotEvaluated.
        """
        self._access.require(who, "responsible.report", report_id)
        found = self._find(who, report_id)
        data: dict[str, Any] = orjson.loads(self._file(found.id, DATA_FILE))
        return Contents(report=found, data=data, model=self._model_of(found))

    def page(self, who: Principal, report_id: str) -> bytes:
        """A report as one self-contained HTML page, named as for `report`.

        Raises: ReportNotFound, ModelNotEvaluated.
        """
        self._access.require(who, "responsible.page", report_id)
        return self._file(self._find(who, report_id).id, PAGE_FILE)

    def indicators(self, who: Principal) -> list[Indicator]:
        """What each figure of a report means, how it is computed and when it misleads."""
        self._access.require(who, "responsible.indicators", "*")
        return list(CATALOGUE.values())

    def _find(self, who: Principal, report_id: str) -> Report:
        if _AT in report_id:
            return self._of_model(who, report_id)
        newest = self._store.recent(1) if report_id == LATEST else []
        found = newest[0] if newest else self._store.find(report_id)
        if found is None:
            raise ReportNotFound(report_id)
        return found

    def _of_model(self, who: Principal, reference: str) -> Report:
        """The newest report that was made of a model by itself."""
        model = self._lineage.resolve(who, f"model:{reference}")
        made = self._lineage.trace(SYSTEM, model.id, "down").nodes
        near = [node.id for node in made if node.kind == "artifact" and node.type == "report"]
        found = [report for name in near if (report := self._store.find(name)) is not None]
        own = [report for report in found if self._subject_of(report) == model.id]
        if not own:
            raise ModelNotEvaluated(reference)
        return max(own, key=lambda report: report.created_at)

    def _model_of(self, report: Report) -> str:
        subject = self._subject_of(report)
        return self._version_of(subject) if subject else ""

    def _subject_of(self, report: Report) -> str:
        """The id of the model that the report's run looked at; "" where that is not known."""
        models = [
            artifact.id
            for edge, artifact in self._lineage.edges(SYSTEM, report.run_id)
            if edge.relation == "consumed" and artifact.type == "model"
        ]
        return models[0] if len(models) == 1 else ""

    def _file(self, artifact_id: str, name: str) -> bytes:
        artifact = self._lineage.artifact(SYSTEM, artifact_id)
        found = file_of(self._storage, artifact, name)
        if found is None:
            raise ReportNotFound(artifact_id)
        return found


class ReportIndex:
    """Notes the reports among what runs produce.

    Subscribe `note` to its `actions`, and let it want what `concerns` it.
    """

    actions = ("lineage.run.finished", "pipelines.task.finished")

    def __init__(self, store: ReportStore, *, lineage: Lineage, storage: Storage) -> None:
        self._store = store
        self._lineage = lineage
        self._storage = storage

    def concerns(self, event: Event) -> bool:
        """Whether the run that finished produced a report."""
        if "report" not in event.detail.get("made", ("report",)):
            return False
        with contextlib.suppress(NotFound):  # it was forgotten meanwhile
            return bool(self._made(event.subject))
        return False

    def note(self, event: Event) -> None:
        """Note what the run that finished produced, if it is a report that can be read."""
        for artifact in self._made(event.subject):
            data = _data_of(self._storage, artifact)
            if data is not None:
                self._store.add(_described(artifact, event.subject, data))

    def _made(self, run_id: str) -> list[Artifact]:
        return [
            artifact
            for edge, artifact in self._lineage.edges(SYSTEM, run_id)
            if edge.relation == "produced" and artifact.type == "report"
        ]


def file_of(storage: Storage, artifact: Artifact, name: str) -> bytes | None:
    """A file of an artifact that is a folder, or None if it holds none of that name."""
    blob = artifact.metadata.get("blob")
    if blob is None or artifact.metadata.get("layout") != "folder":
        return None
    for entry in storage.entries(str(blob)):
        if entry.path == name:
            return storage.read(entry.digest)
    return None


def _data_of(storage: Storage, artifact: Artifact) -> dict[str, Any] | None:
    text = file_of(storage, artifact, DATA_FILE)
    try:
        data = orjson.loads(text or b"null")
    except orjson.JSONDecodeError:
        return None
    return data if isinstance(data, dict) else None


def _described(artifact: Artifact, run_id: str, data: dict[str, Any]) -> Report:
    metrics = data.get("metrics", {})
    return Report(
        id=artifact.id,
        project=artifact.project,
        title=str(data.get("title", artifact.name)),
        target=str(data.get("target", "")),
        rows=int(data.get("rows", 0)),
        metrics={
            name: item["value"] for name, item in metrics.items() if item.get("value") is not None
        },
        digest=artifact.digest,
        run_id=run_id,
        created_at=artifact.created_at,
    )
