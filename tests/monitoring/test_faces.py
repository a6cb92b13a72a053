"""The same verbs over HTTP and from the command line, in a workspace of their own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from athanor.app.inprocess import InProcessTransport
from athanor.kernel import console
from athanor.kernel.settings import load_settings
from athanor.monitoring import (
    Alert,
    AlertFilter,
    AlertKind,
    AlertNotFound,
    Alerts,
    AlertState,
    Found,
    MonitorNotFound,
    Monitors,
    SettingsChange,
    SqlMonitorStore,
)
from athanor.monitoring.client import AlertsClient, MonitorsClient
from athanor.monitoring.commands import alert_commands, commands
from athanor.testing.monitoring import a_monitor, a_window
from athanor.testing.workers import eventually


@pytest.fixture
def transport(workspace: Path) -> Iterator[InProcessTransport]:
    settings, _ = load_settings({"workspace": workspace})
    opened = InProcessTransport(settings)
    console.connect_by(lambda: opened)
    yield opened
    opened.close()
    assert eventually(lambda: not opened._loop.is_running())
    if not opened._loop.is_closed():
        opened._loop.close()


@pytest.fixture
def alert(transport: InProcessTransport) -> Alert:
    store = SqlMonitorStore(transport._house.database)
    store.add(a_monitor(state="paused"))
    store.add_window(a_window(1))
    alerts: Alerts = transport._house.services[Alerts]
    return alerts.raise_alert(
        Found(
            kind=AlertKind.DRIFT,
            subject="churn",
            project="default",
            explanation="Customers are older.",
            columns=["Customer_Age"],
            false_alarm_rate=0.001,
            detail={"window": 1},
        )
    )


def test_the_client_says_what_the_service_says(transport: InProcessTransport, alert: Alert) -> None:
    monitors, alerts = MonitorsClient(transport), AlertsClient(transport)
    service: Monitors = transport._house.services[Monitors]
    (monitor,) = monitors.monitors()
    assert monitor == monitors.monitor("churn") == service._monitor("churn")
    changed = monitors.configure("churn", SettingsChange(window_rows=900, leave_out=["name"]))
    assert (changed.settings.window_rows, changed.settings.leave_out) == (900, ("name",))
    assert [window.number for window in monitors.windows("churn")] == [1]
    assert len(monitors.indicators()) > 5
    assert alerts.alerts(AlertFilter(kind=AlertKind.DRIFT)) == [alert] == [alerts.alert(alert.id)]
    closed = alerts.close_alert(alert.id, reason="seen")
    assert (closed.state, closed.closed_because) == (AlertState.CLOSED, "seen")
    assert alerts.alerts(AlertFilter(state=AlertState.OPEN)) == []
    with pytest.raises(MonitorNotFound):
        monitors.monitor("fraud")
    with pytest.raises(AlertNotFound):
        alerts.alert("0" * 32)


def test_commands_print_plain_words_and_json(transport: InProcessTransport, alert: Alert) -> None:
    run = CliRunner().invoke
    shown = run(commands, ["list"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(run(commands, ["list", "--json"]).stdout)[0]["endpoint"] == "churn"
    told = json.loads(run(alert_commands, ["list", "--json"]).stdout)
    assert told[0]["columns"] == ["Customer_Age"]
    assert run(alert_commands, ["show", alert.id]).exit_code == 0
    assert run(commands, ["indicators"]).exit_code == 0
    assert run(commands, ["set", "churn", "--window-rows", "800"]).exit_code == 0
    closing = run(alert_commands, ["close", alert.id, "--reason", "seen", "--json"])
    assert json.loads(closing.stdout)["closed_because"] == "seen"
