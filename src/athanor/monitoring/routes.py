"""Monitors and alerts over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from athanor.kernel.http import Caller, provide, room_router
from athanor.monitoring.service import Alerts, Monitors
from athanor.monitoring.types import (
    Alert,
    AlertFilter,
    AlertKind,
    AlertState,
    Indicator,
    Monitor,
    SettingsChange,
    Window,
    WindowReport,
)

router = room_router("monitoring")
TheMonitors = Annotated[Monitors, provide(Monitors)]
TheAlerts = Annotated[Alerts, provide(Alerts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Why an alert is closed."""

    reason: str = ""


@router.get("/monitors")
def monitors(who: Caller, monitoring: TheMonitors) -> list[Monitor]:
    """All monitors."""
    return monitoring.monitors(who)


@router.get("/monitors/{name}")
def monitor(name: str, who: Caller, monitoring: TheMonitors) -> Monitor:
    """The monitor of an endpoint."""
    return monitoring.monitor(who, name)


@router.patch("/monitors/{name}")
def configure(name: str, change: SettingsChange, who: Caller, monitoring: TheMonitors) -> Monitor:
    """Change how an endpoint is watched."""
    return monitoring.configure(who, name, change)


@router.post("/monitors/{name}/run")
def run(name: str, who: Caller, monitoring: TheMonitors) -> Window:
    """Judge all that came since the last window, now."""
    return monitoring.run(who, name)


@router.get("/monitors/{name}/windows")
def windows(
    name: str,
    who: Caller,
    monitoring: TheMonitors,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[Window]:
    """The windows that were judged, newest first."""
    return monitoring.windows(who, name, limit=limit)


@router.get("/monitors/{name}/windows/{number}")
def report(name: str, number: int, who: Caller, monitoring: TheMonitors) -> WindowReport:
    """All that was found in one window, column by column."""
    return monitoring.report(who, name, number)


@router.get("/monitoring/indicators")
def indicators(who: Caller, monitoring: TheMonitors) -> list[Indicator]:
    """What each figure means, how it is computed, and when it misleads."""
    return monitoring.indicators(who)


@router.get("/alerts")
def alerts(
    who: Caller,
    alerting: TheAlerts,
    *,
    state: AlertState | None = None,
    kind: AlertKind | None = None,
    subject: str | None = None,
    project: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Alert]:
    """Alerts, newest first."""
    query = AlertFilter(state=state, kind=kind, subject=subject, project=project, limit=limit)
    return alerting.alerts(who, query)


@router.get("/alerts/{alert_id}")
def alert(alert_id: str, who: Caller, alerting: TheAlerts) -> Alert:
    """One alert."""
    return alerting.alert(who, alert_id)


@router.post("/alerts/{alert_id}/close")
def close_alert(alert_id: str, closing: Closing, who: Caller, alerting: TheAlerts) -> Alert:
    """Close an alert by hand."""
    return alerting.close_alert(who, alert_id, reason=closing.reason)
