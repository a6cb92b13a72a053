"""Where monitors, their windows and alerts are kept."""

from dataclasses import asdict
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    select,
    update,
)

from athanor.kernel import Database, Instant, Json, metadata
from athanor.monitoring.types import (
    Alert,
    AlertFilter,
    AlertKind,
    AlertState,
    Cursor,
    Monitor,
    MonitorSettings,
    Performance,
    Window,
    WindowVerdict,
)


class MonitorStore(Protocol):
    """Monitors and the windows that they judged."""

    def add(self, monitor: Monitor) -> None:
        """Add a monitor of an endpoint that has none."""
        ...

    def find(self, endpoint: str) -> Monitor | None:
        """The endpoint's monitor."""
        ...

    def lock(self, endpoint: str) -> Monitor | None:
        """The endpoint's monitor, kept from others until the ambient transaction ends."""
        ...

    def list_monitors(self) -> list[Monitor]:
        """All monitors, by endpoint."""
        ...

    def change(self, monitor: Monitor) -> None:
        """Write a monitor's fields over those of the same id."""
        ...

    def remove(self, endpoint: str) -> None:
        """Take a monitor and its windows away."""
        ...

    def add_window(self, window: Window) -> None:
        """Keep a judged window."""
        ...

    def set_performance(self, window_id: str, performance: Performance) -> None:
        """Note how good the model was on a window."""
        ...

    def window(self, endpoint: str, number: int) -> Window | None:
        """The window of this number."""
        ...

    def windows(self, endpoint: str, limit: int) -> list[Window]:
        """An endpoint's windows, newest first."""
        ...

    def unlabelled(self, endpoint: str, limit: int) -> list[Window]:
        """The newest windows whose performance is not judged yet, oldest first."""
        ...


class AlertStore(Protocol):
    """Alerts, of which one is open per project, kind and subject."""

    def add_alert(self, alert: Alert) -> None:
        """Add an open alert."""
        ...

    def find_alert(self, alert_id: str) -> Alert | None:
        """The alert with this id."""
        ...

    def find_open(self, project: str, kind: AlertKind, subject: str) -> Alert | None:
        """The open alert of this kind about this subject."""
        ...

    def list_alerts(self, query: AlertFilter) -> list[Alert]:
        """Alerts, newest first."""
        ...

    def change_alert(self, alert: Alert) -> None:
        """Write an alert's fields over those of the same id."""
        ...


