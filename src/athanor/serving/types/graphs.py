"""Endpoints made of other endpoints: chains, ensembles, routers."""

from dataclasses import dataclass
from typing import Any, Literal

NodeKind = Literal["chain", "ensemble", "router", "splitter"]
"""`chain`: one step after the other, each seeing what the ones before answered. `ensemble`: all
steps, their answers joined. `router`: the first step whose condition holds for the record.
`splitter`: one step, drawn by weight."""

Combine = Literal["mean", "vote", "max", "min"]
"""`mean`: weighted mean of the probabilities, or of the values. `vote`: the label that most weight
is behind. `max`, `min`: of the scores."""

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "not null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCondition:
    """What a record holds, or an earlier step's answer."""

    column: str
    """A column of the record; in a chain also a column that an earlier step added."""
    operator: Operator = "=="
    value: Any = None


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
    """All of them hold. A router's step without any is its default; a chain's step is left out
    for records that do not fit."""
    weight: float = 1.0
    """Of an ensemble's or splitter's step; above 0."""
    add: dict[str, str] | None = None
    """In a chain: which columns the following steps find its answer in, by what is taken of it:
    `label`, `score`, or a class's name for its probability. None adds `<name>_label` and
    `<name>_score`."""


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
