"""The gate that asks how differently a model treats groups of people."""

from typing import Any

import orjson

from athanor.kernel import SYSTEM, Storage, Verdict
from athanor.lineage import Lineage
from athanor.responsible.catalogue import CATALOGUE
from athanor.responsible.service import DATA_FILE, file_of


class FairnessGate:
    """Reads the gap between groups from a model's evaluation report.

    The context tells `reports` (artifact ids, newest first), `measure` (the gap's name) and
    `at_most` (the greatest gap that passes).
    """

    name = "fairness"

    def __init__(self, lineage: Lineage, storage: Storage) -> None:
        self._lineage = lineage
        self._storage = storage

    def check(self, context: dict[str, Any]) -> Verdict:
        """Judge the newest report that compares groups; without one, nothing passes."""
        measure, limit = str(context["measure"]), float(context["at_most"])
        if measure not in CATALOGUE:
            return self._failed(f"There is no gap called {measure!r}.")
        skipped = "No evaluation report of it was found."
        for report in context["reports"]:
            groups = self._groups(report)
            skipped = str(groups.get("skipped") or skipped)
            for gap in groups.get("gaps") or []:
                if gap.get("name") == measure and gap.get("value"):
                    return self._judged(groups, gap, limit)
            if groups.get("gaps") == []:
                skipped = "Its report holds too few groups of 30 rows or more to compare."
        return self._failed(skipped)

    def _groups(self, report: str) -> dict[str, Any]:
        data = file_of(self._storage, self._lineage.artifact(SYSTEM, report), DATA_FILE)
        told = orjson.loads(data or b"{}")
        groups = told.get("groups") if isinstance(told, dict) else None
        return groups if isinstance(groups, dict) else {}

    def _judged(self, groups: dict[str, Any], gap: dict[str, Any], limit: float) -> Verdict:
        value = gap["value"].get("value")
        if value is None:
            return self._failed(f"The gap {gap['name']!r} could not be computed.")
        low, high = gap["value"].get("low"), gap["value"].get("high")
        interval = "" if low is None or high is None else f" ({low:.4f} to {high:.4f})"
        told = (
            f"{gap['name']} between {gap['high_group']!r} and {gap['low_group']!r} of "
            f"{groups.get('column')!r} is {value:.4f}{interval}; at most {limit:g} is demanded."
        )
        measured = {"value": value, "low": low, "high": high, "at_most": limit}
        return Verdict(gate=self.name, passed=value <= limit, reason=told, measured=measured)

    def _failed(self, why: str) -> Verdict:
        return Verdict(gate=self.name, passed=False, reason=why)
