"""The nouns of serving: endpoints, their deployments, canaries, predictions, labels."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.registry import PythonCode
from athanor.serving.types.features import FeatureUse
from athanor.serving.types.graphs import InferenceGraph
from athanor.serving.types.recording import LogPolicy
from athanor.serving.types.rollouts import HeaderRule, Rollout, Scaling
from athanor.serving.types.runtimes import RuntimeReport

DeploymentState = Literal[
    "starting",
    "canary",
    "live",
    "standby",
    "staged",
    "shadow",
    "member",
    "retired",
    "refused",
    "failed",
]
"""`starting`: its worker loads the model. `canary`: it has a share and is judged. `live`: it has
the traffic, or its share. `standby`: it has none and is kept for a rollback or a rule. `staged`: it
has none and waits for its promotion. `shadow`: requests are copied to it. `member`: one of many
models, named by requests. `retired`: without a worker. `refused`: its canary was. `failed`: its
model can't be loaded."""

RUNNING: frozenset[DeploymentState] = frozenset(
    {"starting", "canary", "live", "standby", "staged", "shadow", "member"}
)
"""The states that have workers, or may have."""

_ON_ITS_WAY: frozenset[DeploymentState] = frozenset({"starting", "canary", "staged"})

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumn:
    """One column that the model reads."""

    name: str
    type: str
    """MLflow's name of the type: double, float, long, integer, string, boolean, datetime."""
    required: bool = True
    """False where training had missing values: left out, it counts as null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and gives."""

    columns: tuple[InputColumn, ...] = ()
    """In the order that the model was trained with."""
    classes: tuple[str | int | float | bool, ...] = ()
    """Of a classifier: its classes in the order of its probabilities; of a regressor: none."""
    target: str = ""
    """The column that the model predicts, or "" where nobody said."""
    positive: int = -1
    """The place in `classes` of the class that `score` is the probability of; -1 where none
    was named: of two it is 1, True, or the second one; of more the predicted class. (Regression:
    the value.)"""
    names: tuple[str, ...] = field(default=(), compare=False)
    """The columns' names, filled in here."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPlan:
    """How a challenger takes over. See `athanor.serving.logic.canary` for the test."""

    steps: tuple[float, ...] = (0.1, 0.5)
    """Its shares one after the other, each above 0 and below 1; then it takes over."""
    requests: int = 100
    """Requests at each step at least, live and replayed together."""
    alpha: float = 0.05
    """The probability, at most, that a harmless challenger is refused."""
    tolerance: float = 0.025
    """How much higher than the champion's its rate of failures may be."""
    slow_seconds: float = 1.0
    """An answer that takes longer is slow."""
    slow_factor: float | None = None
    """Instead: an answer is slow that takes so many times as long as the slowest twentieth of the
    champion's; where the champion was asked too little to tell, `slow_seconds` counts."""
    slow_tolerance: float = 0.05
    """The share of slow answers that is tolerated."""
    agreement: float | None = 0.5
    """The share of replayed rows, at least, with the champion's label; None asks for none."""
    quality_tolerance: float = 0.0
    """How much lower than the champion's its share of right labels may be, among live rows whose
    label came."""
    labels: int = 0
    """Live labelled rows of the challenger that each step waits for; 0 waits for none."""
    replay: bool = True
    """Whether logged inputs are replayed where live traffic does not come."""
    patience_seconds: float = 60.0
    """How long a step waits for live traffic before logged inputs are replayed to judge it. A step
    with neither waits on."""
    bake_seconds: float = 0.0
    """How long a step lasts at least."""
    seconds: float = 3600.0
    """How long a step may take, from its first live request on, before `undecided` holds."""
    undecided: Literal["refuse", "advance", "wait"] = "refuse"
    """What becomes of a step that is undecided after `seconds`; one without a live request waits
    in any case."""
    automatic: bool = True
    """Whether it moves on by itself; if not, it waits at each step for `promote`. Harm refuses it
    either way."""
    watch_seconds: float = 0.0
    """How long it is watched after it took over; harm brings the champion back by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep:
    """One step that was judged."""

    share: float
    action: str
    """`advance` or `refuse`, or `promote` where somebody did."""
    reason: str
    at: datetime
    measured: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A challenger's way to the traffic."""

    plan: CanaryPlan
    step: int = 0
    """The place in the plan's steps."""
    began_at: datetime | None = None
    """When the step under way began."""
    history: tuple[CanaryStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One model version behind an endpoint. Version and digest never change."""

    id: str
    """Also the id of the run of kind `serving` that its predictions come from."""
    endpoint: str
    number: int
    """1, 2, 3 ... within its endpoint."""
    model: str
    version: int
    artifact: str
    """The id of the model's artifact."""
    digest: str
    signature: Signature
    state: DeploymentState = "starting"
    reason: str = ""
    """Why it is in this state, where there is something to say."""
    share: float = 0.0
    """Its part of the traffic, 0 to 1."""
    replicas: int = 1
    """Workers, where `scaling` says nothing else."""
    canary: Canary | None = None
    rollout: Rollout = field(default_factory=Rollout)
    scaling: Scaling | None = None
    """None keeps `replicas` workers at all times."""
    runtime: RuntimeReport | None = None
    """What answers for it; None while that is being found out."""
    features: FeatureUse | None = None
    """What of its inputs is looked up by key; None where callers send all of them."""
    created_by: str = ""
    created_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A name that answers."""

    name: str
    project: str = DEFAULT_PROJECT
    key: str = ""
    """The input column by which labels may join; "" where there is none."""
    follow: str = ""
    """The model alias that it follows (`churn@champion`), or "" where it is pinned."""
    rules: tuple[HeaderRule, ...] = ()
    """Which requests go to one deployment, whatever the shares; the first that holds counts."""
    sticky: str = ""
    """The header whose equal values stay with one deployment; "" spreads every request anew."""
    capacity: int = 0
    """How many of its members may be loaded at once; 0 sets no limit."""
    earlier: dict[str, float] = field(default_factory=dict)
    """The shares before the last change of traffic, by deployment id: what a rollback restores."""
    log: LogPolicy = field(default_factory=LogPolicy)
    """What is kept of its predictions."""
    revision: int = 0
    """Counts the changes of its traffic."""
    created_by: str = ""
    created_at: datetime
    deployments: tuple[Deployment, ...] = ()
    """Newest first."""
    url: str = ""
    """Where to POST records, or "" while no server runs."""

    @property
    def lives(self) -> tuple[Deployment, ...]:
        """The deployments that have traffic, newest first, canaries left out."""
        return tuple(item for item in self.deployments if item.state == "live")

    @property
    def live(self) -> Deployment | None:
        """The deployment that has the traffic, or most of it."""
        return max(self.lives, key=lambda item: (item.share, item.number), default=None)

    @property
    def candidate(self) -> Deployment | None:
        """The deployment that is on its way to all of the traffic."""
        found = (
            item
            for item in self.deployments
            if item.state in _ON_ITS_WAY and item.rollout.kind not in {"share", "shadow", "member"}
        )
        return next(found, None)

    @property
    def graph(self) -> InferenceGraph | None:
        """Of an endpoint that answers through others: how."""
        return self.live.rollout.graph if self.live is not None else None

    @property
    def problem(self) -> str:
        """Why nothing of it can answer, or "" where something does, or will."""
        if any(item.state in RUNNING for item in self.deployments):
            return ""
        failed = next((item for item in self.deployments if item.state == "failed"), None)
        if failed is None:
            return "it has no deployment"
        return (
            f"deployment {failed.number} ({failed.model}@{failed.version}) failed: {failed.reason}"
        )

    @property
    def standby(self) -> Deployment | None:
        """The deployment that a rollback goes back to."""
        return next((item for item in self.deployments if item.state == "standby"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """A model version to be put behind an endpoint, which is made if it is not there."""

    model: str
    """A reference: `churn`, `churn@champion`, `churn@3`."""
    canary: float | None = None
    """The share to begin with, above 0 and below 1; None takes over as soon as it is ready."""
    plan: CanaryPlan | None = None
    """How the canary is judged; None is the default plan, beginning with the share above."""
    key: str | None = None
    """The input column by which labels may join; None leaves the endpoint's."""
    follow: bool = False
    """Redeploy when the alias in `model` moves."""
    share: float | None = None
    """A part of the traffic that it takes beside the others and keeps, 0 to 1, unjudged; with 0
    only rules and the header X-Athanor-Deployment reach it."""
    shadow: float | None = None
    """The part of the requests that is copied to it, above 0 and at most 1."""
    stage: bool = False
    """Have it wait, without traffic, for its promotion (blue/green)."""
    member: bool = False
    """Make it one of many models of this endpoint: it answers the requests that name it by the
    header X-Athanor-Model, and is loaded when one does."""
    capacity: int | None = None
    """How many members of the endpoint may be loaded at once, 0 for any; None leaves it."""
    replicas: int = 1
    """Workers; 1 to 16."""
    scaling: Scaling | None = None
    """Workers by load, down to none; None keeps `replicas` at all times."""
    features: str | None = None
    """The feature service whose features are looked up by key; "" for none. None keeps that of
    the endpoint's live deployment."""
    code: PythonCode | None = None
    """A user's own Python around the version: it becomes the model's next version, which is the
    one that is deployed."""
    recipe: str = ""
    """The recipe that made the table that the model was trained on (NAME, NAME@N, or the id of a
    fitted one): callers send the columns of the table before it. Like code, it makes a version."""
    other_columns: bool = False
    """Whether a canary, a share or a shadow may need columns that the live version does not take:
    its callers send them already."""
    project: str = DEFAULT_PROJECT
    idempotency_key: str | None = None
    """A repetition with the same one returns the first one's deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One logged prediction."""

    id: str
    request: str
    predicted_at: datetime
    endpoint: str
    deployment: str
    model: str
    version: int
    latency: float
    """Seconds."""
    key: str | None
    features: dict[str, Any]
    label: str | None
    score: float | None
    probabilities: dict[str, float] | None
    truth: str | None = None
    """The latest label that came for it."""
    trace: str | None = None
    """The id of the trace that its request was a part of, 32 hex digits (W3C traceparent)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionQuery:
    """Which predictions to list."""

    deployment: str | None = None
    key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before this instant."""
    labelled: bool | None = None
    """Those with a label, those without one, or both."""
    limit: int = 100
    """1 to 10,000; the newest come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """The truth about a prediction, found later."""

    label: str | int | float | bool
    id: str | None = None
    """The prediction's id; or else:"""
    key: str | int | float | None = None
    """the key of the rows that it is about: a number is the same as its text."""
    at: datetime | None = None
    """When it became true; None is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsReceived:
    """What became of a batch of labels."""

    endpoint: str
    count: int
    """How many were kept."""
    joined: int = 0
    """Those of them whose prediction is in the log."""
    waiting: int = 0
    """Those that wait for one: no prediction with this id or key was logged yet."""
    waiting_for: list[str] = field(default_factory=list)
    """The first of the ids and keys that they wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    """Which rows of the prediction log to make a table of."""

    since: datetime | None = None
    until: datetime | None = None
    """Before this instant."""
    labelled: bool = True
    """Only rows with a label, which stands in the model's target column."""
    details: bool = False
    """Also prediction_id, deployment, version, predicted_label, predicted_score,
    latency; without them the table has the columns that the model was trained with, the
    key, and predicted_at."""
