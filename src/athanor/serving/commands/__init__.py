"""`athanor deploy` and `athanor endpoint`."""

import csv
import json as json_module
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.errors import Invalid
from athanor.serving.client import EndpointsClient
from athanor.serving.types import (
    Deploy,
    Deployment,
    Endpoint,
    NewLabel,
    PredictionQuery,
)

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Names that answer with a model's predictions."
)

Name = Annotated[str, typer.Argument(metavar="ENDPOINT")]

_WAIT_SECONDS = 120.0
_LOOK_SECONDS = 0.2
_BATCH = 500
_SETTLED = frozenset({"live", "refused", "failed", "retired", "standby"})


class FileUnreadable(Invalid):
    """A file that is neither CSV with a header nor JSON records."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} can't be read: {problem}.",
            hint="Give a CSV file with a header line, a JSON list of objects, or JSON lines.",
        )


@commands.callback()
def _group() -> None:
    """Endpoints: what they serve, and what they answered."""


def deploy(
    model: Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Its number or alias.")],
    endpoint: Annotated[str, typer.Option(help="The endpoint; made if it is not there.")],
    canary: Annotated[
        float | None, typer.Option(help="Percent of the traffic to begin with, 1 to 99.")
    ] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Redeploy whenever the alias moves.")
    ] = False,
    key: Annotated[
        str | None, typer.Option(help="The input column by which labels will join.")
    ] = None,
    replicas: Annotated[int, typer.Option(help="Model workers.", min=1, max=16)] = 1,
    wait: Annotated[bool, typer.Option(help="Wait until it answers, or can't.")] = True,
    json: Json = False,
) -> None:
    """Put a model version behind an endpoint."""
    client = _endpoints()
    share = None if canary is None else canary / 100
    asked = Deploy(model=model, canary=share, follow=follow, key=key, replicas=replicas)
    made = client.deploy(endpoint, asked)
    shown = client.get(endpoint)
    if wait and shown.url:
        shown = _settled(client, endpoint, made.id)
    mine = next((item for item in shown.deployments if item.id == made.id), made)
    if json:
        emit({"deployment": mine, "url": shown.url})
    else:
        _tell_deployed(shown, mine)
    if mine.state in {"failed", "refused"}:
        raise typer.Exit(1)


@commands.command("list")
def list_endpoints(*, json: Json = False) -> None:
    """Print every endpoint."""
    found = _endpoints().list()
    if json:
        emit(found)
        return
    table(
        ("endpoint", "serves", "on its way", "rollback to", "address"),
        [
            (
                item.name,
                _named(item.live),
                _named(item.candidate),
                _named(item.standby),
                item.url or "(no server runs)",
            )
            for item in found
        ],
        empty="No endpoints yet. Make one: athanor deploy MODEL --endpoint NAME",
    )


@commands.command()
def show(name: Name, *, json: Json = False) -> None:
    """Print an endpoint's deployments, and how to call it."""
    found = _endpoints().get(name)
    if json:
        emit(found)
        return
    table(
        ("deployment", "model", "state", "share", "since", "by", "why"),
        [
            (
                item.number,
                f"{item.model}@{item.version}",
                item.state,
                f"{item.share:.0%}",
                f"{item.created_at:%Y-%m-%d %H:%M}",
                item.created_by,
                item.reason,
            )
            for item in found.deployments
        ],
        title=found.name,
    )
    for item in found.deployments:
        for step in item.canary.history if item.canary else ():
            say(f"Deployment {item.number} at {step.share:.0%}: {step.action}: {step.reason}")
    _tell_call(found)


@commands.command()
def promote(name: Name, *, json: Json = False) -> None:
    """Have the canary take over now."""
    _tell_moved(_endpoints().promote(name), json=json)


@commands.command()
def rollback(name: Name, *, json: Json = False) -> None:
    """End the canary, or bring back the deployment before."""
    _tell_moved(_endpoints().rollback(name), json=json)


@commands.command()
def remove(name: Name, *, json: Json = False) -> None:
    """Take an endpoint away; its predictions stay in the log."""
    _endpoints().remove(name)
    if json:
        emit({"removed": name})
    else:
        say(f"Endpoint {name} is gone; its predictions stay in the log.")


@commands.command()
def label(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV or JSON with the columns `label` and `id` or `key`."),
    ] = None,
    *,
    prediction: Annotated[str | None, typer.Option("--id", help="One prediction's id.")] = None,
    key: Annotated[str | None, typer.Option(help="One row's key.")] = None,
    value: Annotated[str | None, typer.Option("--label", help="Its label.")] = None,
    json: Json = False,
) -> None:
    """Send the truth about predictions."""
    client = _endpoints()
    if file is not None:
        labels = [_label(file, place, row) for place, row in enumerate(_records(file))]
    elif value is not None:
        labels = [NewLabel(label=value, id=prediction, key=key)]
    else:
        problem = "neither a file nor --label was given"
        raise FileUnreadable(Path("labels"), problem)
    count = 0
    for start in range(0, len(labels), _BATCH):
        count += client.label(name, labels[start : start + _BATCH]).count
    if json:
        emit({"endpoint": name, "count": count})
    else:
        say(f"{count} labels kept for endpoint {name}.")


