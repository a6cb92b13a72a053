"""Monitoring: data quality, drift, performance, alerts."""

from athanor.monitoring.errors import AlertNotFound, MonitorNotFound, NoReference, WindowNotFound
from athanor.monitoring.ports import ModelSource, PredictionLog
from athanor.monitoring.relations import relations
from athanor.monitoring.service import Alerts, Found, Monitors, Neighbours, Watch
from athanor.monitoring.store import AlertStore, MonitorStore, SqlAlertStore, SqlMonitorStore
from athanor.monitoring.types import (
    Alert,
    AlertFilter,
    AlertKind,
    AlertState,
    Indicator,
    Monitor,
    MonitorSettings,
    SettingsChange,
    Window,
    WindowReport,
    WindowVerdict,
)

__all__ = [
    "Alert",
    "AlertFilter",
    "AlertKind",
    "AlertNotFound",
    "AlertState",
    "AlertStore",
    "Alerts",
    "Found",
    "Indicator",
    "ModelSource",
    "Monitor",
    "MonitorNotFound",
    "MonitorSettings",
    "MonitorStore",
    "Monitors",
    "Neighbours",
    "NoReference",
    "PredictionLog",
    "SettingsChange",
    "SqlAlertStore",
    "SqlMonitorStore",
    "Watch",
    "Window",
    "WindowNotFound",
    "WindowReport",
    "WindowVerdict",
    "relations",
]
