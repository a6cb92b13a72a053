"""Datasets that were made of a person's rows and lost the column that names persons on the way."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from athanor.data.service.persons import DatasetHolder
from athanor.data.types import Dataset, DatasetVersion
from athanor.kernel import Principal
from athanor.kernel.holder import Holding, Person
from athanor.lineage import Graph, Lineage


@dataclass(frozen=True, slots=True)
class _Derived:
    dataset: Dataset
    version: DatasetVersion
    origin: str
    """The version that holds or held the rows, such as `bank@1`."""
    recipe: str
    """The title of the recipe's run that made it; empty if none did."""


class DerivedHolder:
    """Living versions that came of a version with a person's rows, and can't tell whose theirs are.

    What came of a version whose rows were erased may hold those rows still, so it is told too.
    """

    def __init__(self, lineage: Lineage, datasets: DatasetHolder) -> None:
        self._lineage = lineage
        self._datasets = datasets

    def holdings(self, person: Person, who: Principal, roots: list[str]) -> list[Holding]:
        """What came of these artifacts, or of versions whose rows were erased before."""
        return [
            _holding(item.version, _why(item, person)) for item in self._found(person, who, roots)
        ]

    def erase(self, person: Person, who: Principal, roots: list[str]) -> list[Holding]:
        """Remove those that were deleted; mark the others, and tell how they are made anew."""
        done = []
        for item in self._found(person, who, roots):
            version, why = item.version, _why(item, person)
            if version.deleted_at is not None:
                self._datasets.purge(item.dataset, version, who)
                done.append(_holding(version, f"{why}; it was deleted before", erased=True))
                continue
            self._datasets.warn(item.dataset, version, f"It may hold erased rows: {why}.")
            done.append(_holding(version, f"NOT cleaned: {why}. {_remedy(item)}"))
        return done

    def _found(self, person: Person, who: Principal, roots: list[str]) -> list[_Derived]:
        every = self._datasets.versions(person, who)
        names = {v.artifact_id: f"{v.dataset}@{v.number}" for _, v in every}
        keyed = {
            v.artifact_id for _, v in every if person.column in {item.name for item in v.columns}
        }
        living = {
            v.artifact_id: (dataset, v)
            for dataset, v in every
            if v.purged_at is None and v.artifact_id not in keyed
        }
        erased = [v.artifact_id for _, v in every if v.purged_for == "erased"]
        found: dict[str, _Derived] = {}
        for root in dict.fromkeys([*roots, *(item for item in erased if item in keyed)]):
            graph = self._lineage.trace(who, root, "down")
            reached = _reached(graph, keyed - {root})
            for node in graph.nodes:
                if node.id in reached and node.id in living and node.id not in found:
                    dataset, version = living[node.id]
                    found[node.id] = _Derived(
                        dataset, version, names.get(root, root), _recipe(graph, version)
                    )
        return list(found.values())


def _reached(graph: Graph, keyed: AbstractSet[str]) -> set[str]:
    """What came of the root; versions that have the column are counted row by row, so end here."""
    below: dict[str, list[str]] = {}
    for link in graph.edges:
        below.setdefault(link.source, []).append(link.target)
    reached, ahead = {graph.root}, [graph.root]
    while ahead:
        for target in below.get(ahead.pop(), []):
            if target not in reached and target not in keyed:
                reached.add(target)
                ahead.append(target)
    return reached


def _recipe(graph: Graph, version: DatasetVersion) -> str:
    makers = {link.source for link in graph.edges if link.target == version.source.artifact_id}
    titles = [node.name for node in graph.nodes if node.id in makers and node.type == "recipe"]
    return titles[0] if titles else ""


def _why(item: _Derived, person: Person) -> str:
    return (
        f"made of {item.origin}, which holds or held such rows; the key is not in it "
        f"({person.column}): rows can't be told apart"
    )


def _remedy(item: _Derived) -> str:
    recipe, _, source = item.recipe.partition(" of ")
    dataset, shown = source.rpartition("@")[0], f"{item.version.dataset}@{item.version.number}"
    made = "Make it anew from the clean version"
    if dataset:
        made = (
            f"Make it anew: athanor recipe apply {recipe} {dataset} --into {item.version.dataset}"
        )
    return f"{made}; then athanor data delete {shown}, and erase once more"


def _holding(version: DatasetVersion, note: str, *, erased: bool = False) -> Holding:
    return Holding(
        room="data", kind="derived", name=f"{version.dataset}@{version.number}",
        id=version.artifact_id, erased=erased, note=note,
    )  # fmt: skip
