"""An MLflow store, written: a SQLite database and the artifacts beside it."""

import hashlib
import importlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Self

import msgspec

from athanor.app.moving.errors import PlaceTaken
from athanor.app.moving.mlflow.words import (
    GONE,
    MODEL_STATUS_NUMBERS,
    STATUSES,
    milliseconds,
)
from athanor.kernel.storage import FolderEntry
from athanor.registry.records import ModelArrival, ModelRecord, VersionRecord
from athanor.tracking.inputs import DatasetInput
from athanor.tracking.records import (
    ExperimentHere,
    ExperimentRecord,
    FileRecord,
    LoggedModelRecord,
    RunRecord,
    unpacked,
)

_DATABASE = "mlflow.db"
_ARTIFACTS = "mlartifacts"
_OWN = ".athanor-export"
_LARGEST = sys.float_info.max
_CHUNK = 1 << 20


class MlflowExport:
    """Writes what a journey brings as MLflow's own server would have kept it.

    The folder may be that of an export before: what has changed since is written then.
    Raises: PlaceTaken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._own = self._folder / _OWN
        if folder.exists() and any(folder.iterdir()) and not self._own.is_dir():
            raise PlaceTaken(str(folder))
        self._contents = self._own / "contents"
        self._contents.mkdir(parents=True, exist_ok=True)
        database = self._folder / _DATABASE
        if not database.exists():
            passing = self._own / "new.db"
            passing.unlink(missing_ok=True)
            _make_database(passing)
            passing.replace(database)
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._columns: dict[str, set[str]] = {}
        self._roots: dict[str, Path] = {}
        self._experiments: dict[str, str] = {}
        self.version = str(self._value("SELECT version_num FROM alembic_version"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()
        shutil.rmtree(self._contents, ignore_errors=True)

    def wanted(self, marks: Mapping[str, str]) -> list[str]:
        """Which owners were not written with these marks."""
        here = self._marks()
        return [owner for owner, mark in marks.items() if here.get(owner) != mark]

    def take_experiments(self, records: Sequence[ExperimentRecord]) -> list[ExperimentHere]:
        """Write experiments under their own ids."""
        taken = []
        with self._transaction():
            for record in records:
                location = str(self._folder / _ARTIFACTS / record.id)
                self._put(
                    "experiments",
                    experiment_id=int(record.id),
                    name=record.name,
                    artifact_location=location,
                    lifecycle_stage=record.lifecycle,
                    creation_time=milliseconds(record.created_at),
                    last_update_time=milliseconds(record.updated_at),
                    workspace=record.project,
                )
                self._texts("experiment_tags", record.tags, experiment_id=int(record.id))
                taken.append(ExperimentHere(id=record.id, here=record.id, location=location))
        return taken

    def take_runs(self, records: Sequence[RunRecord]) -> list[str]:
        """Write runs with all but their files; the ids of new ones."""
        added = []
        with self._transaction():
            for record in records:
                place = self._folder / _ARTIFACTS / record.experiment / record.id / "artifacts"
                self._roots[record.id] = place
                if not self._value("SELECT 1 FROM runs WHERE run_uuid = ?", record.id):
                    added.append(record.id)
                self._run(record, place)
        return added

    def take_logged_models(self, records: Sequence[LoggedModelRecord]) -> list[str]:
        """Write logged models with all but their files; the ids of new ones."""
        added = []
        with self._transaction():
            for record in records:
                root = self._folder / _ARTIFACTS / record.experiment / "models"
                place = root / record.id / "artifacts"
                self._roots[record.id] = place
                if not self._value("SELECT 1 FROM logged_models WHERE model_id = ?", record.id):
                    added.append(record.id)
                self._logged_model(record, place)
        return added

    def take_files(self, files: Mapping[str, Sequence[FileRecord]]) -> list[str]:
        """Put files in their places, by owner; the digests of content that has not come yet."""
        absent: set[str] = set()
        for owner, owned in files.items():
            absent.update(self._place(self._roots[owner], owned))
        return sorted(absent)

    def take_version_files(self, model: str, version: VersionRecord) -> list[str]:
        """Put the files of a version's own folder in their places, as `take_files` does."""
        return self._place(self._of_version(model, version), version.files)

    def _of_version(self, model: str, version: VersionRecord) -> Path:
        return self._folder / _ARTIFACTS / "registry" / model / str(version.number)

    def _place(self, root: Path, files: Sequence[FileRecord | FolderEntry]) -> list[str]:
        absent = set()
        for file in files:
            target = root / PurePosixPath(file.path)
            if not target.resolve().is_relative_to(root.resolve()):
                continue
            if target.is_file() and target.stat().st_size == file.size:
                with target.open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
                if f"sha256:{found}" == file.digest:
                    continue
            content = self._contents / file.digest.removeprefix("sha256:")
            if not content.exists():
                absent.add(file.digest)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            passing = target.with_name(f".{target.name}.part")
            shutil.copyfile(content, passing)
            passing.replace(target)
        return sorted(absent)

    def take_content(self, packed: Path) -> None:
        """Keep the bytes of files until they are put in their places."""
        with packed.open("rb") as stream:
            for digest, size in msgspec.json.decode(stream.readline(), type=list[tuple[str, int]]):
                target = self._contents / digest.removeprefix("sha256:")
                passing = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
                left = size
                with passing.open("wb") as kept:
                    while left and (piece := stream.read(min(_CHUNK, left))):
                        kept.write(piece)
                        left -= len(piece)
                passing.replace(target)

    def settle(self, marks: Mapping[str, str]) -> None:
        """Note that owners were written whole."""
        path = self._own / "marks.json"
        passing = path.with_suffix(".part")
        passing.write_bytes(msgspec.json.encode(self._marks() | dict(marks)))
        passing.replace(path)
        for content in self._contents.iterdir():
            content.unlink()

    def take_model(self, record: ModelRecord) -> ModelArrival:
        """Write a registered model with its versions; a number that is gone stays taken."""
        with self._transaction():
            known = self._value("SELECT 1 FROM registered_models WHERE name = ?", record.name)
            self._put(
                "registered_models",
                name=record.name,
                workspace=record.project,
                description=record.description or None,
                creation_time=milliseconds(record.created_at),
                last_updated_time=milliseconds(record.updated_at),
            )
            place = {"name": record.name, "workspace": record.project}
            self._texts("registered_model_tags", record.tags, **place)
            self._remove("registered_model_aliases", **place)
            for alias, number in record.aliases.items():
                self._put("registered_model_aliases", alias=alias, version=number, **place)
            here = {
                row[0]
                for row in self._connection.execute(
                    "SELECT version FROM model_versions WHERE name = ?", (record.name,)
                )
            }
            for version in record.versions:
                if version.files:
                    source = str(self._of_version(record.name, version))
                    self._version(replace(version, source=source), place)
                else:
                    self._version(version, place)
            numbers = {version.number for version in record.versions}
            if record.last_number and record.last_number not in numbers:
                gone = VersionRecord(number=record.last_number, stage=GONE)
                self._version(gone, place)
        return ModelArrival(
            name=record.name, new=not known, added=sorted(numbers - here), changed=False
        )

    def _run(self, record: RunRecord, place: Path) -> None:
        tags = {"mlflow.runName": record.name} | record.tags if record.name else record.tags
        self._put(
            "runs",
            run_uuid=record.id,
            name=record.name,
            source_type="UNKNOWN",
            source_name="",
            entry_point_name="",
            source_version="",
            user_id=record.user,
            status=STATUSES[record.state],
            start_time=milliseconds(record.started_at),
            end_time=milliseconds(record.ended_at),
            deleted_time=milliseconds(record.deleted_at),
            lifecycle_stage=record.lifecycle,
            artifact_uri=str(place),
            experiment_id=int(record.experiment),
        )
        self._texts("tags", tags, run_uuid=record.id)
        self._texts("params", record.params, run_uuid=record.id)
        for series in record.points:
            points = [_point(value, step, at) for value, step, at in unpacked(series)]
            self._points(record.id, series.key, points)
        for given in record.used.datasets:
            self._input(record, given)
        for model in record.used.models:
            self._link("RUN_INPUT", record.id, "MODEL_INPUT", model)
        for output in record.used.outputs:
            self._link("RUN_OUTPUT", record.id, "MODEL_OUTPUT", output.model_id, output.step)

    def _points(self, run_id: str, key: str, points: list["_Point"]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(key, value, at, run_id, step, nan) for value, at, step, nan in points],
        )
        last = max(points, key=lambda point: (point[2], point[1], point[0]), default=None)
        if last is None:
            return
        value, at, step, nan = last
        self._connection.execute(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key, run_uuid) DO UPDATE SET"
            " value = excluded.value, timestamp = excluded.timestamp, step = excluded.step,"
            " is_nan = excluded.is_nan WHERE (excluded.step, excluded.timestamp, excluded.value)"
            " > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)",
            (key, value, at, step, nan, run_id),
        )

    def _input(self, record: RunRecord, given: DatasetInput) -> None:
        told = given.dataset
        dataset = _id("dataset", record.experiment, told.name, told.digest)
        self._put(
            "datasets",
            dataset_uuid=dataset,
            experiment_id=int(record.experiment),
            name=told.name,
            digest=told.digest,
            dataset_source_type=told.source_type,
            dataset_source=told.source,
            dataset_schema=told.schema or None,
            dataset_profile=told.profile or None,
        )
        number = self._link("DATASET", dataset, "RUN", record.id)
        for key, value in given.tags.items():
            self._put("input_tags", input_uuid=number, name=key, value=value)

    def _link(self, kind: str, source: str, to: str, target: str, step: int = 0) -> str:
        number = _id(kind, source, to, target)
        self._put(
            "inputs",
            input_uuid=number,
            source_type=kind,
            source_id=source,
            destination_type=to,
            destination_id=target,
            step=step,
        )
        return number

    def _logged_model(self, record: LoggedModelRecord, place: Path) -> None:
        experiment = int(record.experiment)
        self._put(
            "logged_models",
            model_id=record.id,
            experiment_id=experiment,
            name=record.name,
            artifact_location=str(place),
            creation_timestamp_ms=milliseconds(record.created_at) or 0,
            last_updated_timestamp_ms=milliseconds(record.updated_at) or 0,
            status=MODEL_STATUS_NUMBERS[record.status],
            lifecycle_stage=record.lifecycle,
            model_type=record.type or None,
            source_run_id=record.run,
            status_message=record.status_message or None,
        )
        place_of = {"model_id": record.id, "experiment_id": experiment}
        for key, value in record.params.items():
            self._put("logged_model_params", param_key=key, param_value=value, **place_of)
        for key, value in record.tags.items():
            self._put("logged_model_tags", tag_key=key, tag_value=value, **place_of)
        for point in record.points:
            self._put(
                "logged_model_metrics",
                metric_name=point.key,
                metric_timestamp_ms=milliseconds(point.at),
                metric_step=point.step,
                metric_value=_held(float(point.value)),
                run_id=point.run,
                dataset_name=point.dataset_name,
                dataset_digest=point.dataset_digest,
                **place_of,
            )

    def _version(self, version: VersionRecord, place: Mapping[str, str]) -> None:
        self._put(
            "model_versions",
            version=version.number,
            creation_time=milliseconds(version.created_at),
            last_updated_time=milliseconds(version.updated_at),
            description=version.description or None,
            user_id=version.user or None,
            current_stage=version.stage,
            source=version.source,
            storage_location=version.location or version.source,
            run_id=version.run,
            run_link=version.run_link or None,
            status=version.status,
            status_message=version.status_message or None,
            **place,
        )
        for key, value in version.tags.items():
            self._put("model_version_tags", key=key, value=value, version=version.number, **place)

    def _texts(self, table: str, texts: Mapping[str, str], **place: object) -> None:
        """Write all texts of an owner in the place of those that are there."""
        self._remove(table, **place)
        for key, value in texts.items():
            self._put(table, key=key, value=value, **place)

    def _put(self, table: str, **values: object) -> None:
        """Write a row, in the place of one with its key; columns that are not there are left."""
        columns = self._columns.get(table)
        if columns is None:
            told = self._connection.execute(f"PRAGMA table_info({table})")
            columns = self._columns[table] = {row[1] for row in told}
        kept = {name: value for name, value in values.items() if name in columns}
        names = ", ".join(f'"{name}"' for name in kept)
        marks = ", ".join("?" * len(kept))
        self._connection.execute(
            f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - own names
            tuple(kept.values()),
        )

    def _remove(self, table: str, **place: object) -> None:
        where = " AND ".join(f"{name} = ?" for name in place)
        self._connection.execute(
            f"DELETE FROM {table} WHERE {where}",  # noqa: S608 - own names
            tuple(place.values()),
        )

    def _value(self, query: str, *values: object) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _marks(self) -> dict[str, str]:
        path = self._own / "marks.json"
        return dict(json.loads(path.read_bytes())) if path.exists() else {}


_Point = tuple[float, int, int, int]
"""Value, milliseconds since 1970, step, whether it is NaN."""


def _point(value: float, step: int, at: int) -> _Point:
    nan = int(value != value)  # noqa: PLR0124 - NaN alone differs from itself
    return (0.0 if nan else max(-_LARGEST, min(_LARGEST, value))), at // 1000, step, nan


def _held(value: float) -> float | None:
    """A logged model's value: MLflow keeps NaN as nothing and infinities as the largest number."""
    return None if value != value else max(-_LARGEST, min(_LARGEST, value))  # noqa: PLR0124


def _id(*parts: object) -> str:
    """An id that is the same for the same thing."""
    return hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()


def _make_database(path: Path) -> None:
    with Path(os.devnull).open("w") as silent, redirect_stderr(silent):
        importlib.import_module("athanor.app.moving.mlflow.schema").make_database(path)
