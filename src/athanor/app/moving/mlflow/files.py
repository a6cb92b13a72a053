"""MLflow's file store: the `mlruns` folder, one small file a tag, one text file a metric.

The layout is public and old: runs of MLflow 0.x to 3.x lie in it.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from athanor.app.moving.errors import BrokenStore, ForeignStore, NoStore
from athanor.app.moving.mlflow.locations import Locations
from athanor.app.moving.mlflow.words import (
    GONE,
    MODEL_STATUSES,
    STATE_NUMBERS,
    STATES,
    instant,
    lifecycle,
    microseconds,
)
from athanor.app.moving.source import BATCH, Files, Found, Owner
from athanor.kernel.documents import read_yaml
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

_META = "meta.yaml"
_TRASH = ".trash"
_MODELS = "models"
_RESERVED = {"tags", "datasets", "traces", "models"}


class FileStore:
    """Reads an `mlruns` folder.

    Raises: NoStore, ForeignStore.
    """

    def __init__(self, folder: Path, locations: Locations) -> None:
        self._root = folder.absolute()
        self._locations = locations
        self._folders: dict[str, Path] = {}
        if not folder.is_dir():
            raise NoStore(str(folder))
        if not self._experiment_folders() and not (self._root / _MODELS).is_dir():
            raise ForeignStore(str(folder), f"no folder in it has a {_META} with an experiment")

    @property
    def name(self) -> str:
        """What it is and where."""
        return f"MLflow file store {self._root}"

    def experiments(self) -> list[ExperimentRecord]:
        """All experiments, deleted ones too, by id.

        Raises: BrokenStore.
        """
        found = []
        for folder in self._experiment_folders():
            experiment = _experiment(folder)
            self._folders[experiment.id] = folder
            found.append(experiment)
        return sorted(found, key=lambda experiment: (len(experiment.id), experiment.id))

    def runs(self, experiment: ExperimentRecord) -> Iterator[list[RunRecord]]:
        """The runs of an experiment without their points, batch by batch.

        Raises: BrokenStore.
        """
        folder = self._folders[experiment.id]
        datasets = {
            place.name: _dataset(_meta(place)) for place in _subfolders(folder / "datasets")
        }
        batch: list[RunRecord] = []
        for place in _subfolders(folder):
            if place.name in _RESERVED or not _is_owner(place):
                continue
            batch.append(self._run(place, experiment, datasets))
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def marks(self, runs: list[RunRecord]) -> dict[str, str]:
        """By run id, the sizes and times of its metric files."""
        marks = {}
        for run in runs:
            metrics = self._folders[run.experiment] / run.id / "metrics"
            told = [(str(path), path.stat()) for path in _files(metrics)]
            marks[run.id] = repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in told])
        return marks

    def points(self, runs: list[RunRecord]) -> dict[str, list[PointsRecord]]:
        """All points of these runs.

        Raises: BrokenStore.
        """
        found = {}
        for run in runs:
            metrics = self._folders[run.experiment] / run.id / "metrics"
            found[run.id] = [_series(path, metrics) for path in _files(metrics)]
        return found

    def logged_models(self, experiment: ExperimentRecord) -> Iterator[list[LoggedModelRecord]]:
        """The logged models of an experiment, batch by batch.

        Raises: BrokenStore.
        """
        places = [
            place
            for place in _subfolders(self._folders[experiment.id] / _MODELS)
            if _is_owner(place)
        ]
        for first in range(0, len(places), BATCH):
            yield [_logged_model(place, experiment) for place in places[first : first + BATCH]]

    def models(self) -> Iterator[list[ModelRecord]]:
        """Registered models with their versions.

        Raises: BrokenStore.
        """
        places: set[Path] = set()
        for folder in _subfolders(self._root / _MODELS):
            told = [path.parent for path in folder.rglob(_META)] or [folder] * bool(_files(folder))
            places |= {
                place.parent if place.name.startswith("version-") else place for place in told
            }
        found = [_model(place) for place in sorted(places)]
        if found:
            yield found

    def files(self, owner: Owner) -> Files:
        """What lies under a run's or a logged model's artifacts."""
        folder = self._folders[owner.experiment]
        if isinstance(owner, LoggedModelRecord):
            folder = folder / _MODELS
        return self._locations.files(owner.location, beside=folder / owner.id / "artifacts")

    def open(self, _owner: Owner | VersionRecord, file: Found) -> IO[bytes]:
        """A file's bytes.

        Raises: OSError.
        """
        return self._locations.open(file)

    def close(self) -> None:
        """Nothing is held open."""

    def _experiment_folders(self) -> list[Path]:
        return [
            folder
            for parent in (self._root, self._root / _TRASH)
            for folder in _subfolders(parent)
            if folder.name not in {_TRASH, _MODELS} and _is_experiment(folder)
        ]

    def _run(
        self, place: Path, experiment: ExperimentRecord, datasets: dict[str, DatasetInfo]
    ) -> RunRecord:
        meta = _meta(place, "status", "start_time")
        tags = _texts(place / "tags")
        state = meta.get("status")
        named = STATE_NUMBERS.get(state) if isinstance(state, int) else str(state)
        known = STATES.get(named or "")
        if known is None:
            raise BrokenStore(str(place / _META), f"{state!r} is no status of a run")
        with _damage_named(place):
            return RunRecord(
                id=place.name,
                experiment=experiment.id,
                project=experiment.project,
                name=str(
                    meta.get("run_name") or meta.get("name") or tags.get("mlflow.runName", "")
                ),
                state=known,
                user=str(meta.get("user_id") or ""),
                lifecycle=lifecycle(meta.get("lifecycle_stage")),
                location=str(meta.get("artifact_uri") or ""),
                started_at=instant(meta.get("start_time")),
                ended_at=instant(meta.get("end_time")),
                deleted_at=instant(meta.get("deleted_time")),
                tags=tags,
                params=_texts(place / "params"),
                used=_used(place, datasets),
            )


def _experiment(folder: Path) -> ExperimentRecord:
    meta = _meta(folder, "name")
    with _damage_named(folder):
        return ExperimentRecord(
            id=folder.name,
            name=str(meta["name"]),
            project=str(meta.get("workspace") or "default"),
            location=str(meta.get("artifact_location") or folder),
            lifecycle="deleted"
            if folder.parent.name == _TRASH
            else lifecycle(meta.get("lifecycle_stage")),
            created_at=instant(meta.get("creation_time")),
            updated_at=instant(meta.get("last_update_time")),
            tags=_texts(folder / "tags"),
        )


def _used(place: Path, datasets: dict[str, DatasetInfo]) -> RunInputs:
    used = RunInputs(datasets=[], models=[], outputs=[])
    for folder in _subfolders(place / "inputs"):
        told = _meta(folder, "source_type", "source_id")
        with _damage_named(folder):
            if told["source_type"] == "MODEL":
                used.models.append(str(told["source_id"]))
            elif told["source_id"] not in datasets:
                raise BrokenStore(
                    str(folder / _META), f"there is no dataset {str(told['source_id'])!r}"
                )
            else:
                tags = {str(key): str(value) for key, value in (told.get("tags") or {}).items()}
                used.datasets.append(DatasetInput(dataset=datasets[told["source_id"]], tags=tags))
    for folder in _subfolders(place / "outputs"):
        told = _meta(folder, "destination_id")
        with _damage_named(folder):
            output = ModelOutput(
                model_id=str(told["destination_id"]), step=_step(told.get("step") or 0)
            )
            used.outputs.append(output)
    return used


def _model(place: Path) -> ModelRecord:
    meta = _meta(place, "name")
    versions = [
        _version(folder, _meta(folder, "version"))
        for folder in _subfolders(place)
        if folder.name.startswith("version-")
    ]
    aliases = {}
    for alias, number in _texts(place / "aliases").items():
        if not number.strip().isdecimal():
            raise BrokenStore(str(place / "aliases" / alias), f"{number[:60]!r} is no version")
        aliases[alias] = int(number)
    with _damage_named(place):
        return ModelRecord(
            name=str(meta["name"]),
            project=str(meta.get("workspace") or "default"),
            description=str(meta.get("description") or ""),
            created_at=instant(meta.get("creation_timestamp")),
            updated_at=instant(meta.get("last_updated_timestamp")),
            last_number=max((version.number for version in versions), default=0),
            tags=_texts(place / "tags"),
            aliases=aliases,
            versions=sorted(
                (version for version in versions if version.stage != GONE),
                key=lambda version: version.number,
            ),
        )


def _version(folder: Path, meta: dict[str, Any]) -> VersionRecord:
    with _damage_named(folder):
        return VersionRecord(
            number=int(meta["version"]),
            source=str(meta.get("source") or ""),
            location=str(meta.get("storage_location") or ""),
            run=meta.get("run_id") or None,
            run_link=str(meta.get("run_link") or ""),
            logged_model=meta.get("model_id") or None,
            stage=str(meta.get("current_stage") or "None"),
            status=str(meta.get("status") or "READY"),
            status_message=str(meta.get("status_message") or ""),
            description=str(meta.get("description") or ""),
            user=str(meta.get("user_id") or ""),
            created_at=instant(meta.get("creation_timestamp")),
            updated_at=instant(meta.get("last_updated_timestamp")),
            tags=_texts(folder / "tags"),
        )


def _logged_model(place: Path, experiment: ExperimentRecord) -> LoggedModelRecord:
    meta = _meta(place, "status")
    state = meta["status"]
    if not isinstance(state, int | str) or state not in MODEL_STATUSES:
        raise BrokenStore(str(place / _META), f"{state!r} is no status of a logged model")
    metrics = place / "metrics"
    with _damage_named(place):
        return LoggedModelRecord(
            id=place.name,
            experiment=experiment.id,
            project=experiment.project,
            name=str(meta.get("name") or ""),
            location=str(meta.get("artifact_location") or ""),
            status=MODEL_STATUSES[state],
            status_message=str(meta.get("status_message") or ""),
            type=str(meta.get("model_type") or ""),
            run=meta.get("source_run_id") or None,
            lifecycle=lifecycle(meta.get("lifecycle_stage")),
            created_at=instant(meta.get("creation_timestamp")),
            updated_at=instant(meta.get("last_updated_timestamp")),
            params=_texts(place / "params"),
            tags=_texts(place / "tags"),
            points=[
                point
                for path in _files(metrics)
                for point in _model_points(path.relative_to(metrics).as_posix(), path)
            ],
        )


def _model_points(key: str, path: Path) -> Iterator[ModelPoint]:
    for parts in _lines(path):
        at = instant(microseconds(int(parts[0])) // 1000)
        if len(parts) < 4 or at is None:
            raise BrokenStore(str(path), "a line has no run")
        value = float(parts[1])
        yield ModelPoint(
            key=key,
            value=value if abs(value) < float("inf") else str(value),
            step=_step(parts[2]),
            at=at,
            run=parts[3],
            # A dataset's name may have spaces in it; its digest has none.
            dataset_name=" ".join(parts[4:-1]) if len(parts) > 5 else None,
            dataset_digest=parts[-1] if len(parts) > 5 else None,
        )


def _dataset(meta: dict[str, Any]) -> DatasetInfo:
    return DatasetInfo(
        name=str(meta.get("name", "")),
        digest=str(meta.get("digest", "")),
        source_type=str(meta.get("source_type") or ""),
        source=str(meta.get("source") or ""),
        schema=str(meta.get("schema") or ""),
        profile=str(meta.get("profile") or ""),
    )


def _series(path: Path, metrics: Path) -> PointsRecord:
    with _damage_named(path):
        return packed(path.relative_to(metrics).as_posix(), map(_point, _lines(path)))


def _point(parts: list[str]) -> tuple[float, int, int]:
    step = _step(parts[2]) if len(parts) > 2 else 0
    return float(parts[1]), step, microseconds(int(parts[0]))


def _lines(path: Path) -> Iterator[list[str]]:
    """The words of each line; the last line may be half-written, and is left out then."""
    with _damage_named(path):
        text = path.read_text("utf-8")
    lines = text.split("\n")
    whole = lines[:-1]
    for number, line in enumerate(lines):
        parts = line.split()
        if not parts:
            continue
        try:
            int(parts[0]), float(parts[1]), int(parts[2]) if len(parts) > 2 else 0
        except (ValueError, IndexError):
            if number == len(whole):
                return
            raise BrokenStore(f"{path}:{number + 1}", f"{line[:60]!r} is no point") from None
        yield parts


def _step(told: object) -> int:
    """A step. Raises: ValueError where it is none, or has more than 64 bits."""
    step = int(str(told))
    if not -(1 << 63) <= step < 1 << 63:
        raise ValueError(f"{step} is no step: it has more than 64 bits")
    return step


@contextmanager
def _damage_named(place: Path) -> Iterator[None]:
    """What can't be read inside is damage of the store, at this place.

    Raises: BrokenStore.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        path = place / _META if place.is_dir() else place
        raise BrokenStore(str(path), str(error).split("\n", 1)[0]) from error
    except struct.error as error:
        raise BrokenStore(str(place), str(error)) from error


