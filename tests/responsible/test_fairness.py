"""The fairness gate reads what evaluation reports say of groups."""

import json
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import OWNER, Database, Events, Storage
from athanor.kernel.events import SqlEventStore
from athanor.kernel.permissions import OwnerAccess
from athanor.lineage import Lineage, NewArtifact, SqlLineageStore
from athanor.responsible import FairnessGate
from athanor.testing import FixedClock

GAP = "demographic_parity_difference"


class Bench:
    def __init__(self, database: Database, folder: Path) -> None:
        clock = FixedClock()
        self.folder = folder / "report"
        self.storage = Storage(str(folder / "storage"), reserve_bytes=0)
        self.lineage = Lineage(
            SqlLineageStore(database),
            database,
            events=Events(SqlEventStore(database), database, clock),
            access=OwnerAccess(),
            clock=clock,
        )
        self.gate = FairnessGate(self.lineage, self.storage)

    def report(self, groups: dict[str, Any] | None) -> str:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "report.json").write_text(json.dumps({"groups": groups}))
        blob = self.storage.put_folder(self.folder)
        told = {"blob": blob.digest, "layout": "folder"}
        new = NewArtifact(
            type="report", name="report", uri=blob.uri, digest=blob.digest, metadata=told
        )
        return self.lineage.record(OWNER, new).id

    def gap(self, value: float | None) -> str:
        gap = {
            "name": GAP,
            "value": {"value": value, "low": 0.01, "high": 0.2},
            "high_group": "m",
            "low_group": "f",
        }
        return self.report({"column": "sex", "gaps": [gap]})


@pytest.fixture
def bench(sqlite: Database, tmp_path: Path) -> Bench:
    return Bench(sqlite, tmp_path)


@pytest.mark.parametrize(("value", "passed"), [(0.05, True), (0.1, True), (0.11, False)])
def test_the_gap_is_held_against_the_limit(
    bench: Bench,
    value: float,
    passed: bool,
) -> None:
    context = {"reports": [bench.gap(value)], "measure": GAP, "at_most": 0.1}
    said = bench.gate.check(context)
    assert said.passed is passed
    assert "between 'm' and 'f' of 'sex'" in said.reason
    assert said.measured["value"] == value


def test_nothing_passes_unseen(bench: Bench) -> None:
    skipped = bench.report({"skipped": "No sensitive column was named."})
    cases = [
        ([], GAP, "No evaluation report"),
        ([skipped], GAP, "No sensitive column"),
        ([bench.report(None)], GAP, "No evaluation report"),
        ([bench.report({"column": "sex", "gaps": []})], GAP, "too few groups"),
        ([bench.gap(None)], GAP, "could not be computed"),
        ([bench.gap(0.0)], "kindness", "no gap called"),
    ]
    for reports, measure, words in cases:
        said = bench.gate.check({"reports": reports, "measure": measure, "at_most": 0.1})
        assert not said.passed
        assert words in said.reason


def test_the_newest_report_that_compares_groups_counts(bench: Bench) -> None:
    reports = [bench.report({"skipped": "none"}), bench.gap(0.02), bench.gap(0.5)]
    assert bench.gate.check({"reports": reports, "measure": GAP, "at_most": 0.1}).passed
