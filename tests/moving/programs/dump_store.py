"""Prints what MLflow's own client sees of a store, as JSON that two stores can be compared by.

Run it with the Python of an environment that has mlflow: dump_store.py URI
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository


def dump(uri: str) -> dict[str, Any]:
    """Everything, by id or name; where files lie is left out, as it differs."""
    client = MlflowClient(uri, uri)
    experiments = client.search_experiments(view_type=ViewType.ALL)
    return {
        "experiments": {e.experiment_id: experiment(e) for e in experiments},
        "runs": {
            r.info.run_id: run(client, uri, r) for e in experiments for r in runs_of(client, e)
        },
        "logged_models": {
            m.model_id: logged_model(uri, m) for e in experiments for m in logged(client, e)
        },
        "models": {m.name: model(client, uri, m) for m in client.search_registered_models()},
    }


def experiment(found: Any) -> dict[str, Any]:
    return {
        "name": found.name,
        "lifecycle": found.lifecycle_stage,
        "tags": dict(found.tags),
        "created": found.creation_time,
        "updated": found.last_update_time,
    }


def runs_of(client: MlflowClient, found: Any) -> list[Any]:
    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs([found.experiment_id], "", ViewType.ALL, 1000, None, token)
        runs += page
        token = page.token
        if not token:
            return runs


def run(client: MlflowClient, uri: str, found: Any) -> dict[str, Any]:
    info, data = found.info, found.data
    whole: Any = client.get_run(info.run_id)
    return {
        "experiment": info.experiment_id,
        "name": info.run_name,
        "status": info.status,
        "started": info.start_time,
        "ended": info.end_time,
        "lifecycle": info.lifecycle_stage,
        "user": info.user_id,
        "params": dict(data.params),
        "tags": dict(data.tags),
        "latest": {key: repr(value) for key, value in data.metrics.items()},
        "history": {
            key: sorted(
                (point.timestamp, point.step, repr(point.value))
                for point in client.get_metric_history(info.run_id, key)
            )
            for key in data.metrics
        },
        "inputs": sorted(
            (
                used.dataset.name,
                used.dataset.digest,
                used.dataset.source_type,
                used.dataset.source,
                used.dataset.schema or "",
                used.dataset.profile or "",
                sorted((tag.key, tag.value) for tag in used.tags),
            )
            for used in whole.inputs.dataset_inputs
        ),
        "read": sorted(used.model_id for used in whole.inputs.model_inputs),
        "made": sorted((made.model_id, made.step) for made in whole.outputs.model_outputs),
        "files": {} if info.lifecycle_stage == "deleted" else files(uri, run_id=info.run_id),
    }


def files(uri: str, **where: str) -> dict[str, str]:
    """The digest of each file."""
    try:
        folder = Path(download_artifacts(tracking_uri=uri, artifact_path="", **where))
    except Exception as error:
        if "No such" in str(error) or "not exist" in str(error) or "empty" in str(error):
            return {}
        raise
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def logged(client: MlflowClient, found: Any) -> list[Any]:
    models: list[Any] = []
    token = None
    while True:
        page = client.search_logged_models([found.experiment_id], page_token=token)
        models += page
        token = page.token
        if not token:
            return models


def logged_model(uri: str, found: Any) -> dict[str, Any]:
    return {
        "experiment": found.experiment_id,
        "name": found.name,
        "status": str(found.status),
        "type": found.model_type,
        "run": found.source_run_id,
        "created": found.creation_timestamp,
        "updated": found.last_updated_timestamp,
        "params": dict(found.params),
        "tags": dict(found.tags),
        "metrics": sorted(
            (m.key, repr(m.value), m.step, m.timestamp, m.run_id, m.dataset_name, m.dataset_digest)
            for m in found.metrics or []
        ),
        "files": local_or_downloaded(uri, found),
    }


def local_or_downloaded(uri: str, found: Any) -> dict[str, str]:
    repository: Any = get_artifact_repository(found.artifact_location, tracking_uri=uri)
    folder = Path(repository.download_artifacts(""))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def model(client: MlflowClient, uri: str, found: Any) -> dict[str, Any]:
    versions = {}
    for version in client.search_model_versions(f'name="{found.name}"'):
        repository: Any = get_artifact_repository(
            client.get_model_version_download_uri(found.name, version.version), tracking_uri=uri
        )
        folder = Path(repository.download_artifacts(""))
        versions[str(version.version)] = {
            "run": version.run_id,
            "stage": version.current_stage,
            "status": version.status,
            "description": version.description,
            "tags": dict(version.tags),
            "created": version.creation_timestamp,
            "updated": version.last_updated_timestamp,
            "aliases": sorted(client.get_model_version(found.name, version.version).aliases),
            "files": {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            },
        }
    return {
        "description": found.description,
        "tags": dict(found.tags),
        "aliases": {alias: str(number) for alias, number in found.aliases.items()},
        "created": found.creation_timestamp,
        "updated": found.last_updated_timestamp,
        "versions": versions,
    }


if __name__ == "__main__":
    print(json.dumps(dump(sys.argv[1]), sort_keys=True))
