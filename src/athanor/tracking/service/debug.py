"""Hints on trainings: judged while they log, and once more when they end.

Points only mark their run; a thread judges marked runs, each at most once a second, and the more
seldom the longer it takes, so that logging is not held up. The end of a run queues a job, which
looks at the model, too.
"""

import contextlib
import json
import logging
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from athanor.kernel import SYSTEM, Access, AthanorError, Clock, Database, Event, Events, Jobs
from athanor.kernel.jobs import Job
from athanor.kernel.permissions import Principal
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage
from athanor.tracking.errors import TrackedRunNotFound
from athanor.tracking.hints import STOP_TAG, Diagnosis, Hint
from athanor.tracking.inputs import CONTEXT, RunInputs
from athanor.tracking.logic.debug.judgements import Judged
from athanor.tracking.logic.debug.rules import judged
from athanor.tracking.logic.debug.series import Kind, Layer, Series, Told, finite, named
from athanor.tracking.service.files import RunFiles
from athanor.tracking.service.inputs import Inputs
from athanor.tracking.service.logged_models import LoggedModels
from athanor.tracking.service.tracking import Tracking
from athanor.tracking.store.hints import HintStore
from athanor.tracking.types import TrackedRun

_log = logging.getLogger(__name__)

_JOB = "tracking.judge"
_REST = 9
"""How many times as long as a judgement took nothing is judged: a tenth of a processor."""
_LONGEST_REST_SECONDS = 2.0
_EVERY_SECONDS = 1.0
_PATIENCE = 20.0
"""A run is judged again after so many times what judging it took."""
_SERIES = 64
_POINTS = 2_000
_MODEL_BYTES = 256 << 20
_MODEL_SECONDS = 30.0
_LOOK = "athanor.tracking.work.weights:look"
_TREE = "mlflow-artifacts:"
_IMPORTANCES = ("feature_importance_gain.json", "feature_importance_weight.json")
_MODEL_FILES = ("model.pkl", "model.skops", "data/model.keras")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugNeighbours:
    """What judging asks of others."""

    tracking: Tracking
    lineage: Lineage
    inputs: Inputs
    files: RunFiles
    models: LoggedModels
    workers: Workers


