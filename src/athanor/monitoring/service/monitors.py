"""The verbs of monitors, and how they follow their endpoints."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any

from athanor.kernel import (
    SYSTEM,
    Access,
    Clock,
    Database,
    Event,
    Events,
    NotFound,
    Principal,
    new_id,
)
from athanor.monitoring.catalogue import INDICATORS
from athanor.monitoring.errors import (
    BadMonitorSetting,
    LogMoved,
    MonitorNotFound,
    NoReference,
    WindowNotFound,
)
from athanor.monitoring.service.alerts import Found
from athanor.monitoring.service.looking import Looking, Neighbours
from athanor.monitoring.service.tally import Tally
from athanor.monitoring.store import MonitorStore
from athanor.monitoring.types import (
    AlertFilter,
    AlertKind,
    AlertState,
    Cursor,
    Indicator,
    Monitor,
    MonitorSettings,
    SettingsChange,
    Window,
    WindowReport,
    WindowVerdict,
)

_log = logging.getLogger(__name__)

_OF_ENDPOINT = (AlertKind.DRIFT, AlertKind.QUALITY, AlertKind.PERFORMANCE, AlertKind.MONITOR)
_ALL = 1000
_LOOKS = "it looks again"
LISTENED = (
    "serving.deployment.created",
    "serving.traffic.changed",
    "serving.endpoint.removed",
)
"""The actions that `Monitors.on_event` is to be subscribed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logs:
    """What the logs look like from outside."""

    rows: int
    labels: int
    files: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """When an endpoint was looked at last."""

    logs: _Logs
    deployment: str
    settings: MonitorSettings
    wanted: int
    """New predictions, at least, that its next window needs."""


