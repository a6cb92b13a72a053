"""`athanor endpoint`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.serving.client import EndpointsClient
from athanor.serving.commands import deployments, exports, recording, tickets
from athanor.serving.commands.records import FileUnreadable, records_of, records_told
from athanor.serving.commands.telling import named, rollback_to, serves, tell_moved
from athanor.serving.types import NewLabel, PredictionQuery

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Names that answer with a model's predictions."
)

Name = Annotated[str, typer.Argument(metavar="ENDPOINT")]

_BATCH, _LABELS = 500, 5000
_SHOWN = 20
_SHOWN_AWAITED = 5


@commands.callback()
def _group() -> None:
    """Endpoints: what they serve, and what they answered."""


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
                serves(item),
                named(item.candidate),
                rollback_to(item),
                item.url or "(no server runs)",
            )
            for item in found
        ],
        empty="No endpoints yet. Make one: athanor deploy MODEL --endpoint NAME",
    )


@commands.command()
def promote(name: Name, *, json: Json = False) -> None:
    """Have the canary take over now."""
    tell_moved(_endpoints().promote(name), json=json)


@commands.command()
def rollback(name: Name, *, json: Json = False) -> None:
    """End the canary, or bring back the deployment before."""
    tell_moved(_endpoints().rollback(name), json=json)


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
        labels = [_label(file, place, row) for place, row in enumerate(records_of(file))]
    elif value is not None:
        labels = [NewLabel(label=value, id=prediction, key=key)]
    else:
        problem = "neither a file nor --label was given"
        raise FileUnreadable(Path("labels"), problem)
    parts = [labels[start : start + _LABELS] for start in range(0, len(labels), _LABELS)]
    received = [client.label(name, part) for part in parts]
    count, joined = sum(part.count for part in received), sum(part.joined for part in received)
    waiting = [item for part in received for item in part.waiting_for]
    if json:
        told = {"joined": joined, "waiting": count - joined, "waiting_for": waiting[:_SHOWN]}
        emit({"endpoint": name, "count": count} | told)
        return
    say(f"{count} labels kept for endpoint {name}; {joined} join a prediction that is logged.")
    if waiting:
        shown = ", ".join(map(repr, waiting[:_SHOWN_AWAITED]))
        say(
            f"{count - joined} wait for one: nothing was predicted yet for {shown}"
            f"{' ...' if count - joined > _SHOWN_AWAITED else ''}.",
            style="yellow",
        )


@commands.command()
def predict(
    name: Name,
    records: Annotated[
        str,
        typer.Argument(
            metavar="RECORDS",
            help="A CSV or JSON file; - is standard input (JSON); or the JSON itself.",
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """Ask an endpoint for each record of a file, or of JSON: '{"age": 41}'."""
    client = _endpoints()
    rows = list(records_told(records))
    answers: list[dict[str, Any]] = []
    for start in range(0, len(rows), _BATCH):
        answers += client.predict(name, rows[start : start + _BATCH])["predictions"]
    if json:
        emit(answers)
        return
    table(
        ("prediction", "label", "score"),
        [(item["id"], _said(item), _figure(item["score"])) for item in answers],
        empty="There are no records.",
        right=("score",),
    )
    key = client.get(name).key
    without = sum(record.get(key) is None for record in rows) if key else 0
    if without:
        say(
            f"{without} of {len(rows)} records have no {key!r}: labels join them by the "
            f"prediction's id alone.",
            style="yellow",
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
    """Print logged predictions; `truth` is the newest label that came for each."""
    query = PredictionQuery(limit=limit, labelled=labelled)
    found = _endpoints().predictions(name, query)
    if json:
        emit(found)
        return
    table(
        ("prediction", "at", "model", "key", "predicted", "score", "truth", "ms"),
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


for command in deployments.COMMANDS:
    commands.command()(command)
commands.command("export")(exports.export)
commands.command("snippet")(exports.snippet)
commands.command("recording")(recording.recording)
commands.command("submit")(tickets.submit)
commands.command("ticket")(tickets.ticket)
commands.command("tickets")(tickets.tickets)
commands.command("withdraw")(tickets.withdraw)


def _endpoints() -> EndpointsClient:
    return EndpointsClient(transport())


def _label(file: Path, place: int, row: dict[str, Any]) -> NewLabel:
    name, key = (None if row.get(part) in {None, ""} else row[part] for part in ("id", "key"))
    if row.get("label") is None or (name is None and key is None):
        raise FileUnreadable(file, f"row {place} has no label, or neither an id nor a key")
    if name is not None:
        return NewLabel(label=row["label"], id=str(name))
    return NewLabel(label=row["label"], key=str(key))


def _said(answer: dict[str, Any]) -> str:
    """The label, or what the model says in its place."""
    label = answer["label"]
    return str(answer.get("value", label) if label is None else label)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
