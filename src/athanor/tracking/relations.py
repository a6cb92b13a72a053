"""The tables that tracking offers to SQL."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from athanor.kernel import Column, Principal, Relation, Scan
from athanor.kernel.database import moment
from athanor.tracking.service.experiments import Experiments
from athanor.tracking.service.tracking import Tracking
from athanor.tracking.types import ExperimentPage, ExperimentQuery, RunPage, RunQuery, TrackedRun

_PAGE = 5_000
_MOST = 100_000
"""Runs of a project that are read; the newest."""

Page = TypeVar("Page", ExperimentPage, RunPage)
Query = TypeVar("Query", ExperimentQuery, RunQuery)
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


def _texts(told: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    return ({"key": key, "value": value} for key, value in told.items())


def _runs(
    who: Principal, experiments: Experiments, tracking: Tracking
) -> Iterator[tuple[str, TrackedRun]]:
    """The runs that the caller may read, newest first, each with its experiment's name."""
    for project in experiments.projects(who):
        every = ExperimentQuery(project=project, limit=_PAGE)
        named = {
            one.id: one.name
            for page in _pages(partial(experiments.search, who), every)
            for one in page.experiments
        }
        newest = RunQuery(experiments=list(named), project=project, limit=_PAGE)
        for page in islice(_pages(partial(tracking.search, who), newest), _MOST // _PAGE):
            for run in page.runs:
                yield named[run.info.experiment], run


def _pages(search: Callable[[Query], Page], query: Query) -> Iterator[Page]:
    """What a search finds, page after page."""
    while True:
        page = search(query)
        yield page
        if not page.next_page_token:
            return
        query = replace(query, page_token=page.next_page_token)