class Monitors:
    """One monitor an endpoint: it judges windows of predictions against the training data."""

    def __init__(
        self,
        store: MonitorStore,
        database: Database,
        *,
        events: Events,
        access: Access,
        clock: Clock,
        neighbours: Neighbours,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._access = access
        self._clock = clock
        self._near = neighbours
        self._looking = Looking(store, database, events=events, clock=clock, neighbours=neighbours)
        self._looked: dict[str, _Looked] = {}
        self._predicted, self._labelled = Tally(), Tally()
        self._one_look = Lock()
        self._failed: set[str] = set()
        """Endpoints whose last look failed."""

    def monitors(self, who: Principal) -> list[Monitor]:
        """All monitors, by endpoint."""
        self._access.require(who, "monitoring.monitors", "*")
        problems = self._problems()
        return [_shown(item, problems) for item in self._store.list_monitors()]

    def monitor(self, who: Principal, name: str) -> Monitor:
        """The monitor of an endpoint.

        Raises: MonitorNotFound.
        """
        self._access.require(who, "monitoring.monitor", name)
        return _shown(self._monitor(name), self._problems())

    def configure(self, who: Principal, name: str, change: SettingsChange) -> Monitor:
        """Change how an endpoint is watched, from its next window on.

        Raises: MonitorNotFound, BadMonitorSetting.
        """
        self._access.require(who, "monitoring.configure", name)
        with self._database.transaction():
            monitor = self._store.lock(name) or self._monitor(name)
            settings = _changed(monitor.settings, change)
            state = monitor.state
            if change.paused is not None and monitor.reference_id is not None:
                state = "paused" if change.paused else "watching"
            same = (settings.block, settings.leave_out) == (
                monitor.settings.block,
                monitor.settings.leave_out,
            )
            changed = replace(
                monitor,
                settings=settings,
                state=state,
                sketch=monitor.sketch if same else None,
                updated_at=self._clock.now(),
            )
            self._store.change(changed)
            detail = {"settings": asdict(settings), "state": state}
            self._events.tell(
                who, "monitoring.monitor.changed", name, detail, project=monitor.project
            )
        return changed

    def run(self, who: Principal, name: str) -> Window:
        """Judge all that came since the last window, now; the newest window judged.

        Too few new rows make a window of number 0 that is not kept, and stay for the next one.
        Raises: MonitorNotFound, NoReference.
        """
        self._access.require(who, "monitoring.run", name)
        monitor = self._monitor(name)
        if monitor.reference_id is None:
            raise NoReference(name, f"{monitor.model}@{monitor.version}")
        windows, left = self._looking.look(who, monitor, rest=True)
        self._near.alerts.close_all(monitor.project, name, [AlertKind.MONITOR], _LOOKS)
        if windows:
            return windows[-1]
        minimum = monitor.settings.minimum_rows
        return Window(
            id=new_id(),
            endpoint=name,
            model=monitor.model,
            version=monitor.version,
            number=0,
            rows=left,
            verdict=WindowVerdict.TOO_SMALL,
            reason=f"{left:,} new predictions, fewer than the {minimum:,} asked for; they stay "
            "for the next window.",
            judged_at=self._clock.now(),
        )

    def windows(self, who: Principal, name: str, *, limit: int = 50) -> list[Window]:
        """The windows that were judged, newest first.

        Raises: MonitorNotFound.
        """
        self._access.require(who, "monitoring.windows", name)
        self._monitor(name)
        return self._store.windows(name, limit)

    def report(self, who: Principal, name: str, number: int) -> WindowReport:
        """All that was found in one window, column by column.

        Raises: MonitorNotFound, WindowNotFound, BlobNotFound.
        """
        self._access.require(who, "monitoring.report", name)
        self._monitor(name)
        window = self._store.window(name, number)
        if window is None or window.report_id is None:
            raise WindowNotFound(name, number)
        return self._looking.report(who, window.report_id)

    def indicators(self, who: Principal) -> list[Indicator]:
        """What each figure means, how it is computed, and when it misleads."""
        self._access.require(who, "monitoring.indicators", "*")
        return list(INDICATORS)

    def exist(self) -> bool:
        """Whether there is any endpoint that a look could be for."""
        return bool(self._store.list_monitors())

    def look(self) -> int:
        """Judge every full window of every endpoint that is watched; how many were judged."""
        judged = 0
        with self._one_look:
            now = self._state_of_logs()
            problems = self._problems()
            for monitor in self._store.list_monitors():
                if monitor.state != "watching" or not self._due(monitor, now):
                    continue
                try:
                    windows, left = self._looking.look(SYSTEM, monitor, rest=False)
                except LogMoved:
                    continue  # the next look is due in a few seconds
                except Exception as error:  # noqa: BLE001 - one monitor must not stop the others
                    self._fails(monitor, error, problems)
                    continue
                self._failed.discard(monitor.endpoint)
                if monitor.endpoint in problems:
                    self._near.alerts.close_all(
                        monitor.project, monitor.endpoint, [AlertKind.MONITOR], _LOOKS
                    )
                judged += len(windows)
                self._looked[monitor.endpoint] = _Looked(
                    logs=now,
                    deployment=monitor.deployment,
                    settings=monitor.settings,
                    wanted=monitor.settings.window_rows - left,
                )
        return judged

    def _problems(self) -> dict[str, str]:
        """By endpoint, why its monitor can't look."""
        wanted = AlertFilter(state=AlertState.OPEN, kind=AlertKind.MONITOR, limit=_ALL)
        return {
            item.subject: str(item.detail.get("problem", item.explanation))
            for item in self._near.alerts.alerts(SYSTEM, wanted)
        }

    def _fails(self, monitor: Monitor, error: Exception, problems: Mapping[str, str]) -> None:
        """Tell once why a monitor can't look, twice in a row; it is tried again with each look."""
        if problems.get(monitor.endpoint) == str(error):
            return
        _log.warning("the monitor %s could not look: %s", monitor.endpoint, error)
        if monitor.endpoint not in self._failed:
            self._failed.add(monitor.endpoint)
            return  # its worker may have ended with the server: the next look tells
        words = f"The monitor can't look, so drift is not noticed: {error}"
        detail = {"endpoint": monitor.endpoint, "problem": str(error)}
        self._near.alerts.raise_alert(
            Found(
                kind=AlertKind.MONITOR,
                subject=monitor.endpoint,
                project=monitor.project,
                explanation=words,
                detail=detail | {"model": monitor.model, "version": monitor.version},
            )
        )

    def _state_of_logs(self) -> "_Logs":
        sources = self._near.predictions.sources()
        predictions, labels = sources.get("predictions", {}), sources.get("labels", {})
        files = [*predictions.get("parquet", []), *labels.get("parquet", [])]
        return _Logs(
            rows=self._predicted.count(predictions.get("jsonl", [])),
            labels=self._labelled.count(labels.get("jsonl", [])),
            files=frozenset(files),
        )

    def _due(self, monitor: Monitor, now: "_Logs") -> bool:
        """Whether a window may be full, or labels have come, since the last look."""
        last = self._looked.get(monitor.endpoint)
        if last is None or (last.deployment, last.settings) != (
            monitor.deployment,
            monitor.settings,
        ):
            return True
        if now.files != last.logs.files or now.rows - last.logs.rows >= last.wanted:
            return True
        came = now.labels != last.logs.labels
        return came and bool(self._store.unlabelled(monitor.endpoint, 1))

    def renamed(self, event: Event) -> None:
        """A model was renamed: its monitors name it anew. For `Events.subscribe`."""
        for known in self._store.list_monitors():
            monitor = self._store.lock(known.endpoint)
            if monitor is not None and monitor.model == event.detail["model"]:
                self._store.change(replace(monitor, model=str(event.detail["new_name"])))

    def on_event(self, event: Event) -> None:
        """Follow what serving tells of its endpoints. For `Events.subscribe`."""
        monitor = self._store.lock(event.subject)
        if event.action == "serving.endpoint.removed":
            if monitor is not None:
                self._store.remove(event.subject)
                reason = "the endpoint was removed"
                self._near.alerts.close_all(monitor.project, event.subject, _OF_ENDPOINT, reason)
            return
        shares = [event.detail]
        if event.action == "serving.traffic.changed":
            shares = list(event.detail.get("shares") or [])
        champion = _champion(shares, monitor)
        if champion is None:
            return
        if monitor is None:
            self._create(event, champion)
        elif event.action == "serving.traffic.changed" and champion["deployment"] != (
            monitor.deployment
        ):
            self._succeed(event, monitor, champion)

    def _create(self, event: Event, champion: Mapping[str, Any]) -> None:
        reference = self._reference(champion)
        monitor = Monitor(
            id=new_id(),
            project=event.project,
            endpoint=event.subject,
            model=str(champion["model"]),
            version=int(champion["version"]),
            deployment=str(champion["deployment"]),
            reference_id=reference,
            state="watching" if reference else "no reference",
            read=Cursor(at=event.at),
            created_at=self._clock.now(),
            updated_at=self._clock.now(),
        )
        self._store.add(monitor)
        self._tell(monitor, "monitoring.monitor.created")

    def _succeed(self, event: Event, monitor: Monitor, champion: Mapping[str, Any]) -> None:
        """Another version has the traffic: it is compared with its own training data."""
        reference = self._reference(champion)
        state = monitor.state
        if state != "paused" or reference is None:
            state = "watching" if reference else "no reference"
        after = replace(
            monitor,
            model=str(champion["model"]),
            version=int(champion["version"]),
            deployment=str(champion["deployment"]),
            reference_id=reference,
            sketch=None,
            state=state,
            read=Cursor(at=event.at),
            last_verdict=None,
            updated_at=self._clock.now(),
        )
        self._store.change(after)
        self._tell(after, "monitoring.monitor.changed")
        reason = f"{after.model} version {after.version} took over"
        self._near.alerts.close_all(monitor.project, monitor.endpoint, _OF_ENDPOINT, reason)

    def _reference(self, champion: Mapping[str, Any]) -> str | None:
        """The table that a version was trained on: the nearest one up its lineage."""
        try:
            version = self._near.models.version(
                SYSTEM, f"{champion['model']}@{champion['version']}"
            )
        except NotFound:
            return None  # a graph is no model: those that it asks have monitors of their own
        if version.artifact_id is None:
            return None
        graph = self._near.lineage.trace(SYSTEM, version.artifact_id, "up")
        used_as: dict[str, str] = {link.source: link.as_ for link in graph.edges}
        tables = [
            node
            for node in graph.nodes
            if node.type in {"table", "dataset"} and self._is_kept(node.id)
        ]
        if not tables:
            return None
        nearest = min(node.depth for node in tables)
        near = [node for node in tables if node.depth == nearest]
        # A training step may be given a table for early stopping, too: its names tell them apart.
        named = [node for node in near if "train" in f"{node.name} {used_as.get(node.id, '')}"]
        return (named or near)[0].id

    def _is_kept(self, artifact_id: str) -> bool:
        """Whether a table's rows lie here: of one that a client only names, nothing can be read."""
        artifact = self._near.lineage.artifact(SYSTEM, artifact_id)
        told = artifact.metadata
        blob = str(told.get("blob") or artifact.digest)
        return "delta_version" in told or blob.startswith("sha256:")

    def _monitor(self, name: str) -> Monitor:
        found = self._store.find(name)
        if found is None:
            raise MonitorNotFound(name, [item.endpoint for item in self._store.list_monitors()])
        return found

    def _tell(self, monitor: Monitor, action: str) -> None:
        detail = {
            "endpoint": monitor.endpoint,
            "model": monitor.model,
            "version": monitor.version,
            "reference": monitor.reference_id,
            "state": monitor.state,
        }
        self._events.tell(SYSTEM, action, monitor.endpoint, detail, project=monitor.project)


def _shown(monitor: Monitor, problems: Mapping[str, str]) -> Monitor:
    """The monitor, told as failed where it watches and can't look."""
    problem = problems.get(monitor.endpoint, "")
    if not problem or monitor.state != "watching":
        return monitor
    return replace(monitor, state="failed", problem=problem)


def _champion(shares: list[Any], monitor: Monitor | None) -> Mapping[str, Any] | None:
    """Whose traffic is watched: the one that was, while it has most; then the one that has."""
    known = [item for item in shares if isinstance(item, dict) and "deployment" in item]
    if not known:
        return None
    most = max(known, key=lambda item: float(item.get("share") or 0.0))
    current = [item for item in known if monitor and item["deployment"] == monitor.deployment]
    if current and float(current[0].get("share") or 0.0) >= float(most.get("share") or 0.0):
        return dict(current[0])
    return dict(most)


def _changed(settings: MonitorSettings, change: SettingsChange) -> MonitorSettings:
    """The settings with a change. Raises: BadMonitorSetting."""
    given: dict[str, Any] = {
        name: value
        for name in ("window_rows", "minimum_rows", "false_alarm_rate", "replicates", "leave_out")
        if (value := getattr(change, name)) is not None
    }
    if change.leave_out is not None:
        given["leave_out"] = tuple(change.leave_out)
    if change.block is not None:
        given["block"] = change.block or None
    changed = replace(settings, **given)
    if not 0 < changed.false_alarm_rate < 1:
        wanted = "a share of healthy windows, above 0 and below 1"
        raise BadMonitorSetting("false_alarm_rate", changed.false_alarm_rate, wanted)
    if changed.minimum_rows < 50:
        raise BadMonitorSetting("minimum_rows", changed.minimum_rows, "50 or more")
    if changed.window_rows < changed.minimum_rows:
        raise BadMonitorSetting(
            "window_rows", changed.window_rows, f"minimum_rows ({changed.minimum_rows}) or more"
        )
    if not 200 <= changed.replicates <= 100_000:
        raise BadMonitorSetting("replicates", changed.replicates, "200 to 100,000")
    return changed
