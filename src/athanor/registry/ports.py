"""What the registry needs of the rooms where models are logged, and where they serve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from athanor.kernel import Principal
from athanor.kernel.storage import FolderEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A logged model, as far as a version of it needs it."""

    location: str
    """Where its files lie: `mlflow-artifacts:/1/models/m-.../artifacts`."""
    run: str | None = None
    """The run that made it."""
    artifact_id: str | None = None
    """Its artifact in the lineage, if it has one."""


class Origins(Protocol):
    """Runs, logged models and the artifact tree."""

    def location_of_run(self, who: Principal, run_id: str) -> str | None:
        """Where a run keeps its artifacts; None where there is no such run here."""
        ...

    def logged_model(self, who: Principal, model_id: str) -> Logged | None:
        """The logged model of this id; None where there is none here."""
        ...

    def files(self, who: Principal, project: str, location: str) -> Sequence[FolderEntry]:
        """The files below an artifact location, in the order of their paths, which begin below it.

        None where the location is not in our tree, or nothing is there.
        """
        ...

    def registered(self, who: Principal, model_id: str, model: str, number: int) -> None:
        """Note with a logged model that it became a version."""
        ...


class NoOrigins:
    """Nothing is logged here: sources are addresses."""

    def location_of_run(self, who: Principal, run_id: str) -> str | None:  # noqa: ARG002
        """No run is known."""
        return None

    def logged_model(self, who: Principal, model_id: str) -> Logged | None:  # noqa: ARG002
        """No logged model is known."""
        return None

    def files(
        self,
        who: Principal,  # noqa: ARG002 - the port's form
        project: str,  # noqa: ARG002 - the port's form
        location: str,  # noqa: ARG002 - the port's form
    ) -> Sequence[FolderEntry]:
        """There are none."""
        return ()

    def registered(self, who: Principal, model_id: str, model: str, number: int) -> None:
        """There is nothing to note it with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """A deployment that holds a version."""

    endpoint: str
    deployment: int
    """Its number at the endpoint."""
    state: str
    """In the words of serving: live, standby, staged, shadow, member, canary, starting."""
    alone: bool
    """Whether nothing else answers at the endpoint, so that it can't be retired."""


class Uses(Protocol):
    """Who goes by the numbers of a model's versions."""

    def deployments(self, model: str, number: int | None) -> Sequence[ModelUse]:
        """What holds a version, or any version (None) of a model."""
        ...

    def ever(self, model: str) -> bool:
        """Whether a version by this model's name was ever deployed or predicted with."""
        ...


class NoUses:
    """Nothing serves models here."""

    def deployments(self, model: str, number: int | None) -> Sequence[ModelUse]:  # noqa: ARG002 - the port's form
        """There are none."""
        return ()

    def ever(self, model: str) -> bool:  # noqa: ARG002 - the port's form
        """Nobody."""
        return False
