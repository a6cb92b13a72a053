"""`athanor report`: list, show, open; and what the figures mean."""

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.responsible.client import ReportsClient

commands = typer.Typer(no_args_is_help=True, add_completion=False, help="Evaluation reports.")

ReportId = Annotated[
    str,
    typer.Argument(metavar="[REPORT]", help="Its id, or MODEL@champion; else the newest."),
]


@commands.callback()
def _group() -> None:
    """Evaluation reports: how good a model is, for whom, and why."""


@commands.command("list")
def list_reports(
    *, limit: Annotated[int, typer.Option(min=1, max=1000)] = 20, json: Json = False
) -> None:
    """Print the newest reports."""
    found = _reports().reports(limit=limit)
    if json:
        emit(found)
        return
    table(
        ("report", "title", "target", "rows", "ROC AUC", "created"),
        [
            (
                report.id,
                report.title,
                report.target,
                f"{report.rows:,}",
                _figure(report.metrics.get("roc_auc")),
                f"{report.created_at:%Y-%m-%d %H:%M}",
            )
            for report in found
        ],
        empty="No reports yet. Train a model: athanor train DATASET --target COLUMN",
        right=("rows",),
    )


@commands.command()
def show(report: ReportId = "latest", *, json: Json = False) -> None:
    """Print a report's figures."""
    found = _reports().report(report)
    if json:
        emit(found)
        return
    data = found.data
    say(f"{data['title']}, {data['rows']:,} rows, target {data['target']}", style="bold")
    if found.model:
        say(f"It is of {found.model}.")
    else:
        say("It is of a model that is no registered version, such as one refused at the gate.")
        say("The report of one in office: athanor report show MODEL@champion")
    table(
        ("figure", "value", "from", "to", "method"),
        [
            (name, *(_figure(m[key]) for key in ("value", "low", "high")), m["method"])
            for name, m in data["metrics"].items()
        ],
    )
    table(
        ("column", "loss of ROC AUC when shuffled"),
        [(c["column"], _figure(c["mean"])) for c in data["permutation_importance"]["columns"][:10]],
    )
    _show_groups(data["groups"])
    say(f"The page: athanor report open {found.report.id}")


@commands.command("open")
def open_report(
    report: ReportId = "latest",
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the page here instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Open a report's page in the browser, or write it to a file."""
    content = _reports().page(report)
    target = output or Path(tempfile.mkdtemp(prefix="athanor-report-")) / "report.html"
    target.write_bytes(content)
    if json:
        emit({"file": str(target)})
        return
    if output is not None or not webbrowser.open(target.resolve().as_uri()):
        say(f"The page is {target}")


@commands.command()
def explain(
    indicator: Annotated[str, typer.Argument(help="Its name; all if left out.")] = "",
    *,
    json: Json = False,
) -> None:
    """Print what a figure means, how it is computed, and when it misleads."""
    known = {entry.name: entry for entry in _reports().indicators()}
    chosen = [known[indicator]] if indicator in known else list(known.values())
    if json:
        emit(chosen)
        return
    for entry in chosen:
        say(f"[bold]{entry.title}[/bold] ({entry.name}). {entry.what}", markup=True)
        say(f"  Computed: {entry.how}\n  Reading: {entry.reading}\n  Misleads: {entry.misleads}")


def _show_groups(groups: dict[str, Any]) -> None:
    if "skipped" in groups:
        say(f"Groups: skipped. {groups['skipped']}")
        return
    for gap in groups["gaps"]:
        say(gap["words"])


def _reports() -> ReportsClient:
    return ReportsClient(transport())


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