class Debug:
    """What is wrong with trainings."""

    def __init__(
        self,
        store: HintStore,
        database: Database,
        *,
        neighbours: DebugNeighbours,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._around = neighbours
        self._events = events
        self._access = access
        self._clock = clock
        self._judging = threading.Lock()

    def diagnosis(self, who: Principal, run_id: str) -> Diagnosis:
        """What is wrong with a run as far as it was judged, and whether it should stop.

        Raises: TrackedRunNotFound.
        """
        self._access.require(who, "tracking.diagnosis", run_id)
        run = self._around.tracking.run(who, run_id)
        hints = self._store.of(run_id)
        wanted = {word.strip() for word in run.tags.get(STOP_TAG, "").split(",")}
        stop = any("all" in wanted or hint.rule in wanted for hint in hints)
        return Diagnosis(run=run_id, hints=hints, stop=stop)

    def judge(self, who: Principal, run_id: str, *, whole: bool = False) -> Diagnosis:
        """Judge a run now; with `whole`, and once it has ended, by its model and files, too.

        Raises: TrackedRunNotFound.
        """
        self._access.require(who, "tracking.judge", run_id)
        run = self._around.tracking.run(who, run_id)
        with self._judging:
            told = self._told(who, run, whole=whole or run.info.ended_at is not None)
            self._keep(run, judged(told) if told.series or told.layers else [])
        return self.diagnosis(who, run_id)

    def concerns(self, run_id: str) -> bool:
        """Whether a run has logged anything that can be judged."""
        return self._store.logged(run_id)

    def _keep(self, run: TrackedRun, found: Sequence[Judged]) -> None:
        before = {hint.rule: hint for hint in self._store.of(run.info.id)}
        now = self._clock.now()
        hints = [_hint(item, before.get(item.rule), now) for item in found]
        if {hint.rule: hint for hint in hints} == before:
            return
        with self._database.transaction():
            self._store.replace(run.info.id, hints)
            for hint in hints:
                if hint.rule not in before:
                    detail = {
                        "rule": hint.rule,
                        "metric": hint.metric,
                        "step": hint.step,
                        "message": hint.message,
                        "name": run.info.name,
                    }
                    self._events.tell(SYSTEM, "tracking.run.hinted", run.info.id, detail)

    def _told(self, who: Principal, run: TrackedRun, *, whole: bool) -> Told:
        inputs = self._around.inputs.inputs(who, [run.info.id]).get(run.info.id, RunInputs())
        training = _training_names(inputs)
        series: list[Series] = []
        for key in sorted(run.metrics):
            what = named(key, training_names=training)
            if what is not None and len(series) < _SERIES:
                logged = self._around.tracking.points(who, run.info.id, key)
                points = _thinned(sorted(logged, key=lambda point: (point.step, point.at)))
                series.append(
                    Series(
                        key=key,
                        named=what,
                        steps=[point.step for point in points],
                        values=[point.value for point in points],
                    )
                )
        told = Told(
            series=[item for item in series if item.values],
            params=dict(run.params),
            rows=_rows(inputs),
            ended=run.info.ended_at is not None,
        )
        return self._with_model(who, run, inputs, told) if whole else told

    def _with_model(self, who: Principal, run: TrackedRun, inputs: RunInputs, told: Told) -> Told:
        """What the run's files and its model tell beside its series."""
        importances: Mapping[str, float] = {}
        for name in _IMPORTANCES:
            importances = importances or self._importances(who, run, name)
        looked = self._model(who, [output.model_id for output in inputs.outputs])
        curve = looked.get("curve") or []
        what = named("train_loss")
        more = []
        if curve and what is not None and not _has_curve(told.series):
            steps = list(range(1, len(curve) + 1))
            more = [Series(key="loss_curve_", named=what, steps=steps, values=curve)]
        return Told(
            series=[*told.series, *more],
            params=told.params,
            rows=told.rows,
            layers=[Layer(**layer) for layer in looked.get("layers") or []],
            importances=importances,
            priors=looked.get("priors") or [],
            ended=told.ended,
        )

    def _importances(self, who: Principal, run: TrackedRun, name: str) -> Mapping[str, float]:
        place = run.info.artifact_uri.removeprefix(_TREE).strip("/")
        try:
            entry = self._around.files.file(who, f"{place}/{name}", project=self._project(run))
            found = json.loads(b"".join(self._around.files.read(who, entry)))
            return {str(key): float(value) for key, value in found.items()}
        except (AthanorError, ValueError, AttributeError, TypeError):
            return {}

    def _model(self, who: Principal, models: Sequence[str]) -> Mapping[str, Any]:
        """What the arrays of the newest logged model look like; nothing of it is run."""
        for model_id in reversed(models):
            with contextlib.suppress(AthanorError):
                model = self._around.models.get(who, model_id)
                place = model.location.removeprefix(_TREE).strip("/")
                for name in _MODEL_FILES:
                    found = self._looked_at(who, f"{place}/{name}", model.project)
                    if found:
                        return found
        return {}

    def _looked_at(self, who: Principal, path: str, project: str) -> Mapping[str, Any]:
        files = self._around.files
        try:
            entry = files.file(who, path, project=project)
        except AthanorError:
            return {}
        if entry.size > _MODEL_BYTES:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model"
            with copy.open("wb") as stream:
                for piece in files.read(who, entry):
                    stream.write(piece)
            looked = self._around.workers.call(_LOOK, {"path": str(copy)}, timeout=_MODEL_SECONDS)
        return dict(looked)

    def _project(self, run: TrackedRun) -> str:
        return self._around.lineage.run(SYSTEM, run.info.id).project


class DebugWatch:
    """Judges runs as they log, and when they have ended."""

    def __init__(self, debug: Debug, jobs: Jobs) -> None:
        self._debug = debug
        self._jobs = jobs
        self._due: dict[str, float] = {}
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="debug", daemon=True)

    def attach(self, events: Events) -> None:
        """Let runs be judged once they have ended."""
        self._jobs.handle(_JOB, self._judge_whole)
        # Runs of pipelines, ingests and so on log nothing: no transaction and no job for them.
        events.subscribe(
            "tracking.debug",
            self._ended,
            ("lineage.run.finished",),
            wants=lambda event: self._debug.concerns(event.subject),
        )

    def start(self) -> None:
        """Begin to judge."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was not judged yet is judged when the run ends."""
        self._stop.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()

    def note(self, run_id: str) -> None:
        """A run has logged points. It costs next to nothing."""
        if run_id not in self._due:
            self._due[run_id] = time.monotonic() + _EVERY_SECONDS
            self._news.set()

    def _ended(self, event: Event) -> None:
        self._jobs.submit(_JOB, {"run": event.subject}, key=f"{_JOB}:{event.subject}")

    def _judge_whole(self, job: Job) -> None:
        with contextlib.suppress(TrackedRunNotFound):
            self._debug.judge(SYSTEM, str(job.payload["run"]), whole=True)

    def _watch(self) -> None:
        pauses: dict[str, float] = {}
        while not self._stop.is_set():
            if not self._due:
                self._news.wait()
                self._news.clear()
                continue
            now = time.monotonic()
            for run_id, due in list(self._due.items()):
                if due <= now:
                    # First: what is logged meanwhile marks it anew.
                    self._due.pop(run_id, None)
                    took = self._judge(run_id)
                    # Hints may come later; who logs must not wait for them.
                    if self._stop.wait(min(took * _REST, _LONGEST_REST_SECONDS)):
                        return
                    if took * _PATIENCE > _EVERY_SECONDS:
                        pauses[run_id] = time.monotonic() + took * _PATIENCE
            for run_id, until in list(pauses.items()):
                if run_id in self._due:
                    self._due[run_id] = max(self._due[run_id], until)
                if until < now:
                    del pauses[run_id]
            wait = min(self._due.values(), default=now + _EVERY_SECONDS) - time.monotonic()
            self._news.wait(max(0.05, wait))
            self._news.clear()

    def _judge(self, run_id: str) -> float:
        began = time.monotonic()
        try:
            self._debug.judge(SYSTEM, run_id)
        except AthanorError:
            pass  # deleted meanwhile
        except Exception:  # noqa: BLE001 - the other runs are judged all the same
            _log.exception("run %s could not be judged", run_id)
        return time.monotonic() - began


