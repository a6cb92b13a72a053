"""How deployments come to their traffic, how the traffic is divided, how workers are counted."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from athanor.serving.types.graphs import InferenceGraph

RolloutKind = Literal["replace", "canary", "share", "shadow", "stage", "member", "graph"]
"""`replace`: it takes over when it is ready. `canary`: step by step, judged. `share`: it takes a
part beside the others and keeps it. `shadow`: requests are copied to it, its answers compared and
never returned. `stage`: it waits, without traffic, for its promotion (blue/green). `member`: one of
many models of its endpoint, answering when a request names it, loaded when one does. `graph`: it
is no model but a graph of other endpoints, and takes over at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How a deployment comes to its traffic."""

    kind: RolloutKind = "replace"
    share: float = 1.0
    """Of a `share` its part of the traffic, of a `shadow` the part of the requests that is copied
    to it; 0 to 1."""
    graph: InferenceGraph | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many workers a deployment has, by its load."""

    min: int = 1
    """Workers at least, 0 to 16; 0 lets it sleep, without any process, until a request comes."""
    max: int = 1
    """Workers at most, 1 to 16."""
    concurrency: float = 4.0
    """Requests under way that one worker is wanted for; above 0."""
    idle_seconds: float = 300.0
    """Without a request for so long, it goes to sleep where `min` is 0."""
    cooldown_seconds: float = 30.0
    """Workers leave once the load of this long was below what they are wanted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRule:
    """Requests with this header go to one deployment, whatever the shares."""

    header: str
    """Its name, in any case."""
    deployment: int
    """The deployment's number."""
    value: str = "*"
    """What the header holds; `*` stands for any text, `?` for one character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRules:
    """Who answers what: the first rule that holds, else the shares."""

    shares: dict[str, float] | None = None
    """By the deployment's number: its part of the traffic. They sum to 1. None leaves them."""
    rules: tuple[HeaderRule, ...] | None = None
    """In their order. None leaves them, an empty list removes them."""
    sticky: str | None = None
    """Requests with equal values of this header stay with one deployment as long as the shares
    do; "" forgets it, None leaves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far numbers lie apart, as quantiles."""

    count: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDifference:
    """One row on which two deployments disagreed."""

    prediction: str
    """The id of the prediction that was returned."""
    at: datetime
    label: str | None
    score: float | None
    shadow_label: str | None
    shadow_score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """A shadow's answers beside those that were returned."""

    endpoint: str
    shadow: int
    """Its deployment's number."""
    model: str
    version: int
    against: tuple[int, ...] = ()
    """The numbers of the deployments whose answers were returned."""
    since: datetime | None = None
    until: datetime | None = None
    """Of the rows compared: the first and the last."""
    requests: int = 0
    """Copied to it."""
    skipped: int = 0
    """Not copied, as it had too many under way."""
    failed: int = 0
    """Copied, and answered by a failure."""
    failures: dict[str, int] = field(default_factory=dict)
    """The reasons, and how often each."""
    rows: int = 0
    """Rows that both answered."""
    agreed: int = 0
    """Of a classifier: those with the same label; of a regressor: those with the same value."""
    agreement: float | None = None
    agreement_at_least: float = 0.0
    agreement_at_most: float = 1.0
    """Its bounds, that hold at all times with a probability of 95 %."""
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    """Rows by the returned label, then by the shadow's."""
    score_difference: Spread = field(default_factory=Spread)
    """How far the shadow's score is from the returned one, absolutely."""
    seconds: Spread = field(default_factory=Spread)
    """How long the returned answers took."""
    shadow_seconds: Spread = field(default_factory=Spread)
    labelled: int = 0
    """Rows whose label came."""
    right: int = 0
    """Of them, those that the returned label got right (classifiers)."""
    shadow_right: int = 0
    error: float | None = None
    """Of a regressor: the mean absolute error of the returned values."""
    shadow_error: float | None = None
    examples: tuple[ShadowDifference, ...] = ()
    """The rows that differ most."""
    verdict: str = ""
    """What this says, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """How long requests waited for a deployment that slept."""

    count: int = 0
    last_seconds: float | None = None
    """From the first request held to its worker's link."""
    mean_seconds: float | None = None
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    """What runs of a deployment at this moment."""

    number: int
    model: str
    version: int
    state: str
    share: float
    runtime: str = "native"
    """What answers: `native` workers, or, inside the data plane, `folded`, `onnx`, `trees` or a
    `graph`."""
    workers: int = 0
    """Worker processes that answer."""
    wanted: int = 0
    """How many there shall be by now."""
    asleep: bool = False
    """Whether it has none until a request comes."""
    pids: tuple[int, ...] = ()
    in_flight: int = 0
    """Requests under way."""
    requests: int = 0
    """Answered since the data plane began."""
    errors: int = 0
    """Those of them with a status of 500 or more."""
    idle_seconds: float | None = None
    """Since the last request, as far as this server saw one."""
    cold_start: ColdStart = field(default_factory=ColdStart)
    problem: str = ""
    """Why it does not answer, where it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """What runs of an endpoint at this moment."""

    endpoint: str
    running: bool
    """Whether a server runs that could answer."""
    ready: bool
    """Whether a request would be answered: at once, or after a cold start."""
    problem: str = ""
    deployments: tuple[DeploymentStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStatus:
    """How a canary does at this moment."""

    endpoint: str
    deployment: int
    champion: int
    step: int
    """1, 2, 3 ..."""
    steps: int
    share: float
    action: str
    """What the evidence says so far: `wait`, `advance` or `refuse`."""
    reason: str
    measured: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentOutput:
    """What a deployment's workers printed, traces of what failed in them too."""

    endpoint: str
    deployment: int
    lines: tuple[str, ...] = ()
    """The last ones, in their order."""
