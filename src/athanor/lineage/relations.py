"""The tables that the lineage offers to SQL."""

from athanor.kernel import Column, Principal, Relation, Scan
from athanor.lineage.service import Lineage
from athanor.lineage.types import RunFilter

_MOST = 100_000
_COLUMNS = {
    "id": "VARCHAR",
    "project": "VARCHAR",
    "kind": "VARCHAR",
    "name": "VARCHAR",
    "state": "VARCHAR",
    "parent": "VARCHAR",
    "created_by": "VARCHAR",
    "started_at": "TIMESTAMPTZ",
    "ended_at": "TIMESTAMPTZ",
    "labels": "JSON",
    "resources": "JSON",
}


def runs(lineage: Lineage) -> Relation:
    """`runs`: a row a run, the newest 100,000."""

    def scan(who: Principal, _rest: str) -> Scan:
        found = lineage.runs(who, RunFilter(limit=_MOST))
        return Scan(rows=[{name: getattr(run, name) for name in _COLUMNS} for run in found])

    columns = tuple(Column(name=name, type=kind) for name, kind in _COLUMNS.items())
    return Relation(
        name="runs",
        description="Every run: scripts, pipelines, their tasks, deployments.",
        columns=columns,
        scan=scan,
    )
