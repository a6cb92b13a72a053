"""Endpoints made of other endpoints: chains, ensembles, routers."""

from dataclasses import dataclass
from typing import Any, Literal

NodeKind = Literal["chain", "ensemble", "router", "splitter"]
"""`chain`: one step after the other, each seeing what the ones before answered; the last one's
answer counts. `ensemble`: all steps, their answers joined. `router`: for each record the first step
whose conditions hold. `splitter`: one step a request, drawn by weight."""

Combine = Literal["mean", "vote", "max", "min"]
"""`mean`: the weighted mean of the probabilities, or of the values. `vote`: the label that most
weight is behind. `max`, `min`: of a regressor's values, or of the classes' probabilities."""

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "not null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCondition:
    """What a record holds, or what an earlier step answered."""

    column: str
    """A column of the record; in a chain also one that an earlier step added."""
    operator: Operator = "=="
    value: Any = None
    """A text, number or truth value; a list of them for `in` and `not in`. A null in the column
    fulfils `is null` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStep:
    """One step of a node."""

    endpoint: str = ""
    """The endpoint that answers; or else:"""
    node: str = ""
    """the node of the graph that does."""
    name: str = ""
    """What its answer is called; the endpoint's or node's name where nothing is said."""
    when: tuple[GraphCondition, ...] = ()
    """All of them hold, or the step is left out for the record. None are always fulfilled: a
    router's last step without any takes the rest."""
    weight: float = 1.0
    """Of an ensemble's or splitter's step; above 0."""
    add: dict[str, str] | None = None
    """In a chain: which columns the following steps find its answer in: the column's name, and
    `label`, `score` or a class's name (its probability). None adds `<name>_label` and
    `<name>_score`."""

    @property
    def called(self) -> str:
        """What its answer is called."""
        return self.name or self.endpoint or self.node

    @property
    def adds(self) -> dict[str, str]:
        """The columns that it adds in a chain."""
        if self.add is not None:
            return self.add
        return {f"{self.called}_label": "label", f"{self.called}_score": "score"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """One node of a graph."""

    kind: NodeKind
    steps: tuple[GraphStep, ...]
    combine: Combine = "mean"
    """Of an ensemble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceGraph:
    """How an endpoint answers through others."""

    nodes: dict[str, GraphNode]
    """By name; the one called `root` answers."""
