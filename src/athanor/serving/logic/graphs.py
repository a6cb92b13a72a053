"""Graphs of endpoints: what they read and answer, whether they can, and how answers are joined."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from athanor.serving.errors.deployments import GraphInvalid
from athanor.serving.types import Deployment, InputColumn, Signature
from athanor.serving.types.graphs import GraphCondition, GraphNode, GraphStep, InferenceGraph

ROOT = "root"
_MOST = 64
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBERS = ("integer", "long", "float", "double")
"""Types of numbers, the later ones holding the earlier ones."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's answer."""

    label: Any = None
    """Of a classifier: the class."""
    chances: Mapping[Any, float] | None = None
    """Of a classifier that tells them: each class's probability."""
    value: float = math.nan
    """Of a regressor."""
    score: float = math.nan


@dataclass(slots=True)
class _Reading:
    """What a graph was found to read and answer."""

    columns: dict[str, InputColumn] = field(default_factory=dict)
    classes: list[Any] = field(default_factory=list)
    regresses: bool = False
    targets: set[str] = field(default_factory=set)
    positives: set[Any] = field(default_factory=set)
    """The classes that the models' scores are about; None where one names none."""


def signature_of_graph(
    graph: InferenceGraph, signature_of: Callable[[str], Signature | None]
) -> Signature:
    """What a graph reads and answers, by what its endpoints (by name) do now.

    Raises: GraphInvalid.
    """
    if ROOT not in graph.nodes:
        raise GraphInvalid("it", f"has no node {ROOT!r}")
    if len(graph.nodes) > _MOST:
        raise GraphInvalid("it", f"has {len(graph.nodes)} nodes; it may have {_MOST}")
    reading = _Reading()
    _read(graph, ROOT, signature_of, reading, added=frozenset(), above=())
    if reading.classes and reading.regresses:
        raise GraphInvalid("it", "answers with classes for some records and values for others")
    target = next(iter(reading.targets)) if len(reading.targets) == 1 else ""
    (positive,) = reading.positives if len(reading.positives) == 1 else (None,)
    return Signature(
        columns=tuple(reading.columns.values()),
        classes=tuple(reading.classes),
        target=target,
        positive=reading.classes.index(positive) if positive in reading.classes else -1,
    )


def read_by(deployment: Deployment) -> Signature:
    """What callers send to a deployment: features that it looks up itself are left out."""
    if deployment.features is None:
        return deployment.signature
    asked = tuple(
        InputColumn(name=item.name, type=item.type, required=item.required)
        for item in deployment.features.asks
    )
    return replace(deployment.signature, columns=asked)


def endpoints_of(graph: InferenceGraph) -> set[str]:
    """The endpoints that a graph asks."""
    return {step.endpoint for node in graph.nodes.values() for step in node.steps if step.endpoint}


def endpoints_that_answer(graph: InferenceGraph) -> list[str]:
    """The endpoints whose answers may be the graph's: of a chain those from the last sure step."""
    found: dict[str, None] = {}
    waiting = [ROOT]
    while waiting:
        node = graph.nodes[waiting.pop()]
        sure = [place for place, step in enumerate(node.steps) if not step.when]
        first = sure[-1] if node.kind == "chain" and sure else 0
        for step in node.steps[first:]:
            if step.node:
                waiting.append(step.node)
            else:
                found[step.endpoint] = None
    return list(found)


def holds(when: Sequence[GraphCondition], record: Mapping[str, Any]) -> bool:
    """Whether all conditions hold for a record."""
    return all(_holds(item, record.get(item.column)) for item in when)


def combined(node: GraphNode, parts: Sequence[tuple[GraphStep, Outcome]]) -> Outcome:
    """One row's answers of an ensemble's steps as one."""
    weights = [step.weight for step, _ in parts]
    outcomes = [outcome for _, outcome in parts]
    total = sum(weights)
    if outcomes[0].label is None:
        values = [outcome.value for outcome in outcomes]
        value = _joined(node.combine, values, weights)
        return Outcome(value=value, score=value)
    if node.combine == "vote" or any(outcome.chances is None for outcome in outcomes):
        votes: dict[Any, float] = {}
        for outcome, weight in zip(outcomes, weights, strict=True):
            votes[outcome.label] = votes.get(outcome.label, 0.0) + weight / total
        return _of_chances(votes)
    named = {label: None for outcome in outcomes for label in outcome.chances or {}}
    chances = {
        label: _joined(
            node.combine, [(outcome.chances or {}).get(label, 0.0) for outcome in outcomes], weights
        )
        for label in named
    }
    if node.combine != "mean":
        whole = sum(chances.values())
        chances = {label: chance / whole for label, chance in chances.items()} if whole else chances
    return _of_chances(chances)


def columns_added(step: GraphStep, outcome: Outcome) -> dict[str, Any]:
    """What a chain's step adds to a record."""
    return {column: _taken(outcome, what) for column, what in step.adds.items()}


def _of_chances(chances: dict[Any, float]) -> Outcome:
    label = max(chances, key=lambda item: chances[item])
    return Outcome(label=label, chances=chances, score=chances[label])


