"""`athanor monitor` and `athanor alert`: how the endpoints fare, in plain words first."""

from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.monitoring.client import AlertsClient, MonitorsClient
from athanor.monitoring.types import (
    Alert,
    AlertFilter,
    AlertKind,
    AlertState,
    ColumnFinding,
    Monitor,
    SettingsChange,
    Window,
    WindowReport,
)

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What watches the endpoints."
)
alert_commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What somebody should look at."
)
Name = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint that is watched.")]


@commands.callback()
def _group() -> None:
    """What watches the endpoints: windows of predictions against the training data."""


@commands.command("list")
def list_monitors(*, json: Json = False) -> None:
    """Print every monitor with its last verdict."""
    found = _monitors().monitors()
    if json:
        emit(found)
        return
    table(
        ("endpoint", "model", "state", "windows", "last verdict", "last window", "problem"),
        [
            (
                item.endpoint,
                f"{item.model}@{item.version}",
                item.state,
                item.windows,
                item.last_verdict.value if item.last_verdict else "",
                f"{item.last_run_at:%Y-%m-%d %H:%M:%S}" if item.last_run_at else "",
                item.problem,
            )
            for item in found
        ],
        empty="Nothing is watched yet. Deploy a model: athanor deploy MODEL --endpoint NAME",
    )


