"""The verbs of monitoring."""

from athanor.monitoring.service.alerts import Alerts, Found
from athanor.monitoring.service.looking import Neighbours
from athanor.monitoring.service.monitors import Monitors
from athanor.monitoring.service.watch import Watch

__all__ = ["Alerts", "Found", "Monitors", "Neighbours", "Watch"]