@commands.command()
def predict(
    name: Name,
    file: Annotated[Path, typer.Argument(help="CSV or JSON records; - is standard input (JSON).")],
    *,
    json: Json = False,
) -> None:
    """Ask an endpoint for each record of a file."""
    client = _endpoints()
    records = list(_records(file))
    answers: list[dict[str, Any]] = []
    for start in range(0, len(records), _BATCH):
        answers += client.predict(name, records[start : start + _BATCH])["predictions"]
    if json:
        emit(answers)
        return
    table(
        ("prediction", "label", "score"),
        [(item["id"], item["label"], f"{item['score']:.4f}") for item in answers],
        empty="The file has no records.",
        right=("score",),
    )


@commands.command()
def logs(
    name: Name,
    *,
    limit: Annotated[int, typer.Option(help="How many; the newest come first.")] = 20,
    labelled: Annotated[
        bool | None, typer.Option(help="Only those with a label, or without one.")
    ] = None,
    json: Json = False,
) -> None:
    """Print logged predictions with their labels."""
    query = PredictionQuery(limit=limit, labelled=labelled)
    found = _endpoints().predictions(name, query)
    if json:
        emit(found)
        return
    table(
        ("prediction", "at", "model", "key", "predicted", "score", "label", "ms"),
        [
            (
                item.id,
                f"{item.predicted_at:%Y-%m-%d %H:%M:%S}",
                f"{item.model}@{item.version}",
                item.key,
                item.label,
                None if item.score is None else f"{item.score:.4f}",
                item.truth,
                f"{item.latency * 1000:.1f}",
            )
            for item in found
        ],
        empty="Nothing was predicted yet.",
        right=("score", "ms"),
    )


def _endpoints() -> EndpointsClient:
    return EndpointsClient(transport())


def _settled(client: EndpointsClient, name: str, deployment: str) -> Endpoint:
    """The endpoint once the deployment is live, is a canary, or has ended."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        found = client.get(name)
        mine = next((item for item in found.deployments if item.id == deployment), None)
        if mine is None or mine.state in _SETTLED | {"canary"} or time.monotonic() > end:
            return found
        time.sleep(_LOOK_SECONDS)


def _tell_deployed(endpoint: Endpoint, mine: Deployment) -> None:
    what = f"{mine.model}@{mine.version}"
    match mine.state:
        case "live":
            say(f"{what} answers at endpoint {endpoint.name} (deployment {mine.number}).")
        case "canary":
            say(
                f"{what} has {mine.share:.0%} of endpoint {endpoint.name}'s traffic; it is judged "
                f"now. Watch it: athanor endpoint show {endpoint.name}"
            )
        case "failed" | "refused":
            say(f"{what} does not serve: {mine.reason}")
        case _:
            say(f"{what} is deployed to endpoint {endpoint.name} (deployment {mine.number}).")
    _tell_call(endpoint)


def _tell_moved(endpoint: Endpoint, *, json: bool) -> None:
    if json:
        emit(endpoint)
        return
    say(f"Endpoint {endpoint.name} serves {_named(endpoint.live)}.")


def _tell_call(endpoint: Endpoint) -> None:
    if not endpoint.url:
        say("No server runs in this workspace, so it does not answer yet: athanor up")
        return
    shown = endpoint.live or endpoint.candidate
    if shown is None:
        return
    record = {column.name: _example(column.type) for column in shown.signature.columns}
    body = shlex.quote(json_module.dumps({"records": [record]}))
    say("Call it:")
    sys.stdout.write(f"curl -s {endpoint.url} -H 'Content-Type: application/json' -d {body}\n")


def _example(kind: str) -> Any:
    examples = {"string": "a", "boolean": True, "long": 1, "integer": 1}
    return "2024-05-01T12:00:00" if kind == "datetime" else examples.get(kind, 1.0)


def _named(deployment: Deployment | None) -> str:
    if deployment is None:
        return ""
    share = f" ({deployment.share:.0%})" if 0 < deployment.share < 1 else ""
    return f"{deployment.model}@{deployment.version}{share}"


def _label(file: Path, place: int, row: dict[str, Any]) -> NewLabel:
    if row.get("label") is None or (not row.get("id") and not row.get("key")):
        raise FileUnreadable(file, f"row {place} has no label, or neither an id nor a key")
    if row.get("id"):
        return NewLabel(label=row["label"], id=str(row["id"]))
    return NewLabel(label=row["label"], key=str(row["key"]))


def _records(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file (numbers as numbers, empty cells as null) or of a JSON file."""
    if file.suffix.lower() == ".csv":
        try:
            with file.open(newline="", encoding="utf-8-sig") as stream:
                for row in csv.DictReader(stream):
                    yield {name: _cell(text) for name, text in row.items()}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FileUnreadable(file, str(error)) from error
        return
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
        found = json_module.loads(text) if text.lstrip()[:1] in {"[", "{"} else None
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(file, str(error)) from error
    except json_module.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        found = found.get("records", [found])
    if found is None:
        try:
            found = [json_module.loads(line) for line in text.splitlines() if line.strip()]
        except json_module.JSONDecodeError as error:
            raise FileUnreadable(file, str(error)) from error
    if not all(isinstance(row, dict) for row in found):
        raise FileUnreadable(file, "it holds something else than objects")
    yield from found


def _cell(text: str | None) -> Any:
    if text is None or text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