def _is_experiment(folder: Path) -> bool:
    """Whether a folder is an experiment, be it one without its meta.yaml.

    Folders of artifacts alone lie there too, where runs are kept in a database.
    """
    owners = [*_subfolders(folder), *_subfolders(folder / _MODELS)]
    return (folder / _META).is_file() or any(_is_owner(place) for place in owners)


def _is_owner(place: Path) -> bool:
    """Whether a folder is a run or a logged model, be it one without its meta.yaml."""
    told = (place / _META, place / "metrics", place / "params", place / "tags")
    return any(path.exists() for path in told)


def _meta(folder: Path, *needed: str) -> dict[str, Any]:
    """What a folder says of itself.

    Raises: BrokenStore, also where a name that it needs is missing, or its end.
    """
    path = folder / _META
    try:
        text = path.read_bytes()
        found = read_yaml(text)
    except FileNotFoundError as error:
        raise BrokenStore(str(path), "there is no such file") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BrokenStore(str(path), str(error).split("\n", 1)[0]) from error
    if not isinstance(found, dict):
        raise BrokenStore(str(path), "it is empty or no mapping")
    absent = [name for name in needed if found.get(name) is None]
    if absent:
        raise BrokenStore(str(path), f"it has no {' and no '.join(absent)}")
    if not text.endswith(b"\n"):
        raise BrokenStore(str(path), "its last line has no end: it was not written to its end")
    return found


def _texts(folder: Path) -> dict[str, str]:
    """A folder of small files: each one's path is a key, its text the value."""
    found = {}
    for path in _files(folder):
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                found[path.relative_to(folder).as_posix()] = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise BrokenStore(str(path), str(error)) from error
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(Path(root) / name for root, _, names in os.walk(folder) for name in names)


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())
