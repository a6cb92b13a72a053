"""Removing deleted runs, experiments and logged models for good, with all that is theirs.

What a living thing came from stays, deleted or not: a run that made a registered model's version,
a task of a pipeline, an artifact that another run used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    Text,
    delete,
    or_,
    select,
    type_coerce,
    update,
)

from athanor.kernel.database import Database, Json, metadata
from athanor.tracking.logic.paths import in_project

_BATCH = 200
_TREE = "mlflow-artifacts:"
_OWN = ("lineage_", "tracking_", "kernel_")
_RUN_COLUMNS = frozenset({"run", "run_id", "source_run"})
_NO_IDS = ("_tag", "_param", "_spec", "_file")
"""How the names of tables end whose texts are the user's own: no artifact's id counts there."""
_PARTS = ("pipelines_run", "pipelines_task")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What was deleted long enough ago to be removed."""

    runs: dict[str, str] = field(default_factory=dict)
    """Run ids, and the runs' names."""
    experiments: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    """Logged models."""
    kept: dict[str, str] = field(default_factory=dict)
    """Run ids, and why these stay."""


def find_deleted(database: Database, before: datetime) -> Deleted:
    """Runs, experiments and logged models that were deleted before an instant."""
    with database.connection() as connection:
        runs = dict(_rows(connection, _deleted_runs(before)))
        kept: dict[str, str] = {}
        for batch in _batches(list(runs)):
            kept |= dict(_kept(connection, batch))
        going = {run: name for run, name in runs.items() if run not in kept}
        return Deleted(
            runs=going,
            experiments=_without_last(
                connection, dict(_rows(connection, _deleted_experiments(before, going)))
            ),
            models=dict(_rows(connection, _deleted_models(before))),
            kept=kept,
        )


def remove_deleted(database: Database, found: Deleted) -> None:
    """Remove them, each batch in one transaction; one that was restored meanwhile stays."""
    run_table = _table("tracking_run")
    for runs in _batches(list(found.runs)):
        with database.transaction() as connection:
            still = select(run_table.c.run).where(
                run_table.c.run.in_(runs), run_table.c.lifecycle == "deleted"
            )
            going = [row[0] for row in connection.execute(still)]
            named = {run for run, _ in _kept(connection, going)}
            _remove_runs(connection, [run for run in going if run not in named])
    for models in _batches(list(found.models)):
        with database.transaction() as connection:
            _remove_models(connection, models)
    experiment = _table("tracking_experiment")
    for id_ in found.experiments:
        with database.transaction() as connection:
            empty = ~select(run_table.c.run).where(run_table.c.experiment == id_).exists()
            gone = connection.execute(
                select(experiment.c.artifact_location, experiment.c.project).where(
                    experiment.c.id == id_, experiment.c.lifecycle == "deleted", empty
                )
            ).first()
            if gone is not None:
                dataset = _table("tracking_dataset")
                connection.execute(delete(dataset).where(dataset.c.experiment == id_))
                _remove_files(connection, [_folder(gone.artifact_location, gone.project)])
                _remove(connection, experiment, experiment.c.id == id_)


_MODEL = "tracking_logged_model"


def _table(name: str) -> Table:
    return metadata.tables[name]


def _rows(connection: Connection, query: Select[Any]) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in connection.execute(query)]


def _batches(items: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _BATCH):
        yield list(items[start : start + _BATCH])


def _deleted_runs(before: datetime) -> Select[Any]:
    tracked, run = _table("tracking_run"), _table("lineage_run")
    return (
        select(tracked.c.run, run.c.name)
        .join(run, run.c.id == tracked.c.run)
        .where(tracked.c.lifecycle == "deleted", tracked.c.deleted_at < before)
        .order_by(tracked.c.run)
    )


def _deleted_experiments(before: datetime, going: dict[str, str]) -> Select[Any]:
    """Those without any run but runs that go, too."""
    experiment, run = _table("tracking_experiment"), _table("tracking_run")
    staying = select(run.c.run).where(
        run.c.experiment == experiment.c.id, run.c.run.not_in(list(going))
    )
    return (
        select(experiment.c.id, experiment.c.name)
        .where(experiment.c.lifecycle == "deleted", experiment.c.updated_at < before)
        .where(experiment.c.id != "0", ~staying.exists())
        .order_by(experiment.c.id)
    )


def _without_last(connection: Connection, found: dict[str, str]) -> dict[str, str]:
    """Leave the experiment with the highest number: the next one's must be another."""
    experiment = _table("tracking_experiment")
    numbers = [row[0] for row in connection.execute(select(experiment.c.id)) if row[0].isdecimal()]
    last = max(numbers, key=int, default="")
    return {id_: name for id_, name in found.items() if id_ != last}


def _deleted_models(before: datetime) -> Select[Any]:
    model = _table(_MODEL)
    return (
        select(model.c.id, model.c.name)
        .where(model.c.deleted, model.c.updated_at < before)
        .order_by(model.c.id)
    )


