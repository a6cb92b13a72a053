"""`athanor demo`: the whole loop, once, on a simulated stream or on anyone's table."""

import json as jsonlib
import os
import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from athanor.app import cli
from athanor.app.commands import Workspace
from athanor.app.demo.loop import Loop
from athanor.app.demo.material import Columns, Material, from_table, simulated
from athanor.app.demo.stage import Stage
from athanor.app.lock import read_server
from athanor.kernel import AthanorError, Invalid
from athanor.kernel.console import say, table
from athanor.kernel.reaching import URL
from athanor.kernel.settings import load_settings


class TargetMissing(Invalid):
    """A table was given without saying what is to be predicted."""

    def __init__(self) -> None:
        super().__init__(
            "--data needs --target: the column that is to be predicted.",
            hint="Example: athanor demo --data customers.csv --target churned --id customer",
        )


class SummaryNowhere(Invalid):
    """The summary's folder is not there."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"There is no folder {file.absolute().parent} to write {file.name} into.",
            hint="Make it first, or name another file: --json summary.json",
        )


def demo(
    *,
    data: Annotated[
        Path | None, typer.Option(help="A table of your own: CSV (compressed or not) or Parquet.")
    ] = None,
    target: Annotated[str, typer.Option(help="The column to predict.")] = "",
    id: Annotated[str, typer.Option("--id", help="The column that names a row.")] = "",
    time: Annotated[str, typer.Option(help="The column that says when.")] = "",
    sensitive: Annotated[str, typer.Option(help="A column whose groups are to be compared.")] = "",
    json: Annotated[Path | None, typer.Option("--json", help="Write the summary here.")] = None,
    workspace: Workspace = None,
    port: Annotated[int | None, typer.Option(help="The server's port; 0 takes a free one.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the server when done.")] = False,
) -> None:
    """Drive the whole loop: data, training, report, endpoint, drift, retraining, takeover."""
    if data is not None and not target:
        raise TargetMissing
    if json is not None and not json.absolute().parent.is_dir():
        raise SummaryNowhere(json)
    settings, _ = load_settings({"workspace": workspace})
    os.environ["ATHANOR_WORKSPACE"] = str(settings.workspace)
    # It plays in a workspace of this machine, never on a team's server.
    os.environ.pop(URL, None)
    with tempfile.TemporaryDirectory(prefix="athanor-demo-") as folder:
        columns = Columns(target=target, id=id, time=time, sensitive=sensitive)
        material = simulated(Path(folder)) if data is None else from_table(data, columns)
        _introduce(material)
        loop = Loop(Stage(), material, Path(folder))
        try:
            summary = loop.play(port)
        except KeyboardInterrupt:
            say("\nInterrupted.")
            if not stop:
                _tell_running(settings.workspace)
            raise typer.Exit(cli.INTERRUPTED) from None
        except AthanorError:
            if not stop:
                _tell_running(settings.workspace)
            raise
        finally:
            if stop:
                loop.stop()
    _conclude(summary, stopped=stop)
    if json is not None:
        json.write_text(jsonlib.dumps(summary, indent=2, default=str) + "\n", "utf-8")


def _introduce(material: Material) -> None:
    say(f"The loop on {material.file.name}: predict {material.columns.target!r}.")
    say(f"{material.first_rows:,} rows to train on, {len(material.healthy):,} of healthy traffic,")
    say(f"{len(material.drifted):,} of traffic after a [bold]simulated[/bold] shift:", markup=True)
    for column, change in material.truth.changes.items():
        say(f"  {column}: {change}")


def _conclude(summary: dict[str, object], *, stopped: bool) -> None:
    say("\nWhat happened", style="bold")
    table(("step", "what came of it"), summary["story"])  # type: ignore[arg-type]
    say("\nFrom one prediction back to the raw file", style="bold")
    table(
        ("step", "what", "name", "state or digest"),
        [
            (item["depth"], item["type"], item["name"], item["state"] or item["digest"][:26])
            for item in summary["lineage"]  # type: ignore[attr-defined]
        ],
    )
    if stopped:
        place = shlex.quote(str(summary["workspace"]))
        say(f"\nThe server was ended. Start it again: athanor up --workspace {place}")
        return
    say(f"\nThe studio: {summary['url']}")
    there = f"--workspace {shlex.quote(str(summary['workspace']))}"
    say(f"Roll back: athanor {there} endpoint rollback {summary['endpoint']}")
    say(f"End the server, which goes on and keeps its port: athanor down {there}")


def _tell_running(workspace: Path) -> None:
    """What a demo that did not come to its end leaves behind."""
    server = read_server(workspace)
    if server is None:
        return
    there = f"--workspace {shlex.quote(str(workspace))}"
    say(f"The server still runs: {server['url']}. What was done until here is kept.")
    say(f"End it: athanor down {there}")
    say(f"Begin again: athanor demo {there}")
