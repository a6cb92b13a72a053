"""The tables that tracking offers to SQL."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from athanor.kernel import Column, Principal, Relation, Scan
from athanor.kernel.database import moment
from athanor.tracking.service.experiments import Experiments
from athanor.tracking.service.tracking import Tracking
from athanor.tracking.types import ExperimentQuery, RunQuery, TrackedRun

_PAGE = 5_000
_MOST = 100_000
"""Runs of a project that are read; the newest."""

Rows = Callable[[TrackedRun], Iterable[dict[str, Any]]]


def relations(experiments: Experiments, tracking: Tracking) -> list[Relation]:
    """`params`, `metrics` and `run_tags` of the runs in experiments that are not deleted."""

    def relation(name: str, description: str, kinds: dict[str, str], rows_of: Rows) -> Relation:
        def scan(who: Principal, _rest: str) -> Scan:
            rows = [
                {"run": run.info.id, "experiment": experiment} | row
                for experiment, run in _runs(who, experiments, tracking)
                for row in rows_of(run)
            ]
            return Scan(rows=rows)

        kinds = {"run": "VARCHAR", "experiment": "VARCHAR", "key": "VARCHAR"} | kinds
        columns = tuple(Column(name=column, type=kind) for column, kind in kinds.items())
        return Relation(name=name, description=description, columns=columns, scan=scan)

    return [
        relation(
            "params",
            "Every parameter of every run in an experiment.",
            {"value": "VARCHAR"},
            lambda run: _texts(run.params),
        ),
        relation(
            "metrics",
            "The last point of every metric of every run in an experiment.",
            {"value": "DOUBLE", "step": "BIGINT", "at": "TIMESTAMPTZ"},
            lambda run: (
                {"key": key, "value": point.value, "step": point.step, "at": moment(point.at)}
                for key, point in run.metrics.items()
            ),
        ),
        relation(
            "run_tags",
            "Every tag of every run in an experiment.",
            {"value": "VARCHAR"},
            lambda run: _texts(run.tags),
        ),
    ]


def _texts(of: Any) -> Iterator[dict[str, Any]]:
    return ({"key": key, "value": value} for key, value in of.items())


def _runs(
    who: Principal, experiments: Experiments, tracking: Tracking
) -> Iterator[tuple[str, TrackedRun]]:
    """The runs that the caller may read, newest first, each with its experiment's name."""
    for project in experiments.projects(who):
        named = _experiments(who, experiments, project)
        token, read = "", 0
        while read < _MOST:
            query = RunQuery(
                experiments=list(named), project=project, limit=_PAGE, page_token=token
            )
            page = tracking.search(who, query)
            for run in page.runs:
                yield named[run.info.experiment], run
            token, read = page.next_page_token, read + len(page.runs)
            if not token:
                break


def _experiments(who: Principal, experiments: Experiments, project: str) -> dict[str, str]:
    """Names by id."""
    named: dict[str, str] = {}
    token = ""
    while True:
        page = experiments.search(
            who, ExperimentQuery(project=project, limit=_PAGE, page_token=token)
        )
        named |= {experiment.id: experiment.name for experiment in page.experiments}
        token = page.next_page_token
        if not token:
            return named
