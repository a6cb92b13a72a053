"""Experiments over a transport."""

from urllib.parse import quote

from athanor.kernel import DEFAULT_PROJECT, Transport
from athanor.kernel.transport import segment
from athanor.tracking.types import Experiment, ExperimentPage, ExperimentQuery, NewExperiment


class ExperimentsClient:
    """Runs that belong together."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, new: NewExperiment) -> Experiment:
        """Make an experiment."""
        return self._transport.send("POST", "/experiments", body=new).read(Experiment)

    def get(self, experiment_id: str, *, project: str = DEFAULT_PROJECT) -> Experiment:
        """One experiment."""
        return self._send("GET", experiment_id, project)

    def by_name(self, name: str, *, project: str = DEFAULT_PROJECT) -> Experiment:
        """The project's experiment of this name."""
        query = {"name": name, "project": project}
        answer = self._transport.send("GET", "/experiments/by-name", query=query)
        return answer.read(Experiment)

    def projects(self) -> list[str]:
        """The projects that have experiments."""
        return self._transport.send("GET", "/experiments/projects").read(list[str])

    def search(self, query: ExperimentQuery) -> ExperimentPage:
        """Find experiments."""
        answer = self._transport.send("POST", "/experiments/search", body=query)
        return answer.read(ExperimentPage)

    def rename(
        self, experiment_id: str, name: str, *, project: str = DEFAULT_PROJECT
    ) -> Experiment:
        """Give an experiment another name."""
        return self._transport.send(
            "PATCH", _at(experiment_id), query={"project": project}, body={"name": name}
        ).read(Experiment)

    def delete(self, experiment_id: str, *, project: str = DEFAULT_PROJECT) -> Experiment:
        """Delete an experiment with its runs; it can be restored."""
        return self._send("DELETE", experiment_id, project)

    def restore(self, experiment_id: str, *, project: str = DEFAULT_PROJECT) -> Experiment:
        """Restore an experiment with all its runs."""
        path = f"{_at(experiment_id)}/restore"
        return self._transport.send("POST", path, query={"project": project}).read(Experiment)

    def set_tag(
        self, experiment_id: str, key: str, value: str, *, project: str = DEFAULT_PROJECT
    ) -> None:
        """Set a tag of an experiment."""
        path = f"{_at(experiment_id)}/tags/{quote(key, safe='/')}"
        self._transport.send("PUT", path, query={"project": project}, body={"value": value})

    def delete_tag(self, experiment_id: str, key: str, *, project: str = DEFAULT_PROJECT) -> None:
        """Take a tag of an experiment away."""
        path = f"{_at(experiment_id)}/tags/{quote(key, safe='/')}"
        self._transport.send("DELETE", path, query={"project": project})

    def _send(self, method: str, experiment_id: str, project: str) -> Experiment:
        query = {"project": project}
        return self._transport.send(method, _at(experiment_id), query=query).read(Experiment)


def _at(experiment_id: str) -> str:
    return f"/experiments/{segment(experiment_id)}"
