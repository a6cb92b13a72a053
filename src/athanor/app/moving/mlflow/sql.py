"""MLflow's database: SQLite, Postgres or what else SQLAlchemy has a driver for.

The schema grew from 0.9 to 3.x: tables and columns are looked up, and only those that are there
are read. Nothing is written, and no migration is run.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import (
    Connection,
    MetaData,
    Select,
    Table,
    create_engine,
    func,
    inspect,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from athanor.app.moving.errors import BrokenStore, ForeignStore, NoStore, StoreUnreachable
from athanor.app.moving.mlflow.locations import Locations
from athanor.app.moving.mlflow.words import (
    GONE,
    MODEL_STATUSES,
    STATES,
    instant,
    lifecycle,
    microseconds,
)
from athanor.app.moving.source import BATCH, Files, Found, Owner
from athanor.registry.records import ModelRecord, VersionRecord
from athanor.tracking.inputs import DatasetInfo, DatasetInput, ModelOutput, RunInputs
from athanor.tracking.records import (
    ExperimentRecord,
    LoggedModelRecord,
    ModelPoint,
    PointsRecord,
    RunRecord,
    packed,
)

_NEEDED = {
    "alembic_version",
    "experiments",
    "runs",
    "metrics",
    "params",
    "tags",
    "registered_models",
    "model_versions",
}
_READ = _NEEDED | {
    "experiment_tags",
    "datasets",
    "inputs",
    "input_tags",
    "logged_models",
    "logged_model_metrics",
    "logged_model_params",
    "logged_model_tags",
    "registered_model_tags",
    "registered_model_aliases",
    "model_version_tags",
}

Row = dict[str, Any]


class SqlStore:
    """Reads an MLflow database.

    Raises: NoStore, ForeignStore, StoreUnreachable.
    """

    def __init__(self, text: str, *, proxied: str = "") -> None:
        url = database_url(text)
        self._place = url.render_as_string(hide_password=True)
        file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        if file is not None:
            if not file.is_file():
                raise NoStore(str(file))
            read_only = f"sqlite:///file:{file.absolute()}?mode=ro&uri=true"
            url = make_url(read_only)
        base = (file.absolute().parent if file else Path.cwd()).resolve()
        self._locations = Locations(base=base, proxied=proxied)
        try:
            self._engine = create_engine(url)
            with self._engine.connect() as connection:
                names = set(inspect(connection).get_table_names())
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreUnreachable(self._place, f"no driver is installed ({error})") from error
        except SQLAlchemyError as error:
            if "not a database" in str(error):
                raise ForeignStore(self._place, "the file is no SQLite database") from error
            raise StoreUnreachable(self._place, _first_line(error)) from error
        missing = sorted(_NEEDED - names)
        if missing:
            raise ForeignStore(self._place, f"it has no table {', '.join(missing)}")
        self._schema = MetaData()
        self._schema.reflect(self._engine, only=sorted(_READ & names), resolve_fks=False)
        self.version = str(self._rows(select(self._table("alembic_version")))[0]["version_num"])

    @property
    def name(self) -> str:
        """What it is and where."""
        return f"MLflow database {self._place} (schema {self.version})"

    def experiments(self) -> list[ExperimentRecord]:
        """All experiments, deleted ones too, by id."""
        table = self._table("experiments")
        tags = self._texts("experiment_tags", "experiment_id")
        return [
            ExperimentRecord(
                id=str(row["experiment_id"]),
                name=row["name"],
                project=row.get("workspace") or "default",
                location=row.get("artifact_location") or "",
                lifecycle=lifecycle(row.get("lifecycle_stage")),
                created_at=instant(row.get("creation_time")),
                updated_at=instant(row.get("last_update_time")),
                tags=tags.get(row["experiment_id"], {}),
            )
            for row in self._rows(select(table).order_by(table.c.experiment_id))
        ]

    def runs(self, experiment: ExperimentRecord) -> Iterator[list[RunRecord]]:
        """The runs of an experiment without their points, batch by batch."""
        table = self._table("runs")
        last = ""
        while True:
            query = (
                select(table)
                .where(table.c.experiment_id == int(experiment.id), table.c.run_uuid > last)
                .order_by(table.c.run_uuid)
                .limit(BATCH)
            )
            rows = self._rows(query)
            if not rows:
                return
            ids = [row["run_uuid"] for row in rows]
            last = ids[-1]
            tags = self._texts("tags", "run_uuid", ids)
            params = self._texts("params", "run_uuid", ids)
            used = self._used(ids)
            yield [
                RunRecord(
                    id=row["run_uuid"],
                    experiment=experiment.id,
                    project=experiment.project,
                    name=row.get("name") or tags.get(row["run_uuid"], {}).get("mlflow.runName", ""),
                    state=STATES[row["status"]],
                    user=row.get("user_id") or "",
                    lifecycle=lifecycle(row.get("lifecycle_stage")),
                    location=row.get("artifact_uri") or "",
                    started_at=instant(row.get("start_time")),
                    ended_at=instant(row.get("end_time")),
                    deleted_at=instant(row.get("deleted_time")),
                    tags=tags.get(row["run_uuid"], {}),
                    params=params.get(row["run_uuid"], {}),
                    used=used[row["run_uuid"]],
                )
                for row in rows
            ]

    def marks(self, runs: list[RunRecord]) -> dict[str, str]:
        """By run id, its number of points and what they add up to."""
        table = self._table("metrics")
        counted = (
            select(
                table.c.run_uuid,
                func.count().label("points"),
                func.sum(table.c.timestamp).label("times"),
                func.sum(table.c.step).label("steps"),
            )
            .where(table.c.run_uuid.in_([run.id for run in runs]))
            .group_by(table.c.run_uuid)
        )
        marks = {run.id: "" for run in runs}
        for row in self._rows(counted):
            told = f"{row['points']} {row['times']} {row['steps']}"
            marks[row["run_uuid"]] = told
        return marks

    def points(self, runs: list[RunRecord]) -> dict[str, list[PointsRecord]]:
        """All points of these runs."""
        table = self._table("metrics")
        columns = [table.c.run_uuid, table.c.key, table.c.timestamp, table.c.value]
        columns += [table.c[name] for name in ("step", "is_nan") if name in table.c]
        query = (
            select(*columns)
            .where(table.c.run_uuid.in_([run.id for run in runs]))
            .order_by(table.c.run_uuid, table.c.key, *columns[2:])
        )
        series: dict[str, dict[str, list[tuple[float, int, int]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        with self._connection() as connection:
            for row in connection.execute(query):
                told = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
                value = float("nan") if told.get("is_nan") else float(told["value"])
                point = (value, int(told.get("step") or 0), microseconds(told["timestamp"]))
                series[told["run_uuid"]][told["key"]].append(point)
        return {
            run.id: [packed(key, points) for key, points in series[run.id].items()] for run in runs
        }

    def logged_models(self, experiment: ExperimentRecord) -> Iterator[list[LoggedModelRecord]]:
        """The logged models of an experiment, batch by batch."""
        if "logged_models" not in self._schema.tables:
            return
        table = self._table("logged_models")
        last = ""
        while True:
            query = (
                select(table)
                .where(table.c.experiment_id == int(experiment.id), table.c.model_id > last)
                .order_by(table.c.model_id)
                .limit(BATCH)
            )
            rows = self._rows(query)
            if not rows:
                return
            ids = [row["model_id"] for row in rows]
            last = ids[-1]
            tags = self._texts("logged_model_tags", "model_id", ids, ("tag_key", "tag_value"))
            params = self._texts(
                "logged_model_params", "model_id", ids, ("param_key", "param_value")
            )
            points = self._model_points(ids)
            yield [
                LoggedModelRecord(
                    id=row["model_id"],
                    experiment=experiment.id,
                    project=experiment.project,
                    name=row["name"] or "",
                    location=row["artifact_location"] or "",
                    status=MODEL_STATUSES.get(row["status"], "ready"),
                    status_message=row.get("status_message") or "",
                    type=row.get("model_type") or "",
                    run=row.get("source_run_id") or None,
                    lifecycle=lifecycle(row.get("lifecycle_stage")),
                    created_at=instant(row["creation_timestamp_ms"]),
                    updated_at=instant(row["last_updated_timestamp_ms"]),
                    params=params.get(row["model_id"], {}),
                    tags=tags.get(row["model_id"], {}),
                    points=points.get(row["model_id"], []),
                )
                for row in rows
            ]

    def models(self) -> Iterator[list[ModelRecord]]:
        """Registered models with their versions."""
        models, versions = self._table("registered_models"), self._table("model_versions")
        versions_by: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self._rows(select(versions).order_by(versions.c.version)):
            versions_by[_model_key(row)].append(row)
        tags = self._model_texts("registered_model_tags", ("key", "value"))
        aliases = self._model_texts("registered_model_aliases", ("alias", "version"))
        version_tags: dict[tuple[str, str, int], dict[str, str]] = defaultdict(dict)
        if "model_version_tags" in self._schema.tables:
            for row in self._rows(select(self._table("model_version_tags"))):
                version_tags[*_model_key(row), row["version"]][row["key"]] = row["value"] or ""
        found = []
        for row in self._rows(select(models).order_by(models.c.name)):
            key = _model_key(row)
            every = versions_by[key]
            found.append(
                ModelRecord(
                    name=row["name"],
                    project=key[0],
                    description=row.get("description") or "",
                    created_at=instant(row.get("creation_time")),
                    updated_at=instant(row.get("last_updated_time")),
                    last_number=max((int(version["version"]) for version in every), default=0),
                    tags={name: str(value or "") for name, value in tags[key].items()},
                    aliases={name: int(number) for name, number in aliases[key].items()},
                    versions=[
                        _version(version, version_tags[*key, version["version"]])
                        for version in every
                        if version.get("current_stage") != GONE
                    ],
                )
            )
        if found:
            yield found

    def files(self, owner: Owner) -> Files:
        """What lies under a run's or a logged model's artifacts."""
        return self._locations.files(owner.location)

    def open(self, _owner: Owner | VersionRecord, file: Found) -> IO[bytes]:
        """A file's bytes.

        Raises: OSError.
        """
        return self._locations.open(file)

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    def _connection(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise StoreUnreachable(self._place, _first_line(error)) from error

    def _rows(self, query: Select[Any]) -> list[Row]:
        try:
            with self._connection() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]
        except SQLAlchemyError as error:
            raise BrokenStore(self._place, _first_line(error)) from error

    def _table(self, name: str) -> Table:
        return self._schema.tables[name]

    def _texts(
        self,
        name: str,
        owner: str,
        ids: Iterable[object] | None = None,
        columns: tuple[str, str] = ("key", "value"),
    ) -> dict[Any, dict[str, str]]:
        """Keys and values by owner; of all owners where no ids are given."""
        found: dict[Any, dict[str, str]] = defaultdict(dict)
        if name not in self._schema.tables:
            return found
        table = self._table(name)
        query = select(table.c[owner], *(table.c[column] for column in columns))
        if ids is not None:
            query = query.where(table.c[owner].in_(list(ids)))
        for row in self._rows(query):
            found[row[owner]][row[columns[0]]] = row[columns[1]] or ""
        return found

    def _model_texts(
        self, name: str, columns: tuple[str, str]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
        if name in self._schema.tables:
            for row in self._rows(select(self._table(name))):
                found[_model_key(row)][row[columns[0]]] = row[columns[1]]
        return found

    def _used(self, ids: list[str]) -> dict[str, RunInputs]:
        """The datasets that runs used, and the logged models that they read and made."""
        found: dict[str, RunInputs] = defaultdict(RunInputs)
        if not {"inputs", "input_tags", "datasets"} <= set(self._schema.tables):
            return found
        table, datasets = self._table("inputs"), self._table("datasets")
        used = self._rows(select(table).where(table.c.destination_id.in_(ids)))
        used = [row for row in used if row["source_type"] == "DATASET"]
        told = {
            row["dataset_uuid"]: DatasetInfo(
                name=row["name"],
                digest=row["digest"],
                source_type=row["dataset_source_type"] or "",
                source=row["dataset_source"] or "",
                schema=row.get("dataset_schema") or "",
                profile=row.get("dataset_profile") or "",
            )
            for row in self._rows(
                select(datasets).where(
                    datasets.c.dataset_uuid.in_({row["source_id"] for row in used})
                )
            )
        }
        tags = self._texts(
            "input_tags", "input_uuid", [row["input_uuid"] for row in used], ("name", "value")
        )
        for row in used:
            if row["source_id"] in told:
                dataset = told[row["source_id"]]
                given = DatasetInput(dataset=dataset, tags=tags.get(row["input_uuid"], {}))
                found[row["destination_id"]].datasets.append(given)
        for row in self._rows(select(table).where(table.c.source_id.in_(ids))):
            model, run = row["destination_id"], found[row["source_id"]]
            if row["source_type"] == "RUN_OUTPUT":
                run.outputs.append(ModelOutput(model_id=model, step=int(row.get("step") or 0)))
            else:
                run.models.append(model)
        return found

    def _model_points(self, ids: list[str]) -> dict[str, list[ModelPoint]]:
        found: dict[str, list[ModelPoint]] = defaultdict(list)
        if "logged_model_metrics" not in self._schema.tables:
            return found
        table = self._table("logged_model_metrics")
        for row in self._rows(select(table).where(table.c.model_id.in_(ids))):
            at, value = instant(row["metric_timestamp_ms"]), row["metric_value"]
            if at is None:
                continue
            found[row["model_id"]].append(
                ModelPoint(
                    key=row["metric_name"],
                    value="nan" if value is None else value,
                    step=int(row["metric_step"]),
                    at=at,
                    run=row["run_id"],
                    dataset_name=row.get("dataset_name"),
                    dataset_digest=row.get("dataset_digest"),
                )
            )
        return found


def database_url(text: str) -> URL:
    """A database's address; a file is SQLite's, and Postgres is spoken by psycopg.

    Raises: ForeignStore.
    """
    try:
        url = make_url(text if "://" in text else f"sqlite:///{text}")
    except ArgumentError as error:
        raise ForeignStore(text, "it is no database URL") from error
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    return url


def _version(row: Row, tags: dict[str, str]) -> VersionRecord:
    source = str(row.get("source") or "")
    made_of = source.removeprefix("models:/") if source.startswith("models:/m-") else None
    return VersionRecord(
        number=int(row["version"]),
        source=source,
        location=row.get("storage_location") or "",
        run=row.get("run_id") or None,
        run_link=row.get("run_link") or "",
        logged_model=made_of,
        stage=row.get("current_stage") or "None",
        status=row.get("status") or "READY",
        status_message=row.get("status_message") or "",
        description=row.get("description") or "",
        user=row.get("user_id") or "",
        created_at=instant(row.get("creation_time")),
        updated_at=instant(row.get("last_updated_time")),
        tags=dict(tags),
    )


def _model_key(row: Row) -> tuple[str, str]:
    return row.get("workspace") or "default", row["name"]


def _first_line(error: Exception) -> str:
    return hide(str(error).split("\n", 1)[0])


def hide(text: str) -> str:
    """An error's text without what follows the first `://`, where a password may stand."""
    return text.split("://", 1)[0]
