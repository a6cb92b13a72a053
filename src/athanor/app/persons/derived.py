"""Datasets that were made of a person's rows and lost the column that names persons on the way."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from athanor.data import Recipes
from athanor.data.service.persons import DatasetHolder, names_key
from athanor.data.types import Dataset, DatasetVersion
from athanor.data.types.recipes import ApplyOrder
from athanor.kernel import AthanorError, Principal
from athanor.kernel.holder import Holding, Person
from athanor.lineage import Graph, Lineage

Derived = Literal["name", "rebuild", "purge"]
"""What becomes of a dataset that was made of a person's rows and lost the key."""


@dataclass(frozen=True, slots=True)
class _Derived:
    dataset: Dataset
    version: DatasetVersion
    origin: str
    """The version that holds or held the rows, such as `bank@1`."""
    recipe: str
    """The title of the recipe's run that made it; empty if none did."""
    learned_from: str
    """The version that the recipe learnt from, such as `bank@1`; empty if it learnt nothing."""


class DerivedHolder:
    """Living versions that came of a version with a person's rows, and can't tell whose theirs are.

    What came of a version whose rows were erased may hold those rows still, so it is told too.
    """

    def __init__(self, lineage: Lineage, datasets: DatasetHolder, recipes: Recipes) -> None:
        self._lineage = lineage
        self._datasets = datasets
        self._recipes = recipes

    def holdings(self, person: Person, who: Principal, roots: list[str]) -> list[Holding]:
        """What came of these artifacts, or of versions whose rows were erased before."""
        return [
            _holding(item.version, _why(item, person)) for item in self._found(person, who, roots)
        ]

    def erase(
        self, person: Person, who: Principal, roots: list[str], derived: Derived = "name"
    ) -> list[Holding]:
        """Remove those that were deleted; of the others what `derived` says.

        `name` marks them, and tells how they are made anew; `rebuild` does so where a recipe made
        them; `purge` removes them. Where a rebuilt one is another's source, the source goes first.
        """
        done: list[Holding] = []
        rebuilt: dict[str, str] = {}
        found = self._found(person, who, roots)
        if derived == "rebuild":
            rebuilt = self._all_rebuilt(found, person, who, roots)
        for item in found:
            version, why = item.version, _why(item, person)
            if derived == "purge" or item.dataset.id in rebuilt:
                self._datasets.purge(item.dataset, version, who)
                made = rebuilt.get(item.dataset.id, "")
                note = f"{why}; made anew as {made}" if made else f"{why}; removed as was asked"
                done.append(_holding(version, note, erased=True))
                continue
            if version.deleted_at is not None:
                self._datasets.purge(item.dataset, version, who)
                done.append(_holding(version, f"{why}; it was deleted before", erased=True))
                continue
            self._datasets.warn(item.dataset, version, f"It may hold erased rows: {why}.")
            done.append(_holding(version, f"NOT cleaned: {why}. {_remedy(item)}"))
        return done

    def erased_before(self, person: Person, who: Principal, roots: list[str]) -> dict[str, str]:
        """By artifact's id, erased versions of the same datasets: they may have held such rows."""
        every = self._datasets.versions(person, who)
        holding = {dataset.id for dataset, version in every if version.artifact_id in roots}
        return {
            version.artifact_id: f"{version.dataset}@{version.number}"
            for dataset, version in every
            if dataset.id in holding and version.purged_for == "erased"
        }

    def _all_rebuilt(
        self, found: list[_Derived], person: Person, who: Principal, roots: list[str]
    ) -> dict[str, str]:
        """By dataset's id, the version that was made anew of a clean source; sources go first."""
        newest: dict[str, _Derived] = {}
        for item in found:
            known = newest.get(item.dataset.id)
            if item.version.deleted_at is None and (
                known is None or item.version.number > known.version.number
            ):
                newest[item.dataset.id] = item
        unclean = {*roots, *(item.version.artifact_id for item in found)}
        rebuilt = {}
        for item in newest.values():
            source = item.recipe.partition(" of ")[2].rpartition("@")[0]
            latest = [
                version.artifact_id
                for dataset, version in self._datasets.versions(person, who)
                if (dataset.project, dataset.name) == (item.dataset.project, source)
                and version.purged_at is None and version.deleted_at is None
            ]  # fmt: skip
            if latest and not unclean & set(latest[:1]) and (made := self._rebuilt(item, who)):
                rebuilt[item.dataset.id] = made
        return rebuilt

    def _rebuilt(self, item: _Derived, who: Principal) -> str:
        """The version that its recipe makes of the clean source; "" where none can."""
        recipe, _, source = item.recipe.partition(" of ")
        dataset = source.rpartition("@")[0]
        if item.learned_from.rpartition("@")[0] not in {"", dataset}:
            return ""
        order = ApplyOrder(dataset=dataset, into=item.version.dataset)
        try:
            made = self._recipes.apply(who, recipe, order, project=item.dataset.project)
        except AthanorError:
            return ""  # told as one that is not clean
        return f"{made.dataset} by {recipe}" if made.state == "ready" else ""

    def _found(self, person: Person, who: Principal, roots: list[str]) -> list[_Derived]:
        every = self._datasets.versions(person, who)
        names = {v.artifact_id: f"{v.dataset}@{v.number}" for _, v in every}
        keyed = {v.artifact_id for _, v in every if names_key(v, person.column)}
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
                        dataset, version, names.get(root, root), *self._recipe(who, graph, version)
                    )
        return list(found.values())

    def _recipe(self, who: Principal, graph: Graph, version: DatasetVersion) -> tuple[str, str]:
        """The title of the recipe's run that made a version, and what it learnt from."""
        makers = {link.source for link in graph.edges if link.target == version.source.artifact_id}
        runs = [node for node in graph.nodes if node.id in makers and node.type == "recipe"]
        if not runs:
            return "", ""
        beside = {link.target for link in graph.edges if link.source == runs[0].id}
        learned = [
            str(self._lineage.artifact(who, node.id).metadata.get("learned_from", ""))
            for node in graph.nodes
            if node.id in beside and node.kind == "artifact" and node.type == "recipe"
        ]
        return runs[0].name, learned[0] if learned else ""


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
