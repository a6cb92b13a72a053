"""The protocol's runs: opened, changed, found, and what is logged to them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby, starmap
from math import isinf
from operator import itemgetter
from typing import Any

from msgspec import Struct, field

from athanor.kernel import Principal
from athanor.lineage import RunState
from athanor.tracking.errors import (
    BadKey,
    BadSearch,
    BatchTooLarge,
    ParamChanged,
    RunDeleted,
    TagNotFound,
    TrackedRunNotFound,
    Unloggable,
)
from athanor.tracking.logic import rules
from athanor.tracking.mlflow.calls import GREATEST, Answered, Call, double
from athanor.tracking.mlflow.experiments import Tag, milliseconds, view_of
from athanor.tracking.mlflow.failures import MlflowError, bare, invalid
from athanor.tracking.mlflow.records import Record, Required
from athanor.tracking.mlflow.routing import MlflowRoutes
from athanor.tracking.service import Tracking
from athanor.tracking.service.writes import WriteQueue
from athanor.tracking.types import (
    KeyedPoint,
    NewTrackedRun,
    Point,
    RunChange,
    RunInfo,
    RunLog,
    RunQuery,
    TrackedRun,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 50_000
_as_point = partial(tuple.__new__, KeyedPoint)
_AT, _VALUE = itemgetter(1), itemgetter(3)
_LAST = rules.LAST_MOMENT * 1000
_LEAST = -1.7976931348623157e308

_STATUS_OF: dict[RunState, str] = {
    "running": "RUNNING",
    "waiting": "SCHEDULED",
    "done": "FINISHED",
    "cached": "FINISHED",
    "skipped": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
}
_STATE_OF: dict[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "waiting",
    "FINISHED": "done",
    "FAILED": "failed",
    "KILLED": "stopped",
    "1": "running",
    "2": "waiting",
    "3": "done",
    "4": "failed",
    "5": "stopped",
}


class CreateRun(Record):
    """runs/create."""

    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: list[Tag] = field(default_factory=list)


class OneRun(Record):
    """runs/get, delete, restore."""

    run_id: Required


class UpdateRun(Record):
    """runs/update."""

    run_id: Required
    status: Any = None
    end_time: int | None = None
    run_name: str | None = None


class SearchRuns(Record):
    """runs/search."""

    experiment_ids: list[str] = field(default_factory=list)
    filter: str = ""
    run_view_type: Any = "ACTIVE_ONLY"
    max_results: int = 1000
    order_by: list[str] = field(default_factory=list)
    page_token: str = ""


class LogMetric(Record):
    """runs/log-metric."""

    run_id: Required
    key: Required
    value: float
    timestamp: int
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class BatchMetric(Record, gc=False):
    """A point of a batch."""

    key: Required
    value: float
    timestamp: int
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class Setting(Record, gc=False):
    """A parameter of a batch."""

    key: Required
    value: str = ""


class BatchTag(Record, gc=False):
    """A tag of a batch."""

    key: Required
    value: str = ""


class LogBatch(Record):
    """runs/log-batch."""

    run_id: Required
    metrics: list[BatchMetric] = field(default_factory=list)
    params: list[Setting] = field(default_factory=list)
    tags: list[BatchTag] = field(default_factory=list)


class LogParameter(Record):
    """runs/log-parameter."""

    run_id: Required
    key: Required
    value: str = ""


class SetTag(Record):
    """runs/set-tag."""

    run_id: Required
    key: Required
    value: str = ""


class DeleteTag(Record):
    """runs/delete-tag."""

    run_id: Required
    key: Required


class Item(Struct, frozen=True, gc=False):
    """A parameter or a tag, as the protocol tells it."""

    key: str
    value: str


class Measured(Struct, frozen=True, gc=False):
    """A point, as the protocol tells it. An answer has thousands: hence no dicts."""

    key: str
    value: float | str
    timestamp: int
    step: int


Attached = Callable[[Principal, Sequence[str]], Mapping[str, Mapping[str, Any]]]
"""Finds what the protocol tells of runs beside their data: `inputs` and `outputs`, by run."""
ModelMetrics = Callable[[Principal, str, Sequence[LogMetric | BatchMetric]], None]
"""Keeps the points of a run that were measured of a logged model."""


_Starting = tuple[Principal, NewTrackedRun]
_Logged = tuple[Call, RunLog, Sequence[LogMetric | BatchMetric]]
"""A request, what it logs, and which of it was measured of logged models."""


def _caller(logged: _Logged) -> Principal:
    return logged[0].who


def nothing_attached(_who: Principal, _run_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """No run has inputs or outputs."""
    return {}


def no_models(_who: Principal, _run_id: str, _points: Sequence[LogMetric | BatchMetric]) -> None:
    """Nothing is measured of logged models."""


def shown_info(info: RunInfo) -> dict[str, Any]:
    """A run's fields as the protocol tells them."""
    told: dict[str, Any] = {
        "run_id": info.id,
        "run_uuid": info.id,
        "run_name": info.name,
        "experiment_id": info.experiment,
        "user_id": info.user,
        "status": _STATUS_OF[info.state],
        "start_time": milliseconds(info.started_at),
        "artifact_uri": info.artifact_uri,
        "lifecycle_stage": info.lifecycle,
    }
    if info.ended_at is not None:
        told["end_time"] = milliseconds(info.ended_at)
    return told


