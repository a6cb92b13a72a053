"""Models and versions as MLflow's clients read them: unset fields and empty lists left out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from athanor.registry.service import files_of
from athanor.registry.types import Model, ModelVersion


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return int(at.timestamp() * 1000)


def model_json(model: Model, latest: Iterable[ModelVersion] = ()) -> dict[str, Any]:
    """A registered model, with its newest version of each stage."""
    told: dict[str, Any] = {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created_at),
        "last_updated_timestamp": milliseconds(model.updated_at),
    }
    if model.description:
        told["description"] = model.description
    _fill(
        told,
        latest_versions=[_newest(version) for version in latest],
        tags=_tags(model.tags),
        aliases=[
            {"alias": alias, "version": str(number)} for alias, number in model.aliases.items()
        ],
    )
    return told


def models_json(models: Iterable[Model], latest: Iterable[ModelVersion]) -> list[dict[str, Any]]:
    """Registered models, each with its own of the newest versions."""
    by_model: dict[str, list[ModelVersion]] = defaultdict(list)
    for version in latest:
        by_model[version.model].append(version)
    return [model_json(model, by_model[model.name]) for model in models]


def version_json(version: ModelVersion) -> dict[str, Any]:
    """A version of a registered model."""
    told: dict[str, Any] = {
        "name": version.model,
        "version": str(version.number),
        "creation_timestamp": milliseconds(version.created_at),
        "last_updated_timestamp": milliseconds(version.updated_at),
        "current_stage": version.stage,
        "source": version.source or files_of(version),
        "run_id": version.run_id or "",
        "status": version.status,
        "run_link": version.run_link or "",
    }
    if version.description is not None:
        told["description"] = version.description
    if version.status_message:
        told["status_message"] = version.status_message
    if version.model_id:
        told["model_id"] = version.model_id
    _fill(told, tags=_tags(version.tags), aliases=version.aliases)
    return told


def _newest(version: ModelVersion) -> dict[str, Any]:
    """A version in a model's answer: the aliases stand with the model."""
    told = version_json(version)
    told.pop("aliases", None)
    return told


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _fill(told: dict[str, Any], **lists: list[Any]) -> None:
    told.update({name: items for name, items in lists.items() if items})
