"""What keeps monitoring going: events, and a look every few seconds."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from athanor.kernel import Clock, Events, Job, Jobs
from athanor.monitoring.service.alerts import LISTENED as ALERTED
from athanor.monitoring.service.alerts import Alerts
from athanor.monitoring.service.monitors import LISTENED, Monitors

_log = logging.getLogger(__name__)

_JOB = "monitoring.look"
_EVERY = timedelta(seconds=3)


class Watch:
    """Subscribes to events, and looks for new predictions while the house is open."""

    def __init__(self, monitors: Monitors, alerts: Alerts, *, jobs: Jobs, clock: Clock) -> None:
        self._monitors = monitors
        self._alerts = alerts
        self._jobs = jobs
        self._clock = clock

    def attach(self, events: Events) -> None:
        """Listen, and say who looks."""
        events.subscribe("monitoring.monitors", self._monitors.on_event, LISTENED)
        events.subscribe("monitoring.renamed", self._monitors.renamed, ("registry.model.renamed",))
        events.subscribe("monitoring.alerts", self._alerts.on_event, ALERTED)
        self._jobs.handle(_JOB, self._on_job)

    def start(self) -> None:
        """Begin to look. Call when the house starts."""
        self._jobs.submit(_JOB, key=f"{_JOB}:0")

    def _on_job(self, job: Job) -> Mapping[str, Any] | None:
        judged = 0
        try:
            judged = self._monitors.look()
        except Exception:  # noqa: BLE001 - logged
            # The chain must not break: the next look is due all the same.
            _log.exception("looking at predictions failed")
        # A job's key is free only when it has ended: two keys take turns.
        turn = 1 - int((job.key or ":0").rpartition(":")[2])
        self._jobs.submit(_JOB, key=f"{_JOB}:{turn}", run_at=self._clock.now() + _EVERY)
        return {"judged": judged}
