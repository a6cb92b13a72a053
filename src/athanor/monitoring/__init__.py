"""Monitoring: data quality, drift, performance, alerts.

Names are loaded when they are first used: the workers live in this package, and need neither the
database nor the services.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.monitoring.errors import (
        AlertNotFound,
        MonitorNotFound,
        NoReference,
        WindowNotFound,
    )
    from athanor.monitoring.ports import (
        ModelSource,
        PredictionLog,
    )
    from athanor.monitoring.relations import (
        relations,
    )
    from athanor.monitoring.service import (
        Alerts,
        Found,
        Monitors,
        Neighbours,
        Watch,
    )
    from athanor.monitoring.store import (
        AlertStore,
        MonitorStore,
        SqlAlertStore,
        SqlMonitorStore,
    )
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

__getattr__ = lazily(
    __name__,
    {
        "Alert": "types",
        "AlertFilter": "types",
        "AlertKind": "types",
        "AlertNotFound": "errors",
        "AlertState": "types",
        "AlertStore": "store",
        "Alerts": "service",
        "Found": "service",
        "Indicator": "types",
        "ModelSource": "ports",
        "Monitor": "types",
        "MonitorNotFound": "errors",
        "MonitorSettings": "types",
        "MonitorStore": "store",
        "Monitors": "service",
        "Neighbours": "service",
        "NoReference": "errors",
        "PredictionLog": "ports",
        "SettingsChange": "types",
        "SqlAlertStore": "store",
        "SqlMonitorStore": "store",
        "Watch": "service",
        "Window": "types",
        "WindowNotFound": "errors",
        "WindowReport": "types",
        "WindowVerdict": "types",
        "relations": "relations",
    },
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
