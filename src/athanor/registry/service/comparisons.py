"""Versions side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from athanor.kernel import SYSTEM, Access, Principal
from athanor.lineage import Lineage
from athanor.registry.evaluations import Evaluations
from athanor.registry.logic.comparison import Side, described, side_by_side
from athanor.registry.service.models import Models
from athanor.registry.types import Comparison, Holdout, ModelVersion

_MOST_VERSIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Where figures and parameters come from that versions themselves do not hold."""

    metrics: Callable[[ModelVersion], Mapping[str, float]]
    params: Callable[[ModelVersion], Mapping[str, str]]


class Comparisons:
    """What may be compared between versions, and how they differ."""

    def __init__(
        self,
        models: Models,
        evaluations: Evaluations,
        *,
        lineage: Lineage,
        access: Access,
        figures: Figures,
    ) -> None:
        self._models = models
        self._evaluations = evaluations
        self._lineage = lineage
        self._access = access
        self._figures = figures

    def compare(self, who: Principal, model: str, references: Sequence[str]) -> Comparison:
        """Versions of one model side by side; references are numbers or aliases.

        It says whether the metrics were measured on the same rows.

        Raises: ModelNotFound, ModelVersionNotFound.
        """
        self._access.require(who, "registry.compare", model)
        found = [self._models.version(who, f"{model}@{rest}") for rest in references]
        return side_by_side(model, [self._side(version) for version in found])

    def holdouts(self, who: Principal, model: str) -> list[Holdout]:
        """On which rows the metrics of a model's newest versions were measured, newest first.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.holdouts", model)
        return [
            described(version, self._evaluations.holdout(version))
            for version in self._models.versions(who, model)[:_MOST_VERSIONS]
        ]

    def _side(self, version: ModelVersion) -> Side:
        return Side(
            version=version,
            metrics=self._figures.metrics(version),
            params=self._figures.params(version),
            holdout=self._evaluations.holdout(version),
            evaluations=self._evaluations.of(version),
            data=self._data(version),
        )

    def _data(self, version: ModelVersion) -> list[str]:
        """The dataset versions that it came from, and other tables that nothing made here."""
        if version.artifact_id is None:
            return []
        graph = self._lineage.trace(SYSTEM, version.artifact_id, "up")
        found = [node for node in graph.nodes if node.kind == "artifact"]
        datasets = [node for node in found if node.type == "dataset"]
        made = {link.target for link in graph.edges}
        roots = [node for node in found if node.type == "table" and node.id not in made]
        told = [self._named(node.id) for node in datasets]
        return told + [f"{node.name} ({node.digest[:19]})" for node in roots]

    def _named(self, artifact_id: str) -> str:
        artifact = self._lineage.artifact(SYSTEM, artifact_id)
        number = artifact.metadata.get("version")
        name = str(artifact.metadata.get("dataset") or artifact.name)
        return f"{name}@{number}" if number else f"{name} ({artifact.digest[:19]})"
