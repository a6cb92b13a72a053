"""Monitors and alerts."""

from typing import TYPE_CHECKING

from athanor.lineage import Lineage
from athanor.monitoring import (
    AlertFilter,
    Alerts,
    AlertState,
    Monitors,
    SqlAlertStore,
    SqlMonitorStore,
    Watch,
)
from athanor.monitoring import Neighbours as MonitoringNeighbours
from athanor.monitoring import relations as monitoring_relations
from athanor.registry import (
    Models,
)
from athanor.serving import (
    ServingLog,
)

if TYPE_CHECKING:
    from athanor.app.house import House


def join_monitoring(house: "House", log: ServingLog) -> None:
    """Make the monitors and alerts over the prediction log."""
    alerts = Alerts(
        SqlAlertStore(house.database),
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    monitors = Monitors(
        SqlMonitorStore(house.database),
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
        neighbours=MonitoringNeighbours(
            lineage=house.services[Lineage],
            models=house.services[Models],
            predictions=log,
            storage=house.storage,
            workers=house.workers,
            alerts=alerts,
        ),
    )
    watch = Watch(monitors, alerts, jobs=house.jobs)
    watch.attach(house.events)
    house.starters.append(watch.start)
    house.services |= {Monitors: monitors, Alerts: alerts}
    house.relations += monitoring_relations(monitors, alerts)
    open_alerts = AlertFilter(state=AlertState.OPEN)
    house.counters["alerts"] = lambda who: len(alerts.alerts(who, open_alerts))
