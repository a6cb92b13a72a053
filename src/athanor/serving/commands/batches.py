"""`athanor batch`."""

from pathlib import Path
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, progress, say, table, transport
from athanor.serving.client.batches import BatchesClient
from athanor.serving.types.batches import Batch, BatchFile, NewBatch

commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Predictions for whole tables: a dataset, a query or files in, a dataset version out.",
)

Id = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]


@commands.callback()
def _group() -> None:
    """Batch predictions."""


@commands.command()
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Its number or alias.")],
    to: Annotated[str, typer.Option(help="The dataset whose next version the predictions become.")],
    data: Annotated[str, typer.Option(help="A dataset version: customers@3.")] = "",
    sql: Annotated[str, typer.Option(help="One SELECT that gives the rows.")] = "",
    file: Annotated[
        list[Path] | None,
        typer.Option(help="CSV, JSON, JSON lines, Parquet or Arrow, .gz too; more than once."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="An input column beside the predictions; more than once. All if unsaid."),
    ] = None,
    *,
    only_predictions: Annotated[
        bool, typer.Option("--only-predictions", help="Keep no input column.")
    ] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Behind the rows of the latest version.")
    ] = False,
    chunk_rows: Annotated[int, typer.Option(help="Rows of a chunk, about.")] = 250_000,
    workers: Annotated[int, typer.Option(help="Processes; 0: one a core.")] = 0,
    max_errors: Annotated[
        int, typer.Option(help="Rows that the model may refuse; their prediction is null.")
    ] = 0,
    wait: Annotated[bool, typer.Option(help="Wait until it is done.")] = True,
    json: Json = False,
) -> None:
    """Predict the rows of a dataset, a query or files."""
    client = BatchesClient(transport())
    files: tuple[BatchFile, ...] = tuple(client.add_file(path) for path in file or ())
    batch = client.submit(
        NewBatch(
            model=model,
            to=to,
            dataset=data,
            sql=sql,
            files=files,
            keep=() if only_predictions else tuple(keep) if keep else None,
            mode="append" if append else "replace",
            chunk_rows=chunk_rows,
            workers=workers,
            max_errors=max_errors,
        )
    )
    if wait:
        batch = _waited(client, batch, quiet=json)
    _tell(batch, json=json)


@commands.command("list")
def list_batches(
    *,
    state: Annotated[str, typer.Option(help="Only those in this state.")] = "",
    limit: Annotated[int, typer.Option(help="How many; the newest come first.")] = 20,
    json: Json = False,
) -> None:
    """Print the batches."""
    found = BatchesClient(transport()).list(state=state, limit=limit)
    if json:
        emit(found)
        return
    table(
        ("batch", "model", "state", "rows", "done", "result", "since"),
        [
            (
                item.id,
                f"{item.model}@{item.version}",
                item.state,
                _rows(item),
                _share(item),
                _result(item),
                f"{item.created_at:%Y-%m-%d %H:%M}",
            )
            for item in found
        ],
        empty="No batches yet. Make one: athanor batch run MODEL --data NAME --to NAME",
        right=("rows", "done"),
    )


@commands.command()
def show(batch: Id, *, json: Json = False) -> None:
    """Print a batch: what goes in, how far it is, what came of it."""
    found = BatchesClient(transport()).get(batch)
    if json:
        emit(found)
        return
    told = [
        ("model", f"{found.model}@{found.version}"),
        ("input", ", ".join(_input(found))),
        ("state", found.state),
        ("rows", f"{found.rows_done:,} of {_rows(found) or 0:,}"),
        ("chunks", f"{found.chunks_done} of {found.chunks}"),
        ("rows refused", found.errors),
        ("attempts", found.attempts),
        ("result", _result(found)),
        ("rows a second", f"{found.figures.get('rows_per_second', 0):,.0f}"),
        ("error", (found.error or {}).get("message", "")),
    ]
    table(("", ""), told, title=found.id)


@commands.command()
def cancel(batch: Id, *, json: Json = False) -> None:
    """Stop a batch; what it scored so far is removed."""
    _tell(BatchesClient(transport()).cancel(batch), json=json)


@commands.command()
def resume(
    batch: Id,
    *,
    wait: Annotated[bool, typer.Option(help="Wait until it is done.")] = True,
    json: Json = False,
) -> None:
    """Go on with a batch that failed or was cancelled; chunks that are done stay done."""
    client = BatchesClient(transport())
    found = client.resume(batch)
    if wait:
        found = _waited(client, found, quiet=json)
    _tell(found, json=json)


def _waited(client: BatchesClient, batch: Batch, *, quiet: bool) -> Batch:
    if quiet:
        return client.wait(batch.id)
    with progress() as shown:
        line = shown.add_task(f"{batch.model}@{batch.version}", total=None)

        def told(found: Batch) -> None:
            shown.update(line, completed=found.rows_done, total=found.rows)

        return client.wait(batch.id, told=told)


def _tell(batch: Batch, *, json: bool) -> None:
    if json:
        emit(batch)
        return
    match batch.state:
        case "done":
            refused = f"; {batch.errors:,} rows were refused" if batch.errors else ""
            say(
                f"{batch.rows_done:,} rows predicted by {batch.model}@{batch.version}: "
                f"{_result(batch)}{refused}."
            )
        case "cancelled":
            say(f"Batch {batch.id} is cancelled.")
        case _:
            say(f"Batch {batch.id} is {batch.state}. Watch it: athanor batch show {batch.id}")


def _result(batch: Batch) -> str:
    number = batch.dataset_version
    return f"{batch.to}@{number}" if number is not None else f"to {batch.to}"


def _rows(batch: Batch) -> int | None:
    """The input's rows; an attempt that found the result there already counted none."""
    done = batch.rows_done if batch.state == "done" else None
    return done if batch.rows is None else batch.rows


def _share(batch: Batch) -> str:
    rows = _rows(batch)
    return f"{batch.rows_done / rows:.0%}" if rows else ""


def _input(batch: Batch) -> list[str]:
    source = batch.source
    if "files" in source:
        return [str(item["file"]) for item in source["files"]]
    return [str(value) for value in source.values()]
