"""`athanor train`: the classification pipeline on a dataset, in one command."""

import shlex
from typing import Annotated, Any

import typer

from athanor.app.gallery.errors import NoTarget, OtherTarget
from athanor.data.client import Data
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.pipelines import Submission
from athanor.pipelines.client import PipelinesClient
from athanor.registry.client import ModelsClient

_REFUSED = 4
"""The exit code where all was done, and the gate refused the model."""


def train(
    dataset: Annotated[str, typer.Argument(help="A dataset, or a version of it: NAME or NAME@N.")],
    *,
    target: Annotated[
        str, typer.Option(help="The column to predict; the dataset's target if left out.")
    ] = "",
    name: Annotated[str, typer.Option(help="The model's name; the dataset's if left out.")] = "",
    id: Annotated[
        str, typer.Option("--id", help="The column that names a row; the dataset's if left out.")
    ] = "",
    time: Annotated[
        str, typer.Option(help="The column that says when; the dataset's if left out.")
    ] = "",
    sensitive: Annotated[
        str, typer.Option(help="A column whose groups are compared; the dataset's if left out.")
    ] = "",
    positive: Annotated[str, typer.Option(help="The class that the score is of.")] = "",
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="A column to learn from though it would be left out (a leak, an identifier). "
            "May come several times."
        ),
    ] = None,
    endpoint: Annotated[str, typer.Option(help="Serve the model here if it passes.")] = "",
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    json: Json = False,
) -> None:
    """Train, evaluate, gate and register a classifier of a dataset.

    The exit code is 1 where the run fails, and 4 where the gate refuses the model.
    """
    roles = Data(transport()).dataset(dataset.partition("@")[0]).roles
    target = target or roles.target
    if not target:
        raise NoTarget(dataset)
    wanted = {
        "id": id or roles.id,
        "time": time or roles.time,
        "sensitive": sensitive or next(iter(roles.sensitive), ""),
        "positive": positive,
        "keep": keep,
        "endpoint": endpoint,
    }
    model = name or dataset.partition("@")[0]
    reference = dataset if "@" in dataset else f"{dataset}@latest"
    models = ModelsClient(transport())
    artifacts = {"data": f"dataset:{reference}"}
    if champion := champion_for(models, model, target):
        artifacts["champion"] = champion
    parameters: dict[str, Any] = {"target": target, "name": model, "seed": seed}
    parameters |= {key: value for key, value in wanted.items() if value}
    pipelines = PipelinesClient(transport())
    started = pipelines.submit(
        Submission(pipeline="classification", parameters=parameters, artifacts=artifacts)
    )
    run = pipelines.wait(started.id)
    told = next((task.outputs for task in run.tasks if "registered" in task.outputs), {})
    plan: dict[str, Any] = next(
        (task.outputs["plan"] for task in run.tasks if "plan" in task.outputs), {}
    )
    if json:
        emit({"run": run, "result": told})
    else:
        table(("task", "state"), [(t.name, t.state) for t in run.tasks if t.kind != "dag"])
        for note in notes_of(plan, {wanted["id"], wanted["time"]}):
            say(f"Note: {note}")
        if run.error:
            say(f"{run.error.get('message', '')} {run.error.get('hint', '')}", style="red")
        elif told.get("registered"):
            say(f"{told['reference']} is registered. {told['reason']}")
            say(f"Serve it: athanor deploy {told['reference']} --endpoint {model}")
        else:
            say(f"Nothing was registered. {told.get('reason', '')}")
    if run.state != "done":
        raise typer.Exit(1)
    if not told.get("registered"):
        raise typer.Exit(_REFUSED)


def notes_of(plan: dict[str, Any], named: set[Any]) -> list[str]:
    """What there is to say of the columns: notes, and each that was left out without being told to.

    `named` columns are the identifier and the time, as somebody said they were.
    """
    left = [item for item in plan.get("left_out", ()) if item["column"] not in named]
    notes = [*plan.get("notes", ())]
    notes += [f"{item['column']!r} was left out: {item['reason']}." for item in left]
    if left:
        notes.append(f"To learn from it all the same: --keep {shlex.quote(left[0]['column'])}")
    return notes


def champion_for(models: ModelsClient, model: str, target: str) -> str:
    """The version that a new model for a target has to beat, as an input; "" where there is none.

    Raises: OtherTarget.
    """
    if not any(m.name == model and "champion" in m.aliases for m in models.models()):
        return ""
    office = models.version(f"{model}@champion").signature.target
    if office not in {"", target}:
        raise OtherTarget(target, office, model)
    return f"model:{model}@champion"
