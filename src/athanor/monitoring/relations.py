"""The tables that monitoring offers to SQL."""

from typing import Any

from athanor.kernel import Column, Principal, Relation, Scan
from athanor.monitoring.service import Alerts, Monitors
from athanor.monitoring.types import AlertFilter

_MANY = 1000

_WINDOW = {
    "endpoint": "VARCHAR",
    "number": "BIGINT",
    "model": "VARCHAR",
    "version": "BIGINT",
    "rows": "BIGINT",
    "first_at": "TIMESTAMPTZ",
    "last_at": "TIMESTAMPTZ",
    "verdict": "VARCHAR",
    "reason": "VARCHAR",
    "drifted": "VARCHAR[]",
    "judged_at": "TIMESTAMPTZ",
}
_ALERT = {
    "id": "VARCHAR",
    "kind": "VARCHAR",
    "subject": "VARCHAR",
    "state": "VARCHAR",
    "columns": "VARCHAR[]",
    "explanation": "VARCHAR",
    "false_alarm_rate": "DOUBLE",
    "times": "BIGINT",
    "raised_at": "TIMESTAMPTZ",
    "closed_at": "TIMESTAMPTZ",
    "closed_because": "VARCHAR",
}


def relations(monitors: Monitors, alerts: Alerts) -> list[Relation]:
    """`monitor_windows` and `alerts`: a row each."""

    def windows(who: Principal, rest: str) -> Scan:
        names = [rest] if rest else [item.endpoint for item in monitors.monitors(who)]
        found = [window for name in names for window in monitors.windows(who, name, limit=_MANY)]
        return Scan(rows=[_row(window, _WINDOW) for window in found])

    def raised(who: Principal, rest: str) -> Scan:
        found = alerts.alerts(who, AlertFilter(subject=rest or None, limit=_MANY))
        return Scan(rows=[_row(alert, _ALERT) for alert in found])

    return [
        Relation(
            name="monitor_windows",
            description="Every window of predictions that was judged, with its verdict.",
            columns=_columns(_WINDOW),
            scan=windows,
        ),
        Relation(
            name="alerts",
            description="Every alert that was raised, open or closed.",
            columns=_columns(_ALERT),
            scan=raised,
        ),
    ]


def _row(record: object, kinds: dict[str, str]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in kinds}


def _columns(kinds: dict[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=kind) for name, kind in kinds.items())