def _joined(how: str, values: Sequence[float], weights: Sequence[float]) -> float:
    if how == "max":
        return max(values)
    if how == "min":
        return min(values)
    total = sum(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total


def _taken(outcome: Outcome, what: str) -> Any:
    if what == "label":
        return outcome.label if outcome.label is not None else outcome.value
    if what == "score":
        return outcome.score
    by_name = {str(label): chance for label, chance in (outcome.chances or {}).items()}
    return by_name.get(what)


def _holds(condition: GraphCondition, value: Any) -> bool:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    wanted = condition.value
    match condition.operator:
        case "is null":
            return missing
        case "not null":
            return not missing
        case _ if missing:
            return False
        case "==":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case "in":
            return bool(value in wanted)
        case "not in":
            return bool(value not in wanted)
    if isinstance(value, str) != isinstance(wanted, str):
        return False
    return bool(_ORDERS[condition.operator](value, wanted))


def _read(
    graph: InferenceGraph,
    name: str,
    signature_of: Callable[[str], Signature | None],
    reading: _Reading,
    *,
    added: frozenset[str],
    above: tuple[str, ...],
) -> None:
    """Gather what a node reads, and its last answers' classes."""
    if name in above:
        raise GraphInvalid(f"node {name!r}", "leads back to itself")
    node = graph.nodes[name]
    _check_node(name, node)
    for place, step in enumerate(node.steps):
        where = f"step {place} of node {name!r}"
        _check_step(where, node, step, graph)
        for condition in step.when:
            _check_condition(where, condition, reading, added)
        inner = _Reading(
            columns=reading.columns, targets=reading.targets, positives=reading.positives
        )
        if step.node:
            _read(graph, step.node, signature_of, inner, added=added, above=(*above, name))
        else:
            _read_endpoint(where, step.endpoint, signature_of(step.endpoint), inner, added)
        # In a chain any step's answer may be the last one, where the later ones are left out.
        counts = node.kind != "chain" or all(later.when for later in node.steps[place + 1 :])
        if counts:
            reading.regresses = reading.regresses or inner.regresses
            reading.classes += [item for item in inner.classes if item not in reading.classes]
        if node.kind == "chain":
            added |= step.adds.keys()


def _read_endpoint(
    where: str,
    name: str,
    signature: Signature | None,
    reading: _Reading,
    added: frozenset[str],
) -> None:
    if signature is None:
        raise GraphInvalid(where, f"names endpoint {name!r}, of which no deployment is live")
    for column in signature.columns:
        if column.name not in added:
            reading.columns[column.name] = _wider(where, reading.columns.get(column.name), column)
    reading.classes += signature.classes
    reading.regresses = not signature.classes
    reading.targets.add(signature.target)
    named = signature.classes[signature.positive] if signature.positive >= 0 else None
    reading.positives.add(named)


def _wider(where: str, known: InputColumn | None, new: InputColumn) -> InputColumn:
    if known is None or known == new:
        return new
    required = known.required or new.required
    if known.type in _NUMBERS and new.type in _NUMBERS:
        kind = max(known.type, new.type, key=_NUMBERS.index)
    elif known.type == new.type:
        kind = new.type
    else:
        raise GraphInvalid(
            where, f"reads column {new.name!r} as {new.type}, and others as {known.type}"
        )
    return InputColumn(name=new.name, type=kind, required=required)


def _check_node(name: str, node: GraphNode) -> None:
    where = f"node {name!r}"
    if not node.steps:
        raise GraphInvalid(where, "has no steps")
    if len(node.steps) > _MOST:
        raise GraphInvalid(where, f"has {len(node.steps)} steps; it may have {_MOST}")


def _check_step(where: str, node: GraphNode, step: GraphStep, graph: InferenceGraph) -> None:
    if bool(step.endpoint) == bool(step.node):
        raise GraphInvalid(where, "names neither an endpoint nor a node, or both")
    if step.node and step.node not in graph.nodes:
        raise GraphInvalid(where, f"names node {step.node!r}, which is not there")
    if not (math.isfinite(step.weight) and step.weight > 0):
        raise GraphInvalid(where, f"has the weight {step.weight:g}, which is not above 0")
    if step.when and node.kind == "splitter":
        raise GraphInvalid(where, "has conditions, which a splitter does not ask; use a router")


def _check_condition(
    where: str, condition: GraphCondition, reading: _Reading, added: frozenset[str]
) -> None:
    value = condition.value
    if condition.operator in {"in", "not in"} and not isinstance(value, list | tuple):
        raise GraphInvalid(where, f"asks for {condition.operator!r} something that is no list")
    name = condition.column
    if name in added or name in reading.columns:
        return
    examples = list(value) if isinstance(value, list | tuple) else [value]
    kind = _kind(examples)
    if kind is None:
        raise GraphInvalid(where, f"has a condition on {name!r}, whose type can't be told")
    reading.columns[name] = InputColumn(name=name, type=kind, required=False)


def _kind(examples: Iterable[Any]) -> str | None:
    kinds = {type(item) for item in examples}
    if kinds == {str}:
        return "string"
    if kinds == {bool}:
        return "boolean"
    return "double" if kinds and kinds <= {int, float} else None
