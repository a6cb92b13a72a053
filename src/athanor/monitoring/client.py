"""The verbs of monitors and alerts over a transport."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.monitoring.types import (
    Alert,
    AlertFilter,
    Indicator,
    Monitor,
    SettingsChange,
    Window,
    WindowReport,
)


class MonitorsClient:
    """What watches the endpoints."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def monitors(self) -> list[Monitor]:
        """All monitors, by endpoint."""
        return self._transport.send("GET", "/monitors").read(list[Monitor])

    def monitor(self, name: str) -> Monitor:
        """The monitor of an endpoint."""
        return self._transport.send("GET", _path(name)).read(Monitor)

    def configure(self, name: str, change: SettingsChange) -> Monitor:
        """Change how an endpoint is watched, from its next window on."""
        return self._transport.send("PATCH", _path(name), body=change).read(Monitor)

    def run(self, name: str) -> Window:
        """Judge all that came since the last window, now; the newest window judged."""
        return self._transport.send("POST", f"{_path(name)}/run").read(Window)

    def windows(self, name: str, *, limit: int = 50) -> list[Window]:
        """The windows that were judged, newest first."""
        answer = self._transport.send("GET", f"{_path(name)}/windows", query={"limit": limit})
        return answer.read(list[Window])

    def report(self, name: str, number: int) -> WindowReport:
        """All that was found in one window, column by column."""
        return self._transport.send("GET", f"{_path(name)}/windows/{number}").read(WindowReport)

    def indicators(self) -> list[Indicator]:
        """What each figure means, how it is computed, and when it misleads."""
        return self._transport.send("GET", "/monitoring/indicators").read(list[Indicator])


class AlertsClient:
    """What somebody, or a trigger, should look at."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def alerts(self, query: AlertFilter | None = None) -> list[Alert]:
        """Alerts, newest first."""
        asked = query or AlertFilter()
        fields = {name: getattr(asked, name) for name in AlertFilter.__dataclass_fields__}
        return self._transport.send("GET", "/alerts", query=fields).read(list[Alert])

    def alert(self, alert_id: str) -> Alert:
        """One alert."""
        return self._transport.send("GET", f"/alerts/{segment(alert_id)}").read(Alert)

    def close_alert(self, alert_id: str, *, reason: str = "") -> Alert:
        """Close an alert by hand."""
        path = f"/alerts/{segment(alert_id)}/close"
        return self._transport.send("POST", path, body={"reason": reason}).read(Alert)


def _path(name: str) -> str:
    return f"/monitors/{segment(name)}"
