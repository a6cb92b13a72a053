"""The verbs of alerts, and what raises and closes them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from athanor.kernel import SYSTEM, Access, Clock, Database, Event, Events, Principal, new_id
from athanor.monitoring.errors import AlertNotFound
from athanor.monitoring.store import AlertStore
from athanor.monitoring.types import Alert, AlertFilter, AlertKind, AlertState

_ROWS_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that is worth an alert."""

    kind: AlertKind
    subject: str
    project: str
    explanation: str
    columns: list[str] = field(default_factory=list)
    false_alarm_rate: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Alerts:
    """One open alert for each kind and subject; told once, counted while it stays open."""

    def __init__(
        self,
        store: AlertStore,
        database: Database,
        *,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._access = access
        self._clock = clock

    def alerts(self, who: Principal, query: AlertFilter) -> list[Alert]:
        """Alerts, newest first."""
        self._access.require(who, "monitoring.alerts", query.subject or "*")
        return self._store.list_alerts(query)

    def alert(self, who: Principal, alert_id: str) -> Alert:
        """One alert.

        Raises: AlertNotFound.
        """
        self._access.require(who, "monitoring.alert", alert_id)
        return self._alert(alert_id)

    def close_alert(self, who: Principal, alert_id: str, *, reason: str = "") -> Alert:
        """Close an alert by hand. Closing it again changes nothing.

        Raises: AlertNotFound.
        """
        self._access.require(who, "monitoring.close_alert", alert_id)
        with self._database.transaction():
            alert = self._alert(alert_id)
            if alert.state is AlertState.OPEN:
                self._close(who, alert, reason or f"closed by {who.name}")
            return self._alert(alert_id)

    def raise_alert(self, found: Found, *, by: Principal = SYSTEM) -> Alert:
        """Open an alert and tell it; while one of this kind and subject is open, update that.

        In the ambient transaction.
        """
        now = self._clock.now()
        with self._database.transaction():
            kept = self._store.find_open(found.project, found.kind, found.subject)
            if kept is not None:
                again = replace(
                    kept,
                    explanation=found.explanation,
                    columns=found.columns,
                    false_alarm_rate=found.false_alarm_rate,
                    detail=found.detail,
                    times=kept.times + 1,
                    updated_at=now,
                )
                self._store.change_alert(again)
                return again
            alert = Alert(
                id=new_id(),
                project=found.project,
                kind=found.kind,
                subject=found.subject,
                explanation=found.explanation,
                columns=found.columns,
                false_alarm_rate=found.false_alarm_rate,
                detail=found.detail,
                raised_at=now,
                updated_at=now,
            )
            self._store.add_alert(alert)
            self._tell(by, "monitoring.alert.raised", alert)
        return alert

    def close_all(
        self,
        project: str,
        subject: str,
        kinds: Iterable[AlertKind],
        reason: str,
        *,
        by: Principal = SYSTEM,
    ) -> None:
        """Close what is open about a subject, because it is no longer so."""
        with self._database.transaction():
            for kind in kinds:
                alert = self._store.find_open(project, kind, subject)
                if alert is not None:
                    self._close(by, alert, reason)

    def on_event(self, event: Event) -> None:
        """Raise and close alerts about what other rooms tell. For `Events.subscribe`."""
        handler = _HANDLERS.get(event.action)
        if handler is not None:
            handler(self, event)

    def _data_refused(self, event: Event) -> None:
        detail, subject = event.detail, str(event.detail.get("dataset") or event.subject)
        if event.action == "data.file.refused":
            why = str(detail.get("message") or detail.get("reason") or "it could not be read")
            words = f"The file {detail.get('file', event.subject)} was refused: {why}"
            columns: list[str] = []
        else:
            checks = [check for check in detail.get("checks", []) if isinstance(check, dict)]
            columns = sorted({str(check["column"]) for check in checks if check.get("column")})
            broken = " ".join(str(check.get("message", "")) for check in checks)
            words = f"Version {detail.get('version')} is kept in quarantine. {broken}".strip()
        self.raise_alert(
            Found(
                kind=AlertKind.DATA,
                subject=subject,
                project=event.project,
                explanation=words,
                columns=columns,
                detail={"event": event.action, "subject": event.subject, **_short(detail)},
            )
        )

    def _data_arrived(self, event: Event) -> None:
        if event.detail.get("mode") == "append":
            return  # what was refused before is still not in: somebody looks, and closes the alert
        subject = str(event.detail.get("dataset") or event.subject.partition("@")[0])
        reason = f"version {event.detail.get('version')} passed its checks"
        self.close_all(event.project, subject, [AlertKind.DATA], reason)

    def _canary_refused(self, event: Event) -> None:
        detail = event.detail
        name = f"{detail.get('model')} version {detail.get('version')}"
        self.raise_alert(
            Found(
                kind=AlertKind.CANARY,
                subject=event.subject,
                project=event.project,
                explanation=f"The canary of {name} was refused: {detail.get('reason', '')}",
                detail=_short(detail),
            )
        )

    def _canary_finished(self, event: Event) -> None:
        version = event.detail.get("version")
        reason = f"version {version} took over"
        self.close_all(event.project, event.subject, [AlertKind.CANARY], reason)

    def _pipeline_finished(self, event: Event) -> None:
        """A run that nobody waits for: one that a trigger started."""
        trigger = str(event.detail.get("trigger") or "")
        if not trigger:
            return
        state = event.detail.get("state")
        if state == "failed":
            told = event.detail.get("error")
            why = told.get("message", "") if isinstance(told, dict) else str(told or "")
            words = f"The pipeline {event.detail.get('pipeline')} failed, started by the trigger "
            self.raise_alert(
                Found(
                    kind=AlertKind.PIPELINE,
                    subject=trigger,
                    project=event.project,
                    explanation=f"{words}{trigger}. {why}".strip(),
                    detail={"run": event.subject, **_short(event.detail)},
                )
            )
        elif state == "done":
            reason = f"the run {event.subject} succeeded"
            self.close_all(event.project, trigger, [AlertKind.PIPELINE], reason)

    def _alert(self, alert_id: str) -> Alert:
        found = self._store.find_alert(alert_id)
        if found is None:
            raise AlertNotFound(alert_id)
        return found

    def _close(self, by: Principal, alert: Alert, reason: str) -> None:
        closed = replace(
            alert,
            state=AlertState.CLOSED,
            closed_at=self._clock.now(),
            closed_by=by.name,
            closed_because=reason,
        )
        self._store.change_alert(closed)
        self._tell(by, "monitoring.alert.closed", closed)

    def _tell(self, by: Principal, action: str, alert: Alert) -> None:
        detail = {
            **alert.detail,
            "alert": alert.id,
            "kind": alert.kind.value,
            "columns": alert.columns,
            "explanation": alert.explanation,
            "false_alarm_rate": alert.false_alarm_rate,
        }
        if alert.closed_because:
            detail["reason"] = alert.closed_because
        self._events.tell(by, action, alert.subject, detail, project=alert.project)


def _short(detail: dict[str, Any]) -> dict[str, Any]:
    """An event's detail without its long lists."""
    return {
        name: value[:_ROWS_NAMED] if isinstance(value, list) else value
        for name, value in detail.items()
    }


_HANDLERS = {
    "data.version.quarantined": Alerts._data_refused,  # noqa: SLF001 - of this very class
    "data.file.refused": Alerts._data_refused,  # noqa: SLF001 - same
    "data.version.created": Alerts._data_arrived,  # noqa: SLF001 - same
    "serving.canary.refused": Alerts._canary_refused,  # noqa: SLF001 - same
    "serving.canary.finished": Alerts._canary_finished,  # noqa: SLF001 - same
    "pipelines.run.finished": Alerts._pipeline_finished,  # noqa: SLF001 - same
}
LISTENED = tuple(_HANDLERS)
"""The actions that `Alerts.on_event` is to be subscribed to."""
