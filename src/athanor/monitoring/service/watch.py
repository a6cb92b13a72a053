"""What keeps monitoring going: events, and a look every few seconds."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from athanor.kernel import Event, Events, Job, Jobs
from athanor.monitoring.service.alerts import LISTENED as ALERTED
from athanor.monitoring.service.alerts import Alerts
from athanor.monitoring.service.monitors import LISTENED, Monitors

_log = logging.getLogger(__name__)

_JOB = "monitoring.look"
_EVERY = timedelta(seconds=3)


class Watch:
    """Subscribes to events, and looks for new predictions while the house is open."""

    def __init__(self, monitors: Monitors, alerts: Alerts, *, jobs: Jobs) -> None:
        self._monitors = monitors
        self._alerts = alerts
        self._jobs = jobs

    def attach(self, events: Events) -> None:
        """Listen, and say who looks."""
        events.subscribe("monitoring.monitors", self._on_serving, LISTENED)
        events.subscribe("monitoring.renamed", self._monitors.renamed, ("registry.model.renamed",))
        events.subscribe("monitoring.alerts", self._alerts.on_event, ALERTED)
        self._jobs.handle(_JOB, self._on_job)

    def start(self) -> None:
        """Begin to look, if there is a monitor. Call when the house starts."""
        self._go_on()

    def _on_serving(self, event: Event) -> None:
        looked = self._monitors.exist()
        self._monitors.on_event(event)
        if not looked:
            self._go_on()

    def _go_on(self) -> None:
        if self._monitors.exist():
            self._jobs.submit_next(_JOB, _EVERY)

    def _on_job(self, _job: Job) -> Mapping[str, Any] | None:
        judged = 0
        try:
            judged = self._monitors.look()
        except Exception:  # noqa: BLE001 - logged
            # The chain must not break: the next look is due all the same.
            _log.exception("looking at predictions failed")
        self._go_on()
        return {"judged": judged}
