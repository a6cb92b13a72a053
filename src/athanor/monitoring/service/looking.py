"""A look at one endpoint: a worker judges what is new, and what it found is kept and told."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from athanor.kernel import Clock, Database, Events, Principal, Storage
from athanor.kernel.workers import Workers
from athanor.lineage import Artifact, Lineage, NewArtifact, NewRun
from athanor.monitoring.errors import LogMoved, ReferenceGone
from athanor.monitoring.ports import ModelSource, PredictionLog
from athanor.monitoring.service.alerts import Alerts, Found
from athanor.monitoring.store import MonitorStore
from athanor.monitoring.types import (
    AlertKind,
    Monitor,
    Performance,
    Window,
    WindowReport,
)
from athanor.monitoring.work.messages import LOOK, Judged, Looked, Order, Pending, Place, Watched
from athanor.registry import ModelVersion, held

_SECONDS = 300.0
"""How long one look may take."""
_TRIES = 3
"""Looks at a log whose parts are moved meanwhile."""
_PENDING = 20
"""Windows that may wait for their labels; older ones are given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The rooms and the parts that monitoring works with."""

    lineage: Lineage
    models: ModelSource
    predictions: PredictionLog
    storage: Storage
    workers: Workers
    alerts: Alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """What a look compares: the version's own artifact and the table that it was trained on."""

    version: ModelVersion
    reference: Artifact


