"""Experiments over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.http import Caller, provide, room_router
from athanor.tracking.service import Experiments
from athanor.tracking.types import Experiment, ExperimentPage, ExperimentQuery, NewExperiment

router = room_router("tracking", prefix="/experiments")
TheExperiments = Annotated[Experiments, provide(Experiments)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewName:
    """What an experiment is to be called."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagValue:
    """What a tag says."""

    value: str


@router.post("", status_code=201)
def create(new: NewExperiment, who: Caller, experiments: TheExperiments) -> Experiment:
    """Make an experiment."""
    return experiments.create(who, new)


@router.post("/search")
def search(query: ExperimentQuery, who: Caller, experiments: TheExperiments) -> ExperimentPage:
    """Find experiments."""
    return experiments.search(who, query, runs=True)


@router.get("/projects")
def projects(who: Caller, experiments: TheExperiments) -> list[str]:
    """The projects that have experiments."""
    return experiments.projects(who)


@router.get("/by-name")
def by_name(
    name: str, who: Caller, experiments: TheExperiments, project: str = DEFAULT_PROJECT
) -> Experiment:
    """The project's experiment of this name."""
    return experiments.by_name(who, name, project=project)


@router.get("/{experiment_id}")
def get(
    experiment_id: str, who: Caller, experiments: TheExperiments, project: str = DEFAULT_PROJECT
) -> Experiment:
    """One experiment."""
    return experiments.get(who, experiment_id, project=project, runs=True)


@router.patch("/{experiment_id}")
def rename(
    experiment_id: str,
    new: NewName,
    who: Caller,
    experiments: TheExperiments,
    project: str = DEFAULT_PROJECT,
) -> Experiment:
    """Give an experiment another name."""
    return experiments.rename(who, experiment_id, new.name, project=project)


@router.delete("/{experiment_id}")
def delete(
    experiment_id: str, who: Caller, experiments: TheExperiments, project: str = DEFAULT_PROJECT
) -> Experiment:
    """Delete an experiment with its runs; it can be restored."""
    return experiments.delete(who, experiment_id, project=project)


@router.post("/{experiment_id}/restore")
def restore(
    experiment_id: str, who: Caller, experiments: TheExperiments, project: str = DEFAULT_PROJECT
) -> Experiment:
    """Restore an experiment with all its runs."""
    return experiments.restore(who, experiment_id, project=project)


@router.put("/{experiment_id}/tags/{key:path}", status_code=204)
def set_tag(
    experiment_id: str,
    key: str,
    tag: TagValue,
    who: Caller,
    experiments: TheExperiments,
    *,
    project: str = DEFAULT_PROJECT,
) -> None:
    """Set a tag of an experiment."""
    experiments.set_tag(who, experiment_id, key, tag.value, project=project)


@router.delete("/{experiment_id}/tags/{key:path}", status_code=204)
def delete_tag(
    experiment_id: str,
    key: str,
    who: Caller,
    experiments: TheExperiments,
    project: str = DEFAULT_PROJECT,
) -> None:
    """Take a tag of an experiment away."""
    experiments.delete_tag(who, experiment_id, key, project=project)
