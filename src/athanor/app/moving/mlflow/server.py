"""A live MLflow server, by its REST API: what any client may ask of it, and nothing else."""

import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from athanor.app.moving.errors import BrokenStore, ForeignStore, StoreUnreachable
from athanor.app.moving.mlflow.words import (
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

_API = "/api/2.0/mlflow/"
_AJAX = "/ajax-api/2.0/mlflow/"
_PAGE = 25_000
_THREADS = 8
_IN_MEMORY = 1 << 23
_FIRST_ERROR = 400
_MODEL_STATES = dict(MODEL_STATUSES)

Row = dict[str, Any]


class ServerStore:
    """Reads a server that speaks MLflow's REST API.

    It is asked as `MLFLOW_TRACKING_TOKEN`, or as `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or as
    the user that stands in the URL.
    Raises: ForeignStore, StoreUnreachable.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
        token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        user = parts.username or os.environ.get("MLFLOW_TRACKING_USERNAME", "")
        password = parts.password or os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {token}"} if token else {},
            auth=(user, password) if user and not token else None,
            timeout=httpx.Timeout(300.0, connect=10.0),
            transport=httpx.HTTPTransport(retries=2),
        )
        self._latest: dict[str, list[Row]] = {}
        self._bulk = True
        try:
            self._get(f"{_API}experiments/search", {"max_results": 1})
        except BrokenStore as error:
            self.close()
            raise ForeignStore(self.url, error.message) from error
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """What it is and where."""
        return f"MLflow server {self.url}"

    def experiments(self) -> list[ExperimentRecord]:
        """All experiments, deleted ones too, by id."""
        asked = {"max_results": 1000, "view_type": "ALL"}
        return sorted(
            (
                ExperimentRecord(
                    id=row["experiment_id"],
                    name=row["name"],
                    location=row.get("artifact_location", ""),
                    lifecycle=lifecycle(row.get("lifecycle_stage")),
                    created_at=instant(row.get("creation_time")),
                    updated_at=instant(row.get("last_update_time")),
                    tags=_texts(row.get("tags")),
                )
                for row in self._pages("experiments/search", asked, "experiments")
            ),
            key=lambda experiment: (len(experiment.id), experiment.id),
        )

    def runs(self, experiment: ExperimentRecord) -> Iterator[list[RunRecord]]:
        """The runs of an experiment without their points, batch by batch."""
        asked = {
            "experiment_ids": [experiment.id],
            "run_view_type": "ALL",
            "max_results": BATCH,
            "order_by": ["attributes.start_time ASC"],
        }
        batch: list[RunRecord] = []
        for row in self._pages("runs/search", asked, "runs"):
            batch.append(self._run(row, experiment))
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def marks(self, runs: list[RunRecord]) -> dict[str, str]:
        """By run id, the last point of each of its metrics."""
        return {run.id: repr(self._latest.get(run.id)) for run in runs}

    def points(self, runs: list[RunRecord]) -> dict[str, list[PointsRecord]]:
        """All points of these runs."""
        by_key: dict[str, list[str]] = defaultdict(list)
        for run in runs:
            for point in self._latest.get(run.id, []):
                by_key[point["key"]].append(run.id)
        found: dict[str, dict[str, list[Row]]] = {run.id: {} for run in runs}
        with ThreadPoolExecutor(_THREADS) as threads:
            for series in threads.map(lambda item: self._series(*item), by_key.items()):
                for run_id, key, rows in series:
                    found[run_id][key] = rows
        return {
            run_id: [packed(key, map(_point, rows)) for key, rows in series_of.items()]
            for run_id, series_of in found.items()
        }

    def logged_models(self, experiment: ExperimentRecord) -> Iterator[list[LoggedModelRecord]]:
        """The logged models of an experiment, batch by batch; old servers have none."""
        asked = {"experiment_ids": [experiment.id], "max_results": 50}
        found = [
            _logged_model(row, experiment)
            for row in self._pages("logged-models/search", asked, "models", optional=True)
        ]
        for first in range(0, len(found), BATCH):
            yield found[first : first + BATCH]

    def models(self) -> Iterator[list[ModelRecord]]:
        """Registered models with their versions, one by one."""
        asked: Row = {"max_results": 1000}
        for row in self._pages("registered-models/search", asked, "registered_models", get=True):
            quoted = '"' if "'" in row["name"] else "'"
            wanted = {"filter": f"name={quoted}{row['name']}{quoted}", "max_results": 1000}
            versions = self._pages("model-versions/search", wanted, "model_versions", get=True)
            yield [_model(row, list(versions))]

    def files(self, owner: Owner) -> Files:
        """What lies under a run's or a logged model's artifacts."""
        found: list[Found] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                listed = self._listed(owner, folder)
            except (BrokenStore, StoreUnreachable) as error:
                return Files(found=found, missing=error.message)
            for entry in listed:
                if entry.get("is_dir"):
                    folders.append(entry["path"])
                else:
                    found.append(Found(path=entry["path"], size=int(entry.get("file_size") or 0)))
        return Files(found=sorted(found, key=lambda file: file.path))

    def open(self, owner: Owner | VersionRecord, file: Found) -> IO[bytes]:
        """A file's bytes, brought here first.

        Raises: OSError.
        """
        if isinstance(owner, LoggedModelRecord):
            path = f"{_AJAX}logged-models/{owner.id}/artifacts/files"
            query = {"artifact_file_path": file.path}
        elif isinstance(owner, VersionRecord):
            raise FileNotFoundError(file.path)
        else:
            path = "/get-artifact"
            query = {"run_id": owner.id, "run_uuid": owner.id, "path": file.path}
        kept: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - handed on
        try:
            with self._http.stream("GET", path, params=query) as answer:
                if answer.status_code >= _FIRST_ERROR:
                    raise OSError(f"{file.path}: the server answered {answer.status_code}")
                for chunk in answer.iter_bytes(1 << 20):
                    kept.write(chunk)
        except httpx.HTTPError as error:
            raise OSError(f"{file.path}: {type(error).__name__}") from error
        kept.seek(0)
        return kept

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _run(self, row: Row, experiment: ExperimentRecord) -> RunRecord:
        info, data = row["info"], row.get("data", {})
        run_id = info.get("run_id") or info["run_uuid"]
        self._latest[run_id] = data.get("metrics", [])
        tags = _texts(data.get("tags"))
        told_inputs, told_outputs = row.get("inputs", {}), row.get("outputs", {})
        used = RunInputs(
            datasets=[_input(told) for told in told_inputs.get("dataset_inputs", [])],
            models=[told["model_id"] for told in told_inputs.get("model_inputs", [])],
            outputs=[
                ModelOutput(model_id=told["model_id"], step=int(told.get("step", 0)))
                for told in told_outputs.get("model_outputs", [])
            ],
        )
        return RunRecord(
            id=run_id,
            experiment=experiment.id,
            project=experiment.project,
            name=info.get("run_name") or tags.get("mlflow.runName", ""),
            state=STATES[info.get("status", "FINISHED")],
            user=info.get("user_id", ""),
            lifecycle=lifecycle(info.get("lifecycle_stage")),
            location=info.get("artifact_uri", ""),
            started_at=instant(info.get("start_time")),
            ended_at=instant(info.get("end_time")),
            tags=tags,
            params=_texts(data.get("params")),
            used=used,
        )

    def _series(self, key: str, run_ids: list[str]) -> list[tuple[str, str, list[Row]]]:
        """One metric's points in several runs."""
        if self._bulk and len(run_ids) > 1:
            query = [("run_id", run_id) for run_id in run_ids]
            query += [("metric_key", key), ("max_results", str(_PAGE))]
            answer = self._ask("GET", f"{_AJAX}metrics/get-history-bulk", params=query)
            if answer.status_code < _FIRST_ERROR:
                rows: list[Row] = msgspec.json.decode(answer.content).get("metrics", [])
                if len(rows) < _PAGE:
                    by_run: dict[str, list[Row]] = {run_id: [] for run_id in run_ids}
                    for row in rows:
                        by_run[row["run_id"]].append(row)
                    return [(run_id, key, points) for run_id, points in by_run.items()]
            else:
                self._bulk = False
        return [(run_id, key, self._history(run_id, key)) for run_id in run_ids]

    def _history(self, run_id: str, key: str) -> list[Row]:
        query = {"run_id": run_id, "run_uuid": run_id, "metric_key": key, "max_results": _PAGE}
        return list(self._pages("metrics/get-history", query, "metrics", get=True))

    def _listed(self, owner: Owner, folder: str) -> list[Row]:
        if isinstance(owner, LoggedModelRecord):
            path = f"{_API}logged-models/{quote(owner.id)}/artifacts/directories"
            query = {"artifact_directory_path": folder} if folder else {}
        else:
            path = f"{_API}artifacts/list"
            query = {"run_id": owner.id, "run_uuid": owner.id}
            query |= {"path": folder} if folder else {}
        return cast("list[Row]", self._get(path, query).get("files", []))

    def _pages(
        self, path: str, asked: Row, name: str, *, get: bool = False, optional: bool = False
    ) -> Iterator[Row]:
        token = ""
        while True:
            wanted = asked | ({"page_token": token} if token else {})
            if get:
                answer = self._ask("GET", _API + path, params=wanted)
            else:
                answer = self._ask("POST", _API + path, json=wanted)
            if optional and answer.status_code in {404, 405}:
                return
            told = self._told(answer)
            yield from told.get(name, [])
            token = told.get("next_page_token", "")
            if not token:
                return

    def _get(self, path: str, query: Row) -> Row:
        return self._told(self._ask("GET", path, params=query))

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            raise StoreUnreachable(self.url, type(error).__name__) from error

    def _told(self, answer: httpx.Response) -> Row:
        try:
            told = msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            told = None
        if answer.status_code in {401, 403}:
            raise StoreUnreachable(
                self.url,
                f"it answers {answer.status_code}: set MLFLOW_TRACKING_TOKEN or "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
            )
        if answer.status_code in {429, 502, 503, 504}:
            raise StoreUnreachable(self.url, f"it answers {answer.status_code}.")
        if not isinstance(told, dict):
            raise ForeignStore(self.url, f"{answer.url.path} answers no JSON object")
        if answer.status_code >= _FIRST_ERROR:
            said = str(told.get("message", ""))[:200] or f"answered {answer.status_code}"
            raise BrokenStore(f"{self.url}{answer.url.path}", said)
        return told


def _texts(pairs: list[Row] | None) -> dict[str, str]:
    return {pair["key"]: pair.get("value", "") for pair in pairs or []}


def _point(row: Row) -> tuple[float, int, int]:
    return float(row["value"]), int(row.get("step", 0)), microseconds(int(row["timestamp"]))


def _input(told: Row) -> DatasetInput:
    dataset = told["dataset"]
    return DatasetInput(
        dataset=DatasetInfo(
            name=dataset["name"],
            digest=dataset["digest"],
            source_type=dataset.get("source_type", ""),
            source=dataset.get("source", ""),
            schema=dataset.get("schema", ""),
            profile=dataset.get("profile", ""),
        ),
        tags=_texts(told.get("tags")),
    )


def _logged_model(row: Row, experiment: ExperimentRecord) -> LoggedModelRecord:
    info, data = row["info"], row.get("data", {})
    return LoggedModelRecord(
        id=info["model_id"],
        experiment=experiment.id,
        project=experiment.project,
        name=info.get("name", ""),
        location=info.get("artifact_uri", ""),
        status=_MODEL_STATES.get(info.get("status"), "ready"),
        status_message=info.get("status_message", ""),
        type=info.get("model_type", ""),
        run=info.get("source_run_id") or None,
        created_at=instant(info.get("creation_timestamp_ms")),
        updated_at=instant(info.get("last_updated_timestamp_ms")),
        params=_texts(data.get("params")),
        tags=_texts(info.get("tags")),
        points=[
            ModelPoint(
                key=point["key"],
                value=point["value"] if isinstance(point["value"], float | int) else "nan",
                step=int(point.get("step", 0)),
                at=at,
                run=point.get("run_id") or info.get("source_run_id", ""),
                dataset_name=point.get("dataset_name"),
                dataset_digest=point.get("dataset_digest"),
            )
            for point in data.get("metrics", [])
            if (at := instant(point["timestamp"])) is not None
        ],
    )


def _model(row: Row, versions: list[Row]) -> ModelRecord:
    numbers = [int(version["version"]) for version in versions]
    return ModelRecord(
        name=row["name"],
        description=row.get("description", ""),
        created_at=instant(row.get("creation_timestamp")),
        updated_at=instant(row.get("last_updated_timestamp")),
        last_number=max(numbers, default=0),
        tags=_texts(row.get("tags")),
        aliases={told["alias"]: int(told["version"]) for told in row.get("aliases", [])},
        versions=sorted(map(_version, versions), key=lambda version: version.number),
    )


def _version(row: Row) -> VersionRecord:
    source = row.get("source", "")
    made_of = source.removeprefix("models:/") if source.startswith("models:/m-") else None
    return VersionRecord(
        number=int(row["version"]),
        source=source,
        run=row.get("run_id") or None,
        run_link=row.get("run_link", ""),
        logged_model=row.get("model_id") or made_of,
        stage=row.get("current_stage") or "None",
        status=row.get("status", "READY"),
        status_message=row.get("status_message", ""),
        description=row.get("description", ""),
        user=row.get("user_id", ""),
        created_at=instant(row.get("creation_timestamp")),
        updated_at=instant(row.get("last_updated_timestamp")),
        tags=_texts(row.get("tags")),
    )