class Looking:
    """Looks, and keeps what a look found."""

    def __init__(
        self,
        store: MonitorStore,
        database: Database,
        *,
        events: Events,
        clock: Clock,
        neighbours: Neighbours,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._clock = clock
        self._near = neighbours

    def look(self, by: Principal, monitor: Monitor, *, rest: bool) -> tuple[list[Window], int]:
        """Judge the full windows that came, with `rest` the last one too; and how many rows stay.

        Raises: LogMoved where it is moved again and again, and what a worker raises.
        """
        for _ in range(_TRIES - 1):
            with suppress(LogMoved):
                return self._look(by, monitor, rest=rest)
        return self._look(by, monitor, rest=rest)

    def _look(self, by: Principal, monitor: Monitor, *, rest: bool) -> tuple[list[Window], int]:
        if monitor.reference_id is None:
            return [], 0
        near = self._near
        compared = _Compared(
            version=near.models.version(by, f"{monitor.model}@{monitor.version}"),
            reference=near.lineage.artifact(by, monitor.reference_id),
        )
        order = Order(
            sources=near.predictions.sources(),
            watched=_watched(monitor, compared.version),
            settings=monitor.settings,
            read=monitor.read,
            sketch=near.storage.read(monitor.sketch) if monitor.sketch else None,
            table=_place(compared.reference, near.storage, needed=not monitor.sketch),
            pending=self._pending(monitor),
            rest=rest,
        )
        answer = near.workers.call(LOOK, {"order": order}, timeout=_SECONDS)
        looked = msgspec.convert(answer, Looked, builtin_types=(bytes, datetime))
        return self._keep(by, monitor, compared, looked), looked.left

    def report(self, by: Principal, artifact_id: str) -> WindowReport:
        """A kept report. Raises: ArtifactNotFound, BlobNotFound."""
        artifact = self._near.lineage.artifact(by, artifact_id)
        return msgspec.json.decode(self._near.storage.read(artifact.digest), type=WindowReport)

    def _pending(self, monitor: Monitor) -> list[Pending]:
        return [
            Pending(
                id=window.id,
                model=window.model,
                version=window.version,
                first_at=window.first_at,
                last_at=window.last_at,
            )
            for window in self._store.unlabelled(monitor.endpoint, _PENDING)
            if window.first_at is not None
            and window.last_at is not None
            and (window.model, window.version) == (monitor.model, monitor.version)
        ]

    def _keep(
        self, by: Principal, monitor: Monitor, compared: _Compared, looked: Looked
    ) -> list[Window]:
        """Write down what a look found, unless somebody else looked meanwhile."""
        storage = self._near.storage
        sketch = monitor.sketch
        if looked.sketch is not None:
            sketch = storage.put_bytes(looked.sketch).digest
        stored = [storage.put_bytes(msgspec.json.encode(item.report)) for item in looked.windows]
        with self._database.transaction():
            now = self._store.lock(monitor.endpoint)
            if now is None or (now.read, now.deployment) != (monitor.read, monitor.deployment):
                return []
            windows: list[Window] = []
            for judged, blob in zip(looked.windows, stored, strict=True):
                artifact = NewArtifact(
                    type="report",
                    name=f"{now.endpoint} window {now.windows + len(windows) + 1}",
                    uri=blob.uri,
                    digest=blob.digest,
                    size=blob.size,
                    metadata={
                        "kind": "monitor",
                        "blob": blob.digest,
                        "layout": "file",
                        "file": "window.json",
                        "endpoint": now.endpoint,
                        "verdict": judged.report.verdict.value,
                    },
                    project=now.project,
                )
                number = now.windows + len(windows) + 1
                windows.append(self._record(by, now, compared, judged, (number, artifact)))
            for window_id, performance in looked.performance.items():
                self._store.set_performance(window_id, performance)
                self._alert_performance(now, window_id, performance)
            if windows or sketch != now.sketch:
                self._store.change(_advanced(now, windows, looked, sketch, self._clock))
        return windows

    def _record(
        self,
        by: Principal,
        monitor: Monitor,
        compared: _Compared,
        judged: Judged,
        made: tuple[int, NewArtifact],
    ) -> Window:
        """Keep one window, its run and its report, and alert where it is not healthy."""
        number, new = made
        lineage = self._near.lineage
        labels = {"endpoint": monitor.endpoint, "verdict": judged.report.verdict.value}
        run = lineage.start_run(
            by, NewRun(kind="monitor", name=new.name, project=monitor.project, labels=labels)
        )
        lineage.consumed(by, run.id, held(compared.version), "model")
        lineage.consumed(by, run.id, compared.reference.id, "reference")
        artifact = lineage.record(by, new)
        lineage.produced(by, run.id, artifact.id, "report")
        lineage.finish_run(by, run.id)
        window = Window(
            id=run.id,
            endpoint=monitor.endpoint,
            model=monitor.model,
            version=monitor.version,
            number=number,
            rows=judged.report.rows,
            first_at=judged.first_at,
            last_at=judged.last.at,
            verdict=judged.report.verdict,
            reason=judged.report.reason,
            drifted=judged.report.drifted,
            report_id=artifact.id,
            judged_at=self._clock.now(),
        )
        self._store.add_window(window)
        detail = {
            "window": number,
            "rows": window.rows,
            "verdict": window.verdict.value,
            "drifted": window.drifted,
            "report": artifact.id,
        }
        self._events.tell(
            by, "monitoring.window.judged", monitor.endpoint, detail, project=monitor.project
        )
        self._alert(monitor, window, judged.report)
        return window

    def _alert(self, monitor: Monitor, window: Window, report: WindowReport) -> None:
        drifted = sorted(
            (item for item in report.columns if item.drifted), key=lambda item: item.p_value
        )
        if drifted:
            words = "\n".join(f"{item.column}: {item.explanation}" for item in drifted)
            self._near.alerts.raise_alert(
                Found(
                    kind=AlertKind.DRIFT,
                    subject=monitor.endpoint,
                    project=monitor.project,
                    explanation=words,
                    columns=report.drifted,
                    false_alarm_rate=report.false_alarm_rate,
                    detail=_detail(monitor, window)
                    | {"outputs": [item.column for item in drifted if item.role == "output"]},
                )
            )
        # A drifted column's unseen or far values are told with its drift.
        known = {item.column for item in drifted}
        bad = [item for item in report.quality if item.column not in known]
        if bad:
            words = "\n".join(f"{item.column}: {item.explanation}" for item in bad)
            self._near.alerts.raise_alert(
                Found(
                    kind=AlertKind.QUALITY,
                    subject=monitor.endpoint,
                    project=monitor.project,
                    explanation=words,
                    columns=sorted({item.column for item in bad}),
                    false_alarm_rate=report.false_alarm_rate,
                    detail=_detail(monitor, window),
                )
            )

    def _alert_performance(
        self, monitor: Monitor, window_id: str, performance: Performance
    ) -> None:
        if not performance.degraded:
            return
        found = (
            window
            for window in self._store.windows(monitor.endpoint, 10 * _PENDING)
            if window.id == window_id
        )
        for window in found:
            self._near.alerts.raise_alert(
                Found(
                    kind=AlertKind.PERFORMANCE,
                    subject=monitor.endpoint,
                    project=monitor.project,
                    explanation=performance.explanation,
                    false_alarm_rate=monitor.settings.false_alarm_rate,
                    detail=_detail(monitor, window)
                    | {"metric": performance.metric, "value": performance.value},
                )
            )


def _watched(monitor: Monitor, version: ModelVersion) -> Watched:
    positive = version.signature.positive
    return Watched(
        endpoint=monitor.endpoint,
        model=monitor.model,
        version=monitor.version,
        inputs=[column.name for column in version.signature.inputs],
        positive=None if positive is None else str(positive),
        performance=dict(version.metrics),
    )


def _place(reference: Artifact, storage: Storage, *, needed: bool) -> Place:
    """Where the rows of a table or of a dataset version lie.

    Raises: ReferenceGone, where its summary is still to be made.
    """
    told = reference.metadata
    if "delta_version" in told:
        return Place(table_uri=told["table_uri"], delta_version=told["delta_version"])
    blob = str(told.get("blob") or reference.digest)
    if needed and blob.startswith("sha256:") and not storage.exists(blob):
        raise ReferenceGone(reference.name)
    path = storage.path_of(blob)
    return Place(files=[str(path) if path is not None else reference.uri])


def _advanced(
    monitor: Monitor, windows: list[Window], looked: Looked, sketch: str | None, clock: Clock
) -> Monitor:
    now = clock.now()
    if not windows:
        return replace(monitor, sketch=sketch, updated_at=now)
    return replace(
        monitor,
        sketch=sketch,
        read=looked.windows[-1].last,
        windows=monitor.windows + len(windows),
        last_verdict=windows[-1].verdict,
        last_run_at=now,
        updated_at=now,
    )


def _detail(monitor: Monitor, window: Window) -> dict[str, Any]:
    """What a trigger may hand on to the pipeline that it starts."""
    return {
        "endpoint": monitor.endpoint,
        "model": monitor.model,
        "version": monitor.version,
        "monitor": monitor.endpoint,
        "window": window.number,
        "rows": window.rows,
        "since": window.first_at.isoformat() if window.first_at else None,
        "until": window.last_at.isoformat() if window.last_at else None,
        "report": window.report_id,
        "run": window.id,
    }
