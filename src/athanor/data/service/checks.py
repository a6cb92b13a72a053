"""Expectations: their kinds, and suites from elsewhere."""

from typing import Any

from athanor.data.logic.rules import PARAMETERS
from athanor.data.logic.suites import read_suite
from athanor.data.service.datasets import Datasets
from athanor.data.service.ground import Ground
from athanor.data.types import EXPECTATION_KINDS
from athanor.data.types.checks import ExpectationKind, ImportedSuite
from athanor.kernel import DEFAULT_PROJECT, Principal


class Checks:
    """What expectations there can be, and those that other tools wrote."""

    def __init__(self, datasets: Datasets, ground: Ground) -> None:
        self._datasets = datasets
        self._access = ground.access

    def kinds(self, who: Principal) -> list[ExpectationKind]:
        """All kinds of expectations, with what they take."""
        self._access.require(who, "data.kinds", "expectations")
        return [
            ExpectationKind(name=name, words=words, parameters=tuple(PARAMETERS[name]))
            for name, words in EXPECTATION_KINDS.items()
        ]

    def import_suite(
        self,
        who: Principal,
        name: str,
        suite: dict[str, Any],
        *,
        keep: bool = False,
        project: str = DEFAULT_PROJECT,
    ) -> ImportedSuite:
        """A suite of pandera or Great Expectations as expectations; kept if that is asked for.

        Kept ones come beside those that the dataset has, in the place of equal kinds and columns.
        Raises: BadSuite, DatasetNotFound.
        """
        self._access.require(who, "data.import_suite", name)
        found = read_suite(suite)
        if keep:
            before = self._datasets.expectations(who, name, project=project)
            new = {(item.kind, item.column) for item in found.expectations if item.column}
            kept = [item for item in before if (item.kind, item.column) not in new]
            every = [*kept, *(item for item in found.expectations if item not in kept)]
            self._datasets.expect(who, name, every, project=project)
        return found
