"""On which rows a version was judged, and with which figures: read from the lineage.

An evaluation is a run that used the model and labelled rows, and made a report. Two figures are
comparable where both rest on rows of one digest.
"""

from typing import Any

import orjson

from athanor.kernel import SYSTEM, AthanorError, Storage
from athanor.lineage import Artifact, Lineage
from athanor.registry.types import Evaluation, ModelVersion

_REPORT = "report"
_FILE = "report.json"
_ROWS = frozenset({"table", "dataset"})
_MOST = 20
"""Runs that are looked at a version."""


class Evaluations:
    """Finds the evaluations of versions."""

    def __init__(self, lineage: Lineage, storage: Storage) -> None:
        self._lineage = lineage
        self._storage = storage

    def of(self, version: ModelVersion) -> list[Evaluation]:
        """A version's evaluations, newest first."""
        if version.artifact_id is None:
            return []
        graph = self._lineage.trace(SYSTEM, version.artifact_id, "down")
        runs = [node.id for node in graph.nodes if node.kind == "run" and node.depth == 1]
        found = [self._read(run) for run in sorted(runs, reverse=True)[:_MOST]]
        return [item for item in found if item is not None]

    def holdout(self, version: ModelVersion) -> Evaluation | None:
        """The evaluation that a version's own metrics come from, as far as that shows."""
        found = self.of(version)
        for item in found:
            if version.metrics and all(
                item.metrics.get(name) == value
                for name, value in version.metrics.items()
                if name in item.metrics
            ):
                return item
        return found[-1] if found else None

    def report(self, version: ModelVersion) -> dict[str, Any] | None:
        """The data of the newest evaluation report."""
        for item in self.of(version):
            artifact = self._lineage.artifact(SYSTEM, item.report)
            if (data := self._data(artifact)) is not None:
                return data
        return None

    def _read(self, run: str) -> Evaluation | None:
        edges = self._lineage.edges(SYSTEM, run)
        report = next(
            (a for edge, a in edges if edge.relation == "produced" and a.type == _REPORT), None
        )
        rows = next(
            (a for edge, a in edges if edge.relation == "consumed" and a.type in _ROWS), None
        )
        if report is None or rows is None:
            return None
        data = self._data(report) or {}
        told = data.get("metrics")
        metrics = {
            name: float(item["value"])
            for name, item in (told.items() if isinstance(told, dict) else ())
            if isinstance(item, dict) and isinstance(item.get("value"), (int, float))
        }
        return Evaluation(
            digest=rows.digest,
            name=rows.name,
            rows=int(data.get("rows") or rows.metadata.get("rows") or 0),
            metrics=metrics,
            report=report.id,
            run=run,
        )

    def _data(self, report: Artifact) -> dict[str, Any] | None:
        try:
            blob = str(report.metadata.get("blob", ""))
            for entry in self._storage.entries(blob):
                if entry.path == _FILE:
                    data = orjson.loads(self._storage.read(entry.digest))
                    return data if isinstance(data, dict) else None
        except (AthanorError, orjson.JSONDecodeError, TypeError):
            return None
        return None


def comparable(first: Evaluation | None, second: Evaluation | None) -> bool | None:
    """Whether two evaluations rest on the same rows; None where one is not known."""
    if first is None or second is None:
        return None
    return first.digest == second.digest
