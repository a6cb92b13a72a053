"""`athanor lineage` and `athanor run list`: what ran, and what came from what."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, table, transport
from athanor.lineage.client import Runs
from athanor.lineage.types import Node, Run, RunFilter

commands = typer.Typer(no_args_is_help=True, add_completion=False, help="What came from what.")


@commands.callback()
def _group() -> None:
    """What came from what: runs, artifacts, and the edges between them."""


@commands.command("trace")
def trace(
    root: Annotated[
        str,
        typer.Argument(
            help="An id of a run or an artifact, or dataset:NAME@N, model:NAME@ALIAS, prediction:ID"
        ),
    ],
    *,
    down: Annotated[bool, typer.Option("--down", help="What was made of it instead.")] = False,
    json: Json = False,
) -> None:
    """Print all that ROOT came from, nearest first."""
    graph = Runs(transport()).trace(root, "down" if down else "up")
    if json:
        emit(graph)
        return
    table(
        ("step", "what", "name", "state or digest", "id"),
        [
            (node.depth, node.type, _named(node, times), node.state or node.digest[:19], node.id)
            for node, times in once(graph.nodes)
        ],
    )


def once(nodes: Sequence[Node]) -> list[tuple[Node, int]]:
    """Nodes in their order; data of one name and content that several runs told of is one."""
    same = [
        (node.type, node.name, node.digest) if node.type == "dataset" and node.digest else node.id
        for node in nodes
    ]
    times = Counter(same)
    first = dict(reversed(list(zip(same, nodes, strict=True))))
    return [(first[key], times[key]) for key in dict.fromkeys(same)]


def _named(node: Node, times: int) -> str:
    return node.name if times == 1 else f"{node.name} ({times} of this content)"


def list_runs(
    *,
    kind: Annotated[str | None, typer.Option(help="Only runs of this kind.")] = None,
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    json: Json = False,
) -> None:
    """Print runs, newest first."""
    found = Runs(transport()).runs(RunFilter(kind=kind, state=state, limit=limit))
    if json:
        emit(found)
        return
    table(
        ("run", "kind", "name", "state", "started"),
        [
            (run.id, run.kind, run.name, run.state, f"{run.started_at:%Y-%m-%d %H:%M:%S}")
            for run in found
        ],
        empty="No runs yet. Start one: athanor run train.py",
    )


_UNTOLD = "Code and environment: nobody told."
_BY_MLFLOW = (
    "These are MLflow's own tags alone: install athanor-ml beside the MLflow client for the rest."
)
_CODE = ("commit", "branch", "remote", "entry_point", "arguments", "file", "digest", "spec")
_ENVIRONMENT = ("python", "platform", "packages_digest", "cpu", "cores", "memory_bytes", "gpus")


def _made_with(run: Run) -> list[tuple[str, object]]:
    """A run's code and environment, in rows; what is long is named by its size."""
    code, environment = run.code, run.environment
    rows: list[tuple[str, object]] = [(name, code[name]) for name in _CODE if code.get(name)]
    if "dirty" in code:
        diff = str(code.get("diff", ""))
        cut = ", cut" if code.get("diff_cut") is True else ""
        said = f"yes, {len(diff.splitlines()):,} lines of changes kept{cut}" if diff else "yes"
        rows.append(("uncommitted", said if code["dirty"] else "no"))
    rows += [(name, environment[name]) for name in _ENVIRONMENT if environment.get(name)]
    if environment.get("packages"):
        rows.append(("packages", f"{len(environment['packages']):,}"))
    if code.get("told_by") == "mlflow":
        rows.append(("", _BY_MLFLOW))
    return rows


def show_failure(run: Run) -> None:
    """Print why a run failed, where that is known."""
    if run.error:
        told = (run.error.get(name) for name in ("message", "hint"))
        table(("why it failed",), [(text,) for text in told if text])


def show_run(run_id: str, *, json: Json = False) -> None:
    """Print one run with what it used and made."""
    runs = Runs(transport())
    run, edges = runs.run(run_id), runs.edges(run_id)
    if json:
        emit({"run": run, "edges": edges})
        return
    table(
        ("field", "value"),
        [
            (name, f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value)
            for name in ("id", "kind", "name", "state", "started_at", "ended_at", "created_by")
            if (value := getattr(run, name)) is not None
        ],
    )
    table(("code and environment", ""), _made_with(run), empty=_UNTOLD)
    show_failure(run)
    table(
        ("", "as", "type", "name", "digest"),
        [
            (edge.relation, edge.as_, artifact.type, artifact.name, artifact.digest[:19])
            for edge, artifact in edges
        ],
        empty="It used and made nothing that was recorded.",
    )
