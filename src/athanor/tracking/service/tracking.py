"""The verbs of tracked runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from athanor.kernel import Access, Clock, Database, Events, Principal
from athanor.kernel.database import microseconds
from athanor.lineage import Lineage, NewRun, RunAmendment, RunNotFound
from athanor.tracking.errors import (
    ExperimentDeleted,
    ParamChanged,
    RunDeleted,
    TagNotFound,
    TrackedRunNotFound,
    Unloggable,
)
from athanor.tracking.logic import rules
from athanor.tracking.logic.names import made_up_name
from athanor.tracking.logic.provenance import facts_of
from athanor.tracking.logic.search import (
    check_max_results,
    page_offset,
    page_token,
    run_filter,
    run_orders,
)
from athanor.tracking.service.experiments import LIFECYCLES, Experiments
from athanor.tracking.store.runs import Membership, TrackedRunStore
from athanor.tracking.store.search import RunSearch
from athanor.tracking.types import (
    DEFAULT_EXPERIMENT_ID,
    RUN_NAME_TAG,
    Batch,
    Experiment,
    HistoryQuery,
    KeyedPoint,
    Lifecycle,
    Metric,
    NewTrackedRun,
    Param,
    Point,
    RunChange,
    RunInfo,
    RunLog,
    RunPage,
    RunQuery,
    TrackedRun,
)

KIND = "mlflow"
"""The kind of runs that trackers' clients open."""
_PARENT_TAG = "mlflow.parentRunId"
_NAME = 500
_PAGE = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What tracking asks of others."""

    lineage: Lineage
    experiments: Experiments
    search: RunSearch
    events: Events


class Tracking:
    """Runs of experiments: settings, tags and measured points, and searches over them."""

    def __init__(
        self,
        store: TrackedRunStore,
        database: Database,
        *,
        neighbours: Neighbours,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._lineage = neighbours.lineage
        self._experiments = neighbours.experiments
        self._search = neighbours.search
        self._events = neighbours.events
        self._access = access
        self._clock = clock
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, noted: Callable[[str], None]) -> None:
        """Call somebody with the id of each run that logs points, in its transaction: be quick."""
        self._listeners.append(noted)

    def start(self, who: Principal, new: NewTrackedRun) -> TrackedRun:
        """Open a run of an experiment.

        Raises: ExperimentNotFound, ExperimentDeleted, BadKey; Unloggable where the name and the
        tag of the name differ.
        """
        self._access.require(who, "tracking.start", new.experiment)
        return self.start_all(who, [new])[0]

    def start_all(self, who: Principal, news: Sequence[NewTrackedRun]) -> list[TrackedRun]:
        """As `start`, of many runs at once, all or none."""
        for new in news:
            self._access.require(who, "tracking.start", new.experiment)
        tags_of = [_first_tags(new) for new in news]
        with self._database.transaction():
            wanted = {(new.experiment, new.project) for new in news}
            experiments = {each: self._open_experiment(who, *each) for each in wanted}
            homes = [experiments[new.experiment, new.project] for new in news]
            runs = self._lineage.start_runs(
                who,
                [
                    self._opened(new, tags, home)
                    for new, tags, home in zip(news, tags_of, homes, strict=True)
                ],
            )
            members = [
                Membership(
                    run=run.id,
                    experiment=home.id,
                    lifecycle="active",
                    user=new.user,
                    artifact_uri=_artifacts(home.artifact_location, run.id),
                    started_at=run.started_at,
                )
                for run, new, home in zip(runs, news, homes, strict=True)
            ]
            self._store.add(*members)
            self._store.set_tags({run.id: tags for run, tags in zip(runs, tags_of, strict=True)})
        return [
            TrackedRun(
                info=RunInfo(
                    id=run.id,
                    experiment=member.experiment,
                    name=run.name,
                    user=member.user,
                    state=run.state,
                    started_at=run.started_at,
                    artifact_uri=member.artifact_uri,
                ),
                tags=tags,
            )
            for run, member, tags in zip(runs, members, tags_of, strict=True)
        ]

    def run(self, who: Principal, run_id: str, *, untold: bool = False) -> TrackedRun:
        """A run with what it told, deleted or not; if asked, also one that told nothing yet.

        Raises: TrackedRunNotFound.
        """
        self._access.require(who, "tracking.run", run_id)
        info = self._store.infos([run_id]).get(run_id)
        if info is None and untold:
            return TrackedRun(info=self._prospect(who, run_id))
        if info is None:
            raise TrackedRunNotFound(run_id)
        return self._store.load([info])[0]

    def update(self, who: Principal, run_id: str, change: RunChange) -> RunInfo:
        """Change a run's state, name or end; one that ended may go on.

        Raises: TrackedRunNotFound, RunDeleted.
        """
        self._access.require(who, "tracking.update", run_id)
        with self._database.transaction():
            self._check_active(who, [run_id])
            if change.name:
                self._store.set_tags({run_id: {RUN_NAME_TAG: change.name}})
            self._lineage.amend_run(
                who,
                run_id,
                RunAmendment(
                    state=change.state,
                    name=change.name[:_NAME] if change.name else None,
                    ended_at=change.ended_at,
                ),
            )
            return self._info(run_id)

    def delete(self, who: Principal, run_id: str) -> None:
        """Delete a run; it can be restored. One that is deleted already stays so.

        Raises: TrackedRunNotFound.
        """
        self._access.require(who, "tracking.delete", run_id)
        self._move(who, run_id, "deleted")

    def restore(self, who: Principal, run_id: str) -> None:
        """Restore a deleted run.

        Raises: TrackedRunNotFound.
        """
        self._access.require(who, "tracking.restore", run_id)
        self._move(who, run_id, "active")

    def search(self, who: Principal, query: RunQuery) -> RunPage:
        """Runs of experiments that meet all conditions, in the order asked for.

        Raises: BadSearch.
        """
        self._access.require(who, "tracking.search", query.project)
        check_max_results(query.limit, _PAGE)
        conditions = run_filter(query.filter)
        orders = run_orders(query.order_by)
        offset = page_offset(query.page_token)
        experiments = [
            self._experiments.get(who, one, project=query.project).id
            if rules.experiment_id(one) == DEFAULT_EXPERIMENT_ID
            else rules.experiment_id(one)
            for one in query.experiments
        ]
        with self._database.reading():
            found = self._search.find(
                experiments,
                LIFECYCLES[query.view],
                conditions,
                orders,
                page=(query.limit + 1, offset),
            )
            ids = found[: query.limit]
            infos = self._store.infos(ids)
            runs = self._store.load([infos[id_] for id_ in ids if id_ in infos])
        more = len(found) > query.limit
        return RunPage(runs=runs, next_page_token=page_token(offset + query.limit) if more else "")

    def log(self, who: Principal, run_id: str, batch: Batch) -> None:
        """Log points, settings and tags together, all or nothing.

        A run that belongs to no experiment yet is put into the default one of its project.
        Raises: TrackedRunNotFound, RunDeleted, BadKey, BatchTooLarge, ParamChanged, Unloggable.
        """
        self._access.require(who, "tracking.log", run_id)
        now = self._clock.now()
        points = [
            KeyedPoint(new.key, microseconds(new.at or now), new.step, new.value)
            for new in batch.metrics
        ]
        self.log_points(who, [RunLog(run_id, points, batch.params, batch.tags)])

    def log_points(self, who: Principal, logs: Sequence[RunLog]) -> None:
        """As `log`, of many requests at once, all or nothing, with the points as tuples."""
        points: dict[str, list[KeyedPoint]] = {}
        words = []
        for log in logs:
            self._access.require(who, "tracking.log", log.run)
            rules.check_points(log.points)
            settings, labels = log.params, log.tags
            if settings or labels:
                settings = rules.checked_params(settings.items())
                labels = rules.checked_tags(labels.items())
                words.append((log.run, settings, labels))
            rules.check_sizes(len(log.points), len(settings), len(labels))
            points.setdefault(log.run, []).extend(log.points)
        with self._database.transaction():
            self._check_active(who, list(points))
            for run_id, settings, _ in words:
                if settings and (changed := self._store.add_params(run_id, settings)):
                    raise ParamChanged(run_id, changed)
            if measured := {run_id: some for run_id, some in points.items() if some}:
                self._store.add_points(measured)
                for noted in self._listeners:
                    for run_id in measured:
                        noted(run_id)
            for run_id, _, labels in words:
                if labels:
                    self._set_tags(who, run_id, labels)

    def set_tag(self, who: Principal, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run; that of its name renames it.

        Raises: TrackedRunNotFound, RunDeleted, BadKey.
        """
        self._access.require(who, "tracking.set_tag", run_id)
        tags = rules.checked_tags([(key, value)], single=True)
        with self._database.transaction():
            self._check_active(who, [run_id])
            self._set_tags(who, run_id, tags)

    def delete_tag(self, who: Principal, run_id: str, key: str) -> None:
        """Take a tag of a run away.

        Raises: TrackedRunNotFound, RunDeleted, TagNotFound.
        """
        self._access.require(who, "tracking.delete_tag", run_id)
        with self._database.transaction():
            self._check_active(who, [run_id])
            if not self._store.remove_tag(run_id, key):
                raise TagNotFound(key, "run", run_id)

    def params(self, who: Principal, run_id: str) -> list[Param]:
        """A run's parameters, by key.

        Raises: RunNotFound.
        """
        self._access.require(who, "tracking.params", run_id)
        self._lineage.run(who, run_id)
        return self._store.params(run_id)

    def metrics(self, who: Principal, run_id: str) -> list[Metric]:
        """Each metric's last point, by key.

        Raises: RunNotFound.
        """
        self._access.require(who, "tracking.metrics", run_id)
        self._lineage.run(who, run_id)
        return [_metric(key, point) for key, point in self._store.latest(run_id).items()]

    def history(self, who: Principal, run_id: str, key: str) -> list[Metric]:
        """All points of one metric, by step.

        Raises: RunNotFound.
        """
        self._access.require(who, "tracking.history", run_id)
        self._lineage.run(who, run_id)
        points = self._store.history(run_id, key, HistoryQuery())
        return [_metric(key, point) for point in sorted(points, key=_by_step)]

    def points(
        self, who: Principal, run_id: str, key: str, query: HistoryQuery | None = None
    ) -> list[Point]:
        """Points of one metric by time, step and value; none where there is no such run."""
        self._access.require(who, "tracking.points", run_id)
        return self._store.history(run_id, key, query or HistoryQuery())

    def _open_experiment(self, who: Principal, experiment_id: str, project: str) -> Experiment:
        """An experiment that takes runs. Raises: ExperimentNotFound, ExperimentDeleted."""
        experiment = self._experiments.get(who, experiment_id, project=project)
        if experiment.lifecycle != "active":
            raise ExperimentDeleted(experiment.id)
        return experiment

    def _opened(self, new: NewTrackedRun, tags: Mapping[str, str], home: Experiment) -> NewRun:
        code, environment = facts_of(tags)
        parent = tags.get(_PARENT_TAG)
        known = parent is not None and self._store.lifecycle(parent) is not None
        return NewRun(
            kind=KIND,
            name=(new.name or tags[RUN_NAME_TAG])[:_NAME],
            project=home.project,
            parent=parent if known else None,
            started_at=new.started_at or self._clock.now(),
            code=code,
            environment=environment,
        )

    def _set_tags(self, who: Principal, run_id: str, tags: Mapping[str, str]) -> None:
        self._store.set_tags({run_id: tags})
        name = tags.get(RUN_NAME_TAG)
        if name:
            self._lineage.amend_run(who, run_id, RunAmendment(name=name[:_NAME]))

    def _move(self, who: Principal, run_id: str, lifecycle: Lifecycle) -> None:
        with self._database.transaction():
            if self._member(who, run_id) == lifecycle:
                return
            self._store.set_lifecycle(run_id, lifecycle, self._clock.now())
            run = self._lineage.run(who, run_id)
            action = "tracking.run.deleted" if lifecycle == "deleted" else "tracking.run.restored"
            self._events.tell(who, action, run_id, {"name": run.name}, project=run.project)

    def _info(self, run_id: str) -> RunInfo:
        info = self._store.infos([run_id]).get(run_id)
        if info is None:
            raise TrackedRunNotFound(run_id)
        return info

    def _check_active(self, who: Principal, run_ids: Sequence[str]) -> None:
        """Refuse runs that take nothing in. Raises: TrackedRunNotFound, RunDeleted."""
        known = self._store.lifecycles(run_ids)
        for run_id in run_ids:
            if (known.get(run_id) or self._member(who, run_id)) == "deleted":
                raise RunDeleted(run_id)

    def _member(self, who: Principal, run_id: str) -> Lifecycle:
        """A run's lifecycle; one of ours that belongs to no experiment yet is put into one."""
        lifecycle = self._store.lifecycle(run_id)
        if lifecycle is not None:
            return lifecycle
        info = self._prospect(who, run_id)
        self._store.add(
            Membership(
                run=info.id,
                experiment=info.experiment,
                lifecycle=info.lifecycle,
                user=info.user,
                artifact_uri=info.artifact_uri,
                started_at=info.started_at,
            )
        )
        return info.lifecycle

    def _prospect(self, who: Principal, run_id: str) -> RunInfo:
        """A run of ours as it will be once it belongs to an experiment."""
        try:
            found = self._lineage.run(who, run_id)
        except RunNotFound as error:
            raise TrackedRunNotFound(run_id) from error
        if found.id != run_id:  # what an id begins with is none
            raise TrackedRunNotFound(run_id)
        experiment = self._experiments.get(who, DEFAULT_EXPERIMENT_ID, project=found.project)
        return RunInfo(
            id=found.id,
            experiment=experiment.id,
            name=found.name,
            user=found.created_by,
            state=found.state,
            started_at=found.started_at,
            ended_at=found.ended_at,
            artifact_uri=_artifacts(experiment.artifact_location, found.id),
        )


def _first_tags(new: NewTrackedRun) -> dict[str, str]:
    """The tags that a run begins with: one of them is its name."""
    tags = dict(new.tags)
    tagged = tags.get(RUN_NAME_TAG, "")
    if new.name and tagged and new.name != tagged:
        raise Unloggable(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
            f"different values (run_name='{new.name}', mlflow.runName='{tagged}')."
        )
    tags[RUN_NAME_TAG] = tagged or new.name or made_up_name()
    return tags


def _artifacts(location: str, run_id: str) -> str:
    """Where a run keeps its files."""
    place, mark, query = location.partition("?")
    return f"{place.rstrip('/')}/{run_id}/artifacts{mark}{query}"


def _metric(key: str, point: Point) -> Metric:
    try:
        at = _EPOCH + timedelta(microseconds=point.at)
    except OverflowError:
        at = _LAST
    return Metric(key=key, value=point.value, step=point.step, at=at)


def _by_step(point: Point) -> tuple[int, int, float]:
    return point.step, point.at, point.value