def _hint(item: Judged, before: Hint | None, now: Any) -> Hint:
    return Hint(
        rule=item.rule.value,
        metric=item.metric,
        step=item.step,
        message=item.message,
        advice=item.advice,
        measured=item.measured,
        at=before.at if before else now,
    )


def _has_curve(series: Iterable[Series]) -> bool:
    return any(item.named.kind is Kind.LOSS and len(item) >= 5 for item in series)


def _thinned(points: Sequence[Any]) -> Sequence[Any]:
    """At most some thousand points: every so many-th, the last one, and the first odd one."""
    if len(points) <= _POINTS:
        return points
    stride = -(-len(points) // _POINTS)
    kept = {*range(0, len(points), stride), len(points) - 1}
    odd = next((n for n, point in enumerate(points) if not finite([point.value])), None)
    if odd is not None:
        kept.add(odd)
    return [points[n] for n in sorted(kept)]


def _training_names(inputs: RunInputs) -> frozenset[str]:
    """Names of evaluation sets that are the training data under another name."""
    digests = {item.dataset.digest for item in inputs.datasets if _context(item.tags) == "train"}
    return frozenset(
        item.dataset.name for item in inputs.datasets if item.dataset.digest in digests
    )


def _rows(inputs: RunInputs) -> dict[str, int]:
    """The rows of the run's datasets; an evaluation set that is the training data is left out."""
    found: dict[str, int] = {}
    training = {item.dataset.digest for item in inputs.datasets if _context(item.tags) == "train"}
    for item in inputs.datasets:
        context = _context(item.tags)
        if context != "train" and item.dataset.digest in training:
            continue
        try:
            profile = json.loads(item.dataset.profile or "{}")
            rows = int(profile.get("num_rows") or _first(profile.get("features_shape")))
        except (ValueError, TypeError, AttributeError):
            continue
        found[context] = max(rows, found.get(context, 0))
    return found


def _first(shape: Any) -> Any:
    if isinstance(shape, dict):
        shape = next(iter(shape.values()), None)
    return shape[0] if isinstance(shape, list) and shape else None


def _context(tags: Mapping[str, str]) -> str:
    said = tags.get(CONTEXT, "").lower()
    return "train" if said.startswith("train") else said