monitor_table = Table(
    "monitoring_monitor",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("endpoint", String(255), nullable=False, unique=True),
    Column("model", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("deployment", String(32), nullable=False),
    Column("reference_id", String(32)),
    Column("sketch", String(80)),
    Column("settings", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("read_at", Instant, nullable=False),
    Column("read_id", String(32), nullable=False),
    Column("windows", Integer, nullable=False),
    Column("last_verdict", String(16)),
    Column("last_run_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

window_table = Table(
    "monitoring_window",
    metadata,
    Column("id", String(32), primary_key=True),
    Column(
        "endpoint",
        String(255),
        ForeignKey("monitoring_monitor.endpoint", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("model", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("first_at", Instant),
    Column("last_at", Instant),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("drifted", Json, nullable=False),
    Column("report_id", String(32)),
    Column("performance", Json),
    Column("judged_at", Instant, nullable=False),
)
Index(
    "ix_monitoring_window_endpoint_number",
    window_table.c.endpoint,
    window_table.c.number,
    unique=True,
)

alert_table = Table(
    "monitoring_alert",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(1024), nullable=False),
    Column("state", String(16), nullable=False),
    Column("explanation", Text, nullable=False),
    Column("columns", Json, nullable=False),
    Column("false_alarm_rate", Float),
    Column("detail", Json, nullable=False),
    Column("times", Integer, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_by", String(255), nullable=False),
    Column("closed_because", Text, nullable=False),
    Column("open_key", String(1400), unique=True),
)
Index("ix_monitoring_alert_state_raised_at", alert_table.c.state, alert_table.c.raised_at)

_MONITOR = tuple(Monitor.__dataclass_fields__.keys() - {"read", "problem"})
_ALERT = tuple(alert_table.c[name] for name in Alert.__dataclass_fields__)


class SqlMonitorStore:
    """Monitors and windows in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, monitor: Monitor) -> None:
        """Add a monitor of an endpoint that has none."""
        with self._database.connection() as connection:
            connection.execute(monitor_table.insert().values(_monitor_row(monitor)))

    def find(self, endpoint: str) -> Monitor | None:
        """The endpoint's monitor."""
        query = select(monitor_table).where(monitor_table.c.endpoint == endpoint)
        with self._database.connection() as connection:
            found = connection.execute(query).mappings().first()
        return None if found is None else _monitor(found)

    def lock(self, endpoint: str) -> Monitor | None:
        """The endpoint's monitor, kept from others until the ambient transaction ends."""
        query = select(monitor_table).where(monitor_table.c.endpoint == endpoint)
        with self._database.connection() as connection:
            found = connection.execute(query.with_for_update()).mappings().first()
        return None if found is None else _monitor(found)

    def list_monitors(self) -> list[Monitor]:
        """All monitors, by endpoint."""
        query = select(monitor_table).order_by(monitor_table.c.endpoint)
        with self._database.connection() as connection:
            return [_monitor(row) for row in connection.execute(query).mappings()]

    def change(self, monitor: Monitor) -> None:
        """Write a monitor's fields over those of the same id."""
        with self._database.connection() as connection:
            connection.execute(
                update(monitor_table)
                .where(monitor_table.c.id == monitor.id)
                .values(_monitor_row(monitor))
            )

    def remove(self, endpoint: str) -> None:
        """Take a monitor and its windows away."""
        with self._database.transaction() as connection:
            connection.execute(window_table.delete().where(window_table.c.endpoint == endpoint))
            connection.execute(monitor_table.delete().where(monitor_table.c.endpoint == endpoint))

    def add_window(self, window: Window) -> None:
        """Keep a judged window."""
        row = {name: getattr(window, name) for name in Window.__dataclass_fields__}
        told = window.performance
        row["performance"] = None if told is None else asdict(told)
        with self._database.connection() as connection:
            connection.execute(window_table.insert().values(row))

    def set_performance(self, window_id: str, performance: Performance) -> None:
        """Note how good the model was on a window."""
        with self._database.connection() as connection:
            connection.execute(
                update(window_table)
                .where(window_table.c.id == window_id)
                .values(performance=asdict(performance))
            )

    def window(self, endpoint: str, number: int) -> Window | None:
        """The window of this number."""
        query = select(window_table).where(
            window_table.c.endpoint == endpoint, window_table.c.number == number
        )
        with self._database.connection() as connection:
            found = connection.execute(query).mappings().first()
        return None if found is None else _window(found)

    def windows(self, endpoint: str, limit: int) -> list[Window]:
        """An endpoint's windows, newest first."""
        query = (
            select(window_table)
            .where(window_table.c.endpoint == endpoint)
            .order_by(window_table.c.number.desc())
            .limit(limit)
        )
        with self._database.connection() as connection:
            return [_window(row) for row in connection.execute(query).mappings()]

    def unlabelled(self, endpoint: str, limit: int) -> list[Window]:
        """The newest windows whose performance is not judged yet, oldest first."""
        query = (
            select(window_table)
            .where(window_table.c.endpoint == endpoint, window_table.c.performance.is_(None))
            .order_by(window_table.c.number.desc())
            .limit(limit)
        )
        with self._database.connection() as connection:
            found = [_window(row) for row in connection.execute(query).mappings()]
        return found[::-1]


class SqlAlertStore:
    """Alerts in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_alert(self, alert: Alert) -> None:
        """Add an open alert."""
        with self._database.connection() as connection:
            connection.execute(alert_table.insert().values(_alert_row(alert)))

    def find_alert(self, alert_id: str) -> Alert | None:
        """The alert with this id."""
        with self._database.connection() as connection:
            query = select(*_ALERT).where(alert_table.c.id == alert_id)
            found = connection.execute(query).mappings().first()
        return None if found is None else _alert(found)

    def find_open(self, project: str, kind: AlertKind, subject: str) -> Alert | None:
        """The open alert of this kind about this subject."""
        key = _open_key(project, kind, subject)
        with self._database.connection() as connection:
            query = select(*_ALERT).where(alert_table.c.open_key == key)
            found = connection.execute(query).mappings().first()
        return None if found is None else _alert(found)

    def list_alerts(self, query: AlertFilter) -> list[Alert]:
        """Alerts, newest first."""
        wanted = [
            alert_table.c[name] == value
            for name in ("state", "kind", "subject", "project")
            if (value := getattr(query, name)) is not None
        ]
        listed = (
            select(*_ALERT)
            .where(and_(True, *wanted))
            .order_by(alert_table.c.raised_at.desc(), alert_table.c.id.desc())
            .limit(query.limit)
        )
        with self._database.connection() as connection:
            return [_alert(row) for row in connection.execute(listed).mappings()]

    def change_alert(self, alert: Alert) -> None:
        """Write an alert's fields over those of the same id."""
        with self._database.connection() as connection:
            connection.execute(
                update(alert_table).where(alert_table.c.id == alert.id).values(_alert_row(alert))
            )


def _monitor_row(monitor: Monitor) -> dict[str, Any]:
    row = {name: getattr(monitor, name) for name in _MONITOR}
    return row | {
        "settings": asdict(monitor.settings),
        "read_at": monitor.read.at,
        "read_id": monitor.read.id,
    }


def _monitor(row: RowMapping) -> Monitor:
    fields = {name: row[name] for name in _MONITOR}
    verdict = row["last_verdict"]
    return Monitor(
        **fields
        | {
            "settings": msgspec.convert(row["settings"], MonitorSettings),
            "read": Cursor(at=row["read_at"], id=row["read_id"]),
            "last_verdict": None if verdict is None else WindowVerdict(verdict),
        }
    )


def _window(row: RowMapping) -> Window:
    told = row["performance"]
    return Window(
        **{name: row[name] for name in Window.__dataclass_fields__}
        | {
            "verdict": WindowVerdict(row["verdict"]),
            "performance": None if told is None else msgspec.convert(told, Performance),
        }
    )


def _alert_row(alert: Alert) -> dict[str, Any]:
    row = {name: getattr(alert, name) for name in Alert.__dataclass_fields__}
    key = None
    if alert.state is AlertState.OPEN:
        key = _open_key(alert.project, alert.kind, alert.subject)
    return row | {"open_key": key}


def _alert(row: RowMapping) -> Alert:
    kinds = {"kind": AlertKind(row["kind"]), "state": AlertState(row["state"])}
    return Alert(**{**row, **kinds})


def _open_key(project: str, kind: AlertKind, subject: str) -> str:
    return f"{project}:{kind.value}:{subject}"