def _kept(connection: Connection, runs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The runs of these that another room names, and in what."""
    for table in metadata.sorted_tables:
        if table.name.startswith(_OWN):
            continue
        for column in table.columns:
            mine = column.name in _RUN_COLUMNS or (column.name == "id" and table.name in _PARTS)
            if mine and isinstance(column.type, String):
                query = select(column).where(column.in_(runs)).distinct()
                what = table.name.replace("_", " ")
                for (run,) in connection.execute(query):
                    yield run, f"a {what} names it"


def _remove_runs(connection: Connection, runs: list[str]) -> None:
    if not runs:
        return
    run, tracked, edge = (_table(n) for n in ("lineage_run", "tracking_run", "lineage_edge"))
    latest, point = _table("tracking_latest"), _table("tracking_point")
    series = select(latest.c.series).where(latest.c.run.in_(runs))
    connection.execute(delete(point).where(point.c.series.in_(series)))
    places = connection.execute(
        select(tracked.c.artifact_uri, run.c.project)
        .join(run, run.c.id == tracked.c.run)
        .where(tracked.c.run.in_(runs))
    )
    _remove_files(connection, [_folder(uri, project) for uri, project in places])
    model = _table(_MODEL)
    models = connection.execute(select(model.c.id).where(model.c.run.in_(runs)))
    _remove_models(connection, [row[0] for row in models])
    made = connection.execute(select(edge.c.artifact).where(edge.c.run.in_(runs)).distinct())
    artifacts = [row[0] for row in made]
    _remove(connection, run, run.c.id.in_(runs))
    for batch in _batches(artifacts):
        _remove_artifacts(connection, batch)


def _remove_models(connection: Connection, models: list[str]) -> None:
    """Remove logged models that no other room names."""
    if not models:
        return
    model = _table(_MODEL)
    named = set()
    for table in metadata.sorted_tables:
        if not table.name.startswith(_OWN) and "model_id" in table.columns:
            column = table.c.model_id
            named |= {
                row[0] for row in connection.execute(select(column).where(column.in_(models)))
            }
    going = [item for item in models if item not in named]
    places = connection.execute(select(model.c.id, model.c.experiment).where(model.c.id.in_(going)))
    _remove_files(connection, [f"{row.experiment}/models/{row.id}/" for row in places])
    _remove(connection, model, model.c.id.in_(going))


def _folder(uri: str, project: str) -> str:
    """The folder of the artifact tree behind an address, with a slash; "" if it is elsewhere."""
    path = uri.removeprefix(_TREE)
    if path == uri:
        return ""
    path = path.strip("/").removesuffix("/artifacts")
    return f"{in_project(path, project)}/" if path else ""


def _remove_files(connection: Connection, folders: Sequence[str]) -> None:
    """Remove the entries below folders of the artifact tree; their blobs are found unused later."""
    file = _table("tracking_file")
    for folder in filter(None, folders):
        inside = file.c.path.startswith(folder, autoescape=True)
        connection.execute(delete(file).where(or_(inside, file.c.path == folder.rstrip("/"))))


def _remove_artifacts(connection: Connection, artifacts: list[str]) -> None:
    """Remove artifacts that nothing names any more."""
    table = _table("lineage_artifact")
    named: set[str] = set()
    for other in metadata.sorted_tables:
        if other is table or other.name.startswith("kernel_") or other.name.endswith(_NO_IDS):
            continue
        for column in other.columns:
            if isinstance(column.type, (Json, Text)):
                named |= _in_text(connection, column, artifacts)
            elif isinstance(column.type, String) and (column.type.length or 0) in range(32, 256):
                found = connection.execute(select(column).where(column.in_(artifacts)))
                named |= {row[0] for row in found}
    edge = _table("lineage_edge")
    still = connection.execute(select(edge.c.artifact).where(edge.c.artifact.in_(artifacts)))
    named |= {row[0] for row in still}
    going = [item for item in artifacts if item not in named]
    connection.execute(delete(table).where(table.c.id.in_(going)))


def _in_text(connection: Connection, column: Column[Any], ids: list[str]) -> set[str]:
    """The ids of these that stand somewhere in a column's texts."""
    plain = type_coerce(column, Text)
    query = select(plain).where(or_(*(plain.contains(id_) for id_ in ids)))
    texts = [row[0] for row in connection.execute(query)]
    return {id_ for id_ in ids if any(id_ in text for text in texts)}


def _remove(connection: Connection, table: Table, which: ColumnElement[bool]) -> None:
    """Remove rows, and first those that name them by a foreign key."""
    for other in metadata.sorted_tables:
        for key in other.foreign_keys:
            if key.column.table is not table:
                continue
            names = key.parent.in_(select(key.column).where(which))
            if other is table:
                connection.execute(update(other).where(names).values({key.parent.name: None}))
            else:
                _remove(connection, other, names)
    connection.execute(delete(table).where(which))