@commands.command()
def show(
    name: Name,
    window: Annotated[
        int | None, typer.Option(help="A window's number; the newest without it.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Print what an endpoint's monitor found, column by column."""
    monitors = _monitors()
    monitor, windows = monitors.monitor(name), monitors.windows(name, limit=10)
    number = window if window is not None else (windows[0].number if windows else None)
    report = None if number is None else monitors.report(name, number)
    if json:
        emit({"monitor": monitor, "windows": windows, "report": report})
        return
    settings = monitor.settings
    say(
        f"{name} serves {monitor.model}@{monitor.version} and is {_state(monitor)}: windows of "
        f"{settings.window_rows:,} predictions, at most {settings.false_alarm_rate:.2%} of healthy "
        "ones flagged."
    )
    table(
        ("window", "rows", "verdict", "drifted", "performance", "judged"),
        [_window_row(item) for item in windows],
        empty="No window is full yet.",
    )
    if report is not None:
        _show_report(report)


@commands.command()
def run(name: Name, *, json: Json = False) -> None:
    """Judge the predictions that came since the last window, now."""
    window = _monitors().run(name)
    if json:
        emit(window)
        return
    say(f"{window.verdict.value}: {window.reason}")
    if window.number:
        say(f"All columns: athanor monitor show {name} --window {window.number}")


@commands.command("set")
def configure(
    name: Name,
    window_rows: Annotated[int | None, typer.Option(help="Predictions in a window.")] = None,
    minimum_rows: Annotated[
        int | None, typer.Option(help="Rows that a window run by hand needs.")
    ] = None,
    false_alarm_rate: Annotated[
        float | None, typer.Option(help="The share of healthy windows flagged, at most.")
    ] = None,
    block: Annotated[
        str | None, typer.Option(help="A column whose equal values belong together; '' for none.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="A column that is not compared; repeatable.")
    ] = None,
    pause: Annotated[
        bool | None, typer.Option("--pause/--resume", help="Stop or go on judging.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Change how an endpoint is watched."""
    change = SettingsChange(
        window_rows=window_rows,
        minimum_rows=minimum_rows,
        false_alarm_rate=false_alarm_rate,
        block=block,
        leave_out=leave_out,
        paused=pause,
    )
    monitor = _monitors().configure(name, change)
    if json:
        emit(monitor)
        return
    settings = monitor.settings
    say(
        f"{name} is {_state(monitor)}: windows of {settings.window_rows:,} predictions, at most "
        f"{settings.false_alarm_rate:.2%} of healthy ones flagged."
    )


@commands.command("indicators")
def indicators(*, json: Json = False) -> None:
    """Print what each figure means, how it is computed, and when it misleads."""
    found = _monitors().indicators()
    if json:
        emit(found)
        return
    for item in found:
        say(f"[bold]{item.title}[/bold] ({item.name})", markup=True)
        say(f"  {item.what}\n  {item.how}\n  {item.meaning}\n  When it misleads: {item.misleads}")


@alert_commands.callback()
def _alert_group() -> None:
    """What somebody, or a trigger, should look at."""


@alert_commands.command("list")
def list_alerts(
    *,
    every: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    kind: Annotated[AlertKind | None, typer.Option(help="Only alerts of this kind.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only alerts about this endpoint, dataset or trigger.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the open alerts, newest first."""
    query = AlertFilter(state=None if every else AlertState.OPEN, kind=kind, subject=subject)
    found = _alerts().alerts(query)
    if json:
        emit(found)
        return
    table(
        ("alert", "kind", "about", "columns", "state", "times", "since"),
        [
            (
                item.id,
                item.kind.value,
                item.subject,
                ", ".join(item.columns),
                item.state.value,
                item.times,
                f"{item.raised_at:%Y-%m-%d %H:%M:%S}",
            )
            for item in found
        ],
        empty="No alert is open." if not every else "There were no alerts.",
    )


@alert_commands.command("show")
def show_alert(alert_id: Annotated[str, typer.Argument()], *, json: Json = False) -> None:
    """Print one alert in plain words."""
    alert = _alerts().alert(alert_id)
    if json:
        emit(alert)
        return
    _show_alert(alert)


@alert_commands.command("close")
def close_alert(
    alert_id: Annotated[str, typer.Argument()],
    *,
    reason: Annotated[str, typer.Option(help="Why; recorded.")] = "",
    json: Json = False,
) -> None:
    """Close an alert; what is still wrong opens another."""
    alert = _alerts().close_alert(alert_id, reason=reason)
    if json:
        emit(alert)
        return
    say(f"Closed the {alert.kind.value} alert about {alert.subject}: {alert.closed_because}")


def _monitors() -> MonitorsClient:
    return MonitorsClient(transport())


def _alerts() -> AlertsClient:
    return AlertsClient(transport())


def _window_row(window: Window) -> tuple[object, ...]:
    told = window.performance
    return (
        window.number,
        f"{window.rows:,}",
        window.verdict.value,
        ", ".join(window.drifted),
        "" if told is None or told.value is None else f"{told.metric} {told.value:.3f}",
        f"{window.judged_at:%Y-%m-%d %H:%M:%S}",
    )


def _state(monitor: Monitor) -> str:
    if monitor.state == "no reference":
        return (
            "not watched (no reference: its model tells no training table to compare with, or it "
            "is a graph, whose endpoints are watched)"
        )
    return f"{monitor.state} ({monitor.problem})" if monitor.problem else monitor.state


def _show_report(report: WindowReport) -> None:
    say(report.reason)
    ordered = sorted(report.columns, key=lambda item: item.p_value)
    table(
        ("column", "", "JS", "healthy below", "why"),
        [_finding_row(item) for item in ordered],
        empty="No column was compared.",
    )
    for item in report.quality:
        say(f"{item.column}: {item.explanation}")
    say(
        f"At most {report.false_alarm_rate:.2%} of healthy windows of this size are flagged, all "
        f"columns together ({report.replicates:,} healthy windows dealt from "
        f"{report.reference_rows:,} training rows, by {report.resampled})."
    )


def _finding_row(item: ColumnFinding) -> tuple[object, ...]:
    known = item.measures["js"]
    return (
        item.column,
        "drifted" if item.drifted else "",
        f"{known.value:.3f}",
        f"{known.healthy:.3f}",
        item.explanation,
    )


def _show_alert(alert: Alert) -> None:
    about = f" ({', '.join(alert.columns)})" if alert.columns else ""
    say(f"{alert.kind.value} alert about {alert.subject}{about}, {alert.state.value}")
    say(alert.explanation)
    rows: list[tuple[str, object]] = [
        ("raised", f"{alert.raised_at:%Y-%m-%d %H:%M:%S}"),
        ("found", f"{alert.times} times, last {alert.updated_at:%Y-%m-%d %H:%M:%S}"),
    ]
    if alert.false_alarm_rate is not None:
        rows.append(("false alarms", f"at most {alert.false_alarm_rate:.2%} of healthy windows"))
    if alert.closed_at is not None:
        rows.append(("closed", f"{alert.closed_at:%Y-%m-%d %H:%M:%S}: {alert.closed_because}"))
    rows += [(name, value) for name, value in alert.detail.items() if isinstance(value, str | int)]
    table(("field", "value"), rows)