def shown_points(key: str, points: Iterable[Point]) -> list[Measured]:
    """A metric's points as the protocol tells them."""
    return [
        Measured(key, value if _LEAST <= value <= -_LEAST else double(value), at // 1000, step)
        for at, step, value in points
    ]


def shown(run: TrackedRun, attached: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A run as the protocol tells it."""
    data: dict[str, Any] = {}
    if run.metrics:
        data["metrics"] = [
            Measured(key, value if _LEAST <= value <= -_LEAST else double(value), at // 1000, step)
            for key, (at, step, value) in run.metrics.items()
        ]
    if run.params:
        data["params"] = list(starmap(Item, run.params.items()))
    if run.tags:
        data["tags"] = list(starmap(Item, run.tags.items()))
    told = {"info": shown_info(run.info), "data": data, "inputs": {}}
    if attached:
        told |= attached
    return told


def moment_of(given: int, name: str) -> datetime:
    """Milliseconds since 1970 as a moment.

    Raises: MlflowError.
    """
    try:
        return _EPOCH + timedelta(milliseconds=given)
    except OverflowError as error:
        raise invalid(
            f"Invalid value {given} for parameter '{name}' supplied: The time is out of range."
        ) from error


def add_run_routes(
    routes: MlflowRoutes,
    tracking: Tracking,
    writes: WriteQueue,
    *,
    attached: Attached = nothing_attached,
    model_metrics: ModelMetrics = no_models,
) -> None:
    """Answer for runs."""
    _Routes(tracking, writes, attached, model_metrics).join(routes)
    routes.translate(TrackedRunNotFound, "RESOURCE_DOES_NOT_EXIST", bare)
    routes.translate(TagNotFound, "RESOURCE_DOES_NOT_EXIST", bare)
    routes.translate(RunDeleted, "INVALID_PARAMETER_VALUE", bare)
    for wrong in (BadKey, BadSearch, BatchTooLarge, ParamChanged, Unloggable):
        routes.translate(wrong, "INVALID_PARAMETER_VALUE", bare)


class _Routes:
    def __init__(
        self,
        tracking: Tracking,
        writes: WriteQueue,
        attached: Attached,
        model_metrics: ModelMetrics,
    ) -> None:
        self._tracking = tracking
        self._writes = writes
        self._attached = attached
        self._model_metrics = model_metrics

    def join(self, routes: MlflowRoutes) -> None:
        for method, path, handler in (
            ("POST", "create", self.create),
            ("POST", "update", self.update),
            ("POST", "delete", self.delete),
            ("POST", "restore", self.restore),
            ("POST", "log-metric", self.log_metric),
            ("POST", "log-parameter", self.log_parameter),
            ("POST", "log-batch", self.log_batch),
            ("POST", "set-tag", self.set_tag),
            ("POST", "delete-tag", self.delete_tag),
        ):
            routes.add(method, f"runs/{path}", handler)
        routes.add("GET", "runs/get", self.get)
        routes.add("POST", "runs/search", self.search, writes=False)

    async def create(self, call: Call) -> Answered:
        asked = call.read(CreateRun)
        new = NewTrackedRun(
            experiment=asked.experiment_id or "0",
            project=call.project,
            name=asked.run_name,
            user=asked.user_id,
            started_at=moment_of(asked.start_time, "start_time"),
            tags=rules.first_tags((tag.key, tag.value) for tag in asked.tags),
        )
        return {"run": shown(await self._writes.share(self._start_all, (call.who, new)))}

    def _start_all(self, given: Sequence[_Starting]) -> list[TrackedRun]:
        """Open the runs that several requests want."""
        opened: list[TrackedRun] = []
        for who, some in groupby(given, key=itemgetter(0)):
            opened += self._tracking.start_all(who, [new for _, new in some])
        return opened

    def get(self, call: Call) -> Answered:
        asked = call.read(OneRun)
        # A client that continues a run of ours, as in a step, first asks for it.
        run = self._tracking.run(call.who, call.own_run(asked.run_id), untold=True)
        return {"run": shown(run, self._attached(call.who, [run.info.id]).get(run.info.id))}

    async def update(self, call: Call) -> Answered:
        asked = call.read(UpdateRun)
        change = RunChange(
            state=None if asked.status is None else _state_of(asked.status),
            name=asked.run_name,
            ended_at=None if asked.end_time is None else moment_of(asked.end_time, "end_time"),
        )
        info = await self._writes.run(
            lambda: self._tracking.update(call.who, call.own_run(asked.run_id), change)
        )
        return {"run_info": shown_info(info)}

    async def delete(self, call: Call) -> Answered:
        asked = call.read(OneRun)
        await self._writes.run(lambda: self._tracking.delete(call.who, call.own_run(asked.run_id)))
        return {}

    async def restore(self, call: Call) -> Answered:
        asked = call.read(OneRun)
        await self._writes.run(lambda: self._tracking.restore(call.who, call.own_run(asked.run_id)))
        return {}

    def search(self, call: Call) -> Answered:
        asked = call.read(SearchRuns)
        if asked.max_results > _PAGE:
            raise invalid(
                f"Invalid value {asked.max_results} for parameter 'max_results' supplied:  Hint: "
                "Value was of type 'int'. See the API docs for more information about request "
                "parameters."
            )
        page = self._tracking.search(
            call.who,
            RunQuery(
                experiments=call.own_experiments(asked.experiment_ids),
                project=call.project,
                filter=asked.filter,
                order_by=asked.order_by,
                view=view_of(asked.run_view_type),
                limit=asked.max_results,
                page_token=asked.page_token,
            ),
        )
        attached = self._attached(call.who, [run.info.id for run in page.runs])
        told: dict[str, Any] = {}
        if page.runs:
            told["runs"] = [shown(run, attached.get(run.info.id)) for run in page.runs]
        if page.next_page_token:
            told["next_page_token"] = page.next_page_token
        return told

    async def log_metric(self, call: Call) -> Answered:
        asked = call.read(LogMetric)
        points = [_point(asked)]
        rules.check_points(points, single=True)
        await self._log(call, asked.run_id, points, measured=[asked])
        return b"{}"

    async def log_parameter(self, call: Call) -> Answered:
        asked = call.read(LogParameter)
        settings = rules.checked_params([(asked.key, asked.value)], single=True)
        try:
            await self._log(call, asked.run_id, [], params=settings)
        except ParamChanged as error:
            (changed,) = error.details["changes"]
            raise invalid(
                f"Changing param values is not allowed. Param with key='{changed['key']}' was "
                f"already logged with value='{changed['old_value']}' for run ID='{asked.run_id}'. "
                f"Attempted logging new value '{changed['new_value']}'."
            ) from error
        return b"{}"

    async def log_batch(self, call: Call) -> Answered:
        asked = call.read(LogBatch)
        rules.check_run_id(asked.run_id)
        points = _points(asked.metrics)
        settings = rules.checked_params((param.key, param.value) for param in asked.params)
        tags = rules.checked_tags((tag.key, tag.value) for tag in asked.tags)
        rules.check_sizes(len(points), len(asked.params), len(asked.tags))
        await self._log(
            call, asked.run_id, points, params=settings, tags=tags, measured=asked.metrics
        )
        return b"{}"

    async def set_tag(self, call: Call) -> Answered:
        asked = call.read(SetTag)
        await self._writes.run(
            lambda: self._tracking.set_tag(
                call.who, call.own_run(asked.run_id), asked.key, asked.value
            )
        )
        return b"{}"

    async def delete_tag(self, call: Call) -> Answered:
        asked = call.read(DeleteTag)
        await self._writes.run(
            lambda: self._tracking.delete_tag(call.who, call.own_run(asked.run_id), asked.key)
        )
        return b"{}"

    async def _log(
        self,
        call: Call,
        run_id: str,
        points: Sequence[KeyedPoint],
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        measured: Sequence[LogMetric | BatchMetric] = (),
    ) -> None:
        log = RunLog(run_id, points, params or {}, tags or {})
        of_models = [metric for metric in measured if metric.model_id]
        await self._writes.share(self._log_all, (call, log, of_models))

    def _log_all(self, given: Sequence[_Logged]) -> Sequence[None]:
        """Log what several requests bring."""
        for who, some in groupby(given, key=_caller):
            logs = []
            for call, log, _ in some:
                call.own_run(log.run)
                logs.append(log)
            self._tracking.log_points(who, logs)
        for call, log, of_models in given:
            if of_models:
                self._model_metrics(call.who, log.run, of_models)
        return [None] * len(given)


def _points(given: Sequence[BatchMetric]) -> list[KeyedPoint]:
    # Batches have a thousand: this takes a third of the time of making them one by one.
    points = [_as_point((one.key, one.timestamp * 1000, one.step, one.value)) for one in given]
    if max(map(_AT, points), default=0) > _LAST or any(map(isinf, map(_VALUE, points))):
        return [_point(one) for one in given]
    return points


def _point(given: LogMetric | BatchMetric) -> KeyedPoint:
    if given.timestamp > rules.LAST_MOMENT:
        rules.check_time(given.timestamp, "timestamp")
    value = min(max(given.value, -GREATEST), GREATEST)
    return KeyedPoint(given.key, given.timestamp * 1000, given.step, value)


def _state_of(status: object) -> RunState:
    found = _STATE_OF.get(str(status))
    if found is None:
        raise MlflowError(
            "INVALID_PARAMETER_VALUE", f"Invalid value {str(status)[:100]!r} for a run's status."
        )
    return found
