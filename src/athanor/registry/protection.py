"""Protected aliases: what must hold before one moves, what was judged, and who agreed."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from athanor.kernel import DEFAULT_PROJECT, Verdict
from athanor.registry.errors import BadGate

GateKind = Literal["metric", "not-worse", "fairness", "latency", "schema", "pickle", "quality"]
RequestState = Literal["open", "approved", "rejected", "withdrawn", "used"]
MoveKind = Literal["set", "rollback", "removed"]

CHALLENGER_REFUSED = "registry.challenger.refused"
"""The event of a model that a pipeline's gate did not let through: it is not registered."""

_LIMIT = re.compile(r"(?:metric\s+)?(\S+?)\s*(>=|<=)\s*(\S+)")
_NOT_WORSE = re.compile(r"not-worse\s+(\S+)(?:\s+by\s+(\S+))?(?:\s+(lower|higher))?")
_FAIRNESS = re.compile(r"fairness(?:\s+(\S+?))?\s*<=\s*(\S+)")
_LATENCY = re.compile(r"latency(?:\s+(p50|p95|p99))?\s*<=\s*(\S+?)\s*(?:ms)?")
_WIDEST_GAP = "demographic_parity_difference"
_LOWER = re.compile(
    r"(^|_)(loss|logloss|error|rmse|mae|mse|mape|brier|ece|latency|perplexity|wer|difference)(_|$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRule:
    """One named check of a protection."""

    kind: GateKind
    """`metric`: a figure within limits. `not-worse`: than the version that holds the alias.
    `fairness`: a gap between groups in the evaluation report. `latency`: milliseconds a row.
    `schema`: callers of the holder can go on calling. `pickle`: nothing runs that nobody agreed
    to. `quality`: the verdict that the version was registered with."""
    metric: str = ""
    """The figure: a metric's name, a gap's name, or p50, p95, p99."""
    at_least: float | None = None
    at_most: float | None = None
    tolerance: float = 0.0
    """By how much `not-worse` may be worse."""
    lower_is_better: bool = False

    @property
    def name(self) -> str:
        """How the gate is called in verdicts: `not-worse roc_auc`."""
        return f"{self.kind} {self.metric}".strip()

    @property
    def text(self) -> str:
        """The gate as it is written."""
        if self.kind == "not-worse":
            by = f" by {self.tolerance:g}" if self.tolerance else ""
            looks_lower = bool(_LOWER.search(self.metric))
            told = " lower" if self.lower_is_better else " higher" if looks_lower else ""
            return f"{self.name}{by}{told}"
        name = self.metric if self.kind == "metric" else self.name
        if self.at_least is not None:
            return f"{name}>={self.at_least:g}"
        return name if self.at_most is None else f"{name}<={self.at_most:g}"


def parse_rule(text: str) -> GateRule:
    """A gate as it is written.

    `roc_auc>=0.8`, `not-worse roc_auc by 0.01`, `fairness equalized_odds_difference<=0.1`,
    `latency p95<=20ms`, `schema`, `pickle`, `quality`.

    Raises: BadGate.
    """
    words = text.strip()
    if words in {"schema", "pickle", "quality"}:
        return GateRule(kind=words)  # type: ignore[arg-type]
    if match := _LATENCY.fullmatch(words):
        return GateRule(kind="latency", metric=match[1] or "p95", at_most=_number(text, match[2]))
    if match := _FAIRNESS.fullmatch(words):
        return GateRule(
            kind="fairness", metric=match[1] or _WIDEST_GAP, at_most=_number(text, match[2])
        )
    if match := _NOT_WORSE.fullmatch(words):
        lower = match[3] == "lower" or (not match[3] and bool(_LOWER.search(match[1])))
        return GateRule(
            kind="not-worse",
            metric=match[1],
            tolerance=_number(text, match[2] or "0"),
            lower_is_better=lower,
        )
    if match := _LIMIT.fullmatch(words):
        limit = _number(text, match[3])
        least, most = (limit, None) if match[2] == ">=" else (None, limit)
        return GateRule(kind="metric", metric=match[1], at_least=least, at_most=most)
    raise BadGate(text)


def _number(text: str, told: str) -> float:
    try:
        number = float(told)
    except ValueError:
        raise BadGate(text) from None
    if not math.isfinite(number):
        raise BadGate(text)
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProtection:
    """What is to hold before an alias moves."""

    alias: str
    model: str = ""
    """One model; "" for every model of the project."""
    project: str = DEFAULT_PROJECT
    """Of a protection for every model; a model's own has the model's project."""
    gates: tuple[str, ...] = ()
    """As written: see `parse_rule`."""
    approvals: int = 0
    """How many people must agree, 0 to 10."""
    by_others: bool = False
    """Whether whoever asks for the move may not agree to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A protected alias of a model, or of every model of a project."""

    id: str
    project: str
    model: str | None
    """None: every model of the project."""
    alias: str
    gates: tuple[GateRule, ...] = ()
    approvals: int = 0
    by_others: bool = False
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A move of an alias that somebody wants."""

    model: str
    alias: str
    number: int | None
    """The version; None: the alias is to be removed."""
    kind: MoveKind = "set"
    reason: str = ""
    force: bool = False
    """Past the gates, on record; whoever does it needs the permission `registry.force`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the gates said of a version that is to hold an alias."""

    id: str
    model: str
    number: int
    """0: a challenger that a pipeline's gate refused, and that was not registered."""
    alias: str
    holder: int | None
    """The version that it was compared with."""
    passed: bool
    verdicts: tuple[Verdict, ...] = ()
    artifact_id: str | None = None
    """The verdicts in the lineage, behind the model."""
    judged_by: str
    judged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's word on a request."""

    who: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A move that waits for people."""

    id: str
    project: str
    model: str
    alias: str
    number: int
    holder: int | None
    """The version that held the alias when it was asked."""
    judgement: str
    """Id of what the gates said."""
    state: RequestState = "open"
    needed: int = 1
    approvals: tuple[Approval, ...] = ()
    by_others: bool = False
    reason: str = ""
    """Why it was asked."""
    asked_by: str
    asked_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None
    decision: str = ""
    """Why it was rejected, or approved in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests to list; a field left None does not filter."""

    state: RequestState | None = None
    model: str | None = None
    limit: int = 100
    """1 to 1,000, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether an alias may move."""

    allowed: bool
    reason: str
    protected: bool = False
    holder: int | None = None
    """Where the alias pointed when this was decided; if it moves meanwhile, ask again."""
    judgement: Judgement | None = None
    request: ApprovalRequest | None = None
    """What waits, or what was agreed to."""
