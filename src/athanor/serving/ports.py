"""What serving asks of others: the registry for versions, the server for running planes."""

from collections.abc import Collection, Sequence
from typing import Protocol

from athanor.features import ParityReport, Plan
from athanor.kernel.permissions import Principal
from athanor.registry import InputColumn, Label, NewCode
from athanor.serving.types import Deployment
from athanor.serving.types.rollouts import CanaryStatus, DeploymentStatus


class RegisteredSignature(Protocol):
    """What a registered version says that it reads and gives."""

    @property
    def inputs(self) -> tuple[InputColumn, ...]:
        """The raw columns, in the order of training."""
        ...

    @property
    def target(self) -> str:
        """The column that it predicts."""
        ...

    @property
    def classes(self) -> tuple[Label, ...]:
        """The labels in the order of the probabilities; empty for regression."""
        ...

    @property
    def positive(self) -> Label | None:
        """The class that `score` is the probability of; None unless binary."""
        ...


class RegisteredVersion(Protocol):
    """A model version as the registry tells it."""

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    @property
    def number(self) -> int:
        """1, 2, 3 ... per model."""
        ...

    @property
    def artifact_id(self) -> str | None:
        """The artifact that holds its folder; None where its files lie elsewhere."""
        ...

    @property
    def digest(self) -> str:
        """The folder's canonical digest."""
        ...

    @property
    def flavor(self) -> str:
        """`sklearn`, `lightgbm` ..., as its MLmodel says."""
        ...

    @property
    def signature(self) -> RegisteredSignature:
        """What it reads and gives."""
        ...


class ModelSource(Protocol):
    """The registry, as far as serving needs it."""

    def version(self, who: Principal, reference: str) -> RegisteredVersion:
        """The version behind `model`, `model@alias` or `model@number`.

        Raises: a NotFound with a hint.
        """
        ...


class CodeSource(Protocol):
    """Where a user's own Python becomes a version, as far as serving needs it."""

    def take_code(self, who: Principal, new: NewCode) -> RegisteredVersion:
        """The version that this code makes; the same code gives the same one.

        Raises: BadCode, and a NotFound where the version is not there that it stands around.
        """
        ...


class Loading(Protocol):
    """Which models can be loaded, and who agreed to those that run code when they are."""

    def loadable(self, reference: str) -> bool:
        """Whether a version's folder says that it holds a model that runtimes load.

        Raises: a failure that names the folder, where it does not say what it holds.
        """
        ...

    def columns(self, reference: str) -> Sequence[InputColumn]:
        """What a version's estimator tells of its columns, where its files tell none.

        Raises: a Forbidden where nobody agreed to load it; what its loading raises.
        """
        ...

    def runs_code(self, reference: str) -> bool:
        """Whether loading a version for serving runs code, to which somebody agreed by name.

        Raises: a Forbidden that says what would run, where nobody agreed.
        """
        ...


class FeatureSource(Protocol):
    """The feature store, as far as serving needs it."""

    def plan_for(self, features: Sequence[str], *, project: str) -> Plan:
        """How a service's features are found.

        Raises: a NotFound with a hint.
        """
        ...

    def request_of(self, service: str, *, project: str) -> Sequence[tuple[str, str]]:
        """What its on-demand features take from the request: names and types."""
        ...

    def check_parity(self, service: str, *, project: str) -> ParityReport:
        """Return if the endpoint would get what training had.

        Raises: ParityBroken.
        """
        ...


class Preparation(Protocol):
    """A recipe as files that stand around a model."""

    @property
    def files(self) -> dict[str, str]:
        """Their text by path."""
        ...

    @property
    def entry(self) -> str:
        """The one that begins."""
        ...

    @property
    def inputs(self) -> Sequence[tuple[str, str]]:
        """The columns that it takes: names and types."""
        ...

    @property
    def beside(self) -> Sequence[str]:
        """The columns that the model reads and that pass it by."""
        ...


class RecipeSource(Protocol):
    """The recipes, as far as serving needs them."""

    def prepared(
        self,
        who: Principal,
        recipe: str,
        *,
        model: str,
        reads: Sequence[str],
        beside: Collection[str],
        project: str,
    ) -> Preparation:
        """A fitted recipe that gives what the model of this artifact reads.

        What it does not give may come from `beside` it.

        Raises: a NotFound with a hint, and a Conflict where it does not fit the model, or gives row
        by row other values than training had.
        """
        ...


class OnlySafe:
    """Nobody agrees to anything: model workers refuse what would run code."""

    def loadable(self, reference: str) -> bool:  # noqa: ARG002 - the port's form
        """Its worker finds out."""
        return True

    def columns(self, reference: str) -> Sequence[InputColumn]:  # noqa: ARG002 - the port's form
        """Nothing is loaded to find out."""
        return ()

    def runs_code(self, reference: str) -> bool:  # noqa: ARG002 - the port's form
        """It is loaded as what runs nothing."""
        return False


class Fleet(Protocol):
    """The running planes and workers; in a command without a server there are none."""

    def url(self) -> str:
        """Where the planes listen (`http://127.0.0.1:8001`), or ""."""
        ...

    def changed(self) -> None:
        """An endpoint's traffic changed: bring it to the planes, and return when it is there.

        Without running planes nothing happens.
        """
        ...

    def wake(self, deployment: str) -> None:
        """Have a worker for a deployment that sleeps, by its id."""
        ...

    def status(self, deployments: Sequence[Deployment]) -> list[DeploymentStatus] | None:
        """What runs of these deployments at this moment; None where no server runs."""
        ...

    def canary(self, deployment: str) -> CanaryStatus | None:
        """How a canary under way does, by its id; None before it was looked at."""
        ...


class NoFleet:
    """The fleet of a process that serves nothing."""

    def url(self) -> str:
        """There is no address."""
        return ""

    def changed(self) -> None:
        """Nothing runs that could be told."""

    def wake(self, deployment: str) -> None:
        """Nothing runs that could wake."""

    def status(self, deployments: Sequence[Deployment]) -> None:
        """Nothing runs."""

    def canary(self, deployment: str) -> None:
        """Nothing is judged."""
