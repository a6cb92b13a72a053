"""A graph as a deployment: it is asked like any other, and asks the endpoints that it names."""

import math
import random
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from athanor.kernel.errors import AthanorError
from athanor.kernel.ids import new_id
from athanor.serving.errors import (
    ColumnMissing,
    EndpointNotFound,
    ModelRefusedInput,
    WorkerUnavailable,
)
from athanor.serving.logic import routing
from athanor.serving.logic.frames import Body, Hello, Reply
from athanor.serving.logic.graphs import (
    ROOT,
    Outcome,
    columns_added,
    combined,
    endpoints_that_answer,
    holds,
)
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.signature import Row, scored
from athanor.serving.plane.enrich import Enrichment
from athanor.serving.plane.served import Served, Then
from athanor.serving.types import Signature
from athanor.serving.types.graphs import GraphNode, GraphStep, InferenceGraph

Outcomes: TypeAlias = list[Outcome] | AthanorError
Done: TypeAlias = Callable[[Outcomes], None]
Records: TypeAlias = dict[int, dict[str, Any]]
"""Records by their place in the request."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Whom a graph may ask: this plane's routes by endpoint, and deployments by id."""

    routes: Callable[[], Mapping[str, Route]]
    served: Mapping[str, Served]
    features: Callable[[Target], Enrichment | None] = lambda _: None
    """Who looks the features of a deployment up."""


class GraphServed(Served):
    """A deployment that answers through other endpoints."""

    def __init__(self, route: Route, target: Target, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        super().__init__(route, target)

    def connect(self) -> None:
        """There is nothing to link to."""

    @property
    def ready(self) -> bool:
        """Whether it knows what to ask."""
        return self.target.graph is not None

    @property
    def described(self) -> Hello | None:
        """A model's word, of the classes of those that answer; None where they are not there."""
        graph, routes = self.target.graph, self._neighbours.routes()
        classes: list[Any] = []
        for endpoint in endpoints_that_answer(graph) if graph is not None else ():
            for target in routes[endpoint].targets if endpoint in routes else ():
                told = self._neighbours.served[target.id].described
                classes += [item for item in (told.classes if told else ()) if item not in classes]
        return Hello(classes, "whole") if classes else None

    def submit(
        self,
        rows: list[Row],
        then: Then,
        seconds: float,
        body: Body | None = None,  # noqa: ARG002 - no graph reads one
    ) -> None:
        """Have these rows answered by the graph."""
        self.used = time.monotonic()
        graph, names = self.target.graph, self.target.signature.names
        if graph is None:
            then(WorkerUnavailable("its graph is not there"), None)
            return
        records = {place: dict(zip(names, row, strict=True)) for place, row in enumerate(rows)}

        def answered(outcomes: Outcomes) -> None:
            if isinstance(outcomes, AthanorError):
                then(outcomes, None)
            else:
                then(*_reply(outcomes, self.target.signature))

        _Run(graph, self._neighbours, seconds).node(ROOT, records, answered)


class _Run:
    """One request's way through a graph."""

    def __init__(self, graph: InferenceGraph, neighbours: Neighbours, seconds: float) -> None:
        self._graph = graph
        self._neighbours = neighbours
        self._end = time.monotonic() + seconds
        self._id = new_id()

    def node(self, name: str, records: Records, done: Done) -> None:
        """Answer these records by a node, in their order."""
        node = self._graph.nodes[name]
        match node.kind:
            case "chain":
                self._chain(name, list(node.steps), records, {}, done)
            case "ensemble":
                self._ensemble(name, node, records, done)
            case "router":
                self._router(name, node, records, done)
            case "splitter":
                weights = [step.weight for step in node.steps]
                (drawn,) = random.choices(node.steps, weights)
                self._step(drawn, records, done)

    def _chain(
        self,
        name: str,
        steps: list[GraphStep],
        records: Records,
        found: dict[int, Outcome],
        done: Done,
    ) -> None:
        if not steps:
            done(_ordered(name, records, found))
            return
        step, rest = steps[0], steps[1:]
        mine = {place: record for place, record in records.items() if holds(step.when, record)}
        if not mine:
            self._chain(name, rest, records, found, done)
            return

        def answered(outcomes: Outcomes) -> None:
            if isinstance(outcomes, AthanorError):
                done(outcomes)
                return
            further = dict(records)
            for place, outcome in zip(mine, outcomes, strict=True):
                found[place] = outcome
                further[place] = records[place] | columns_added(step, outcome)
            self._chain(name, rest, further, found, done)

        self._step(step, mine, answered)

    def _ensemble(self, name: str, node: GraphNode, records: Records, done: Done) -> None:
        parts: dict[int, list[tuple[GraphStep, Outcome]]] = {place: [] for place in records}

        def joined() -> Outcomes:
            found = {place: combined(node, given) for place, given in parts.items() if given}
            return _ordered(name, records, found)

        def take(step: GraphStep, places: Sequence[int], outcomes: list[Outcome]) -> None:
            for place, outcome in zip(places, outcomes, strict=True):
                parts[place].append((step, outcome))

        asked = [
            (step, {place: item for place, item in records.items() if holds(step.when, item)})
            for step in node.steps
        ]
        self._all([pair for pair in asked if pair[1]], take, lambda: done(joined()), done)

    def _router(self, name: str, node: GraphNode, records: Records, done: Done) -> None:
        groups: dict[int, Records] = {}
        for place, record in records.items():
            for number, step in enumerate(node.steps):
                if holds(step.when, record):
                    groups.setdefault(number, {})[place] = record
                    break
        found: dict[int, Outcome] = {}

        def take(_: GraphStep, places: Sequence[int], outcomes: list[Outcome]) -> None:
            found.update(zip(places, outcomes, strict=True))

        asked = [(node.steps[number], mine) for number, mine in groups.items()]
        self._all(asked, take, lambda: done(_ordered(name, records, found)), done)

    def _all(
        self,
        asked: list[tuple[GraphStep, Records]],
        take: Callable[[GraphStep, Sequence[int], list[Outcome]], None],
        finish: Callable[[], None],
        fail: Done,
    ) -> None:
        """Ask several steps at once; the first failure is the answer."""
        left, failed = len(asked), False

        def answered(step: GraphStep, places: Sequence[int], outcomes: Outcomes) -> None:
            nonlocal left, failed
            if failed:
                return
            if isinstance(outcomes, AthanorError):
                failed = True
                fail(outcomes)
                return
            take(step, places, outcomes)
            left -= 1
            if not left:
                finish()

        if not asked:
            finish()
        for step, mine in asked:
            self._step(step, mine, lambda got, s=step, m=mine: answered(s, list(m), got))  # type: ignore[misc]  # bound now

    def _step(self, step: GraphStep, records: Records, done: Done) -> None:
        if step.node:
            self.node(step.node, records, done)
            return
        try:
            served, rows = self._asked(step.endpoint, records)
        except AthanorError as error:
            done(error)
            return

        def answered(result: Reply | AthanorError, hello: Hello | None) -> None:
            if isinstance(result, AthanorError):
                done(result)
            elif result.error or hello is None:
                reason = f"endpoint {step.endpoint!r}: {result.error or 'no answer'}"
                done(ModelRefusedInput(reason))
            else:
                done(_outcomes(result, hello, served.target.signature, len(rows)))

        served.submit(rows, answered, max(0.0, self._end - time.monotonic()))

    def _asked(self, endpoint: str, records: Records) -> tuple[Served, list[Row]]:
        """The deployment that answers, and its rows.

        Raises: EndpointNotFound, WorkerUnavailable, ColumnMissing; what the features' look-up
        raises.
        """
        routes = self._neighbours.routes()
        route = routes.get(endpoint)
        if route is None:
            raise EndpointNotFound(endpoint, routes)
        target = routing.pick(route, lambda _: "", self._id)
        served = self._neighbours.served[target.id]
        enriched = self._neighbours.features(target)
        if enriched is not None:
            names = tuple(dict.fromkeys(name for item in records.values() for name in item))
            known = [[item.get(name) for name in names] for item in records.values()]
            return served, enriched.rows(known, names)
        return served, [_row_of(target.signature, place, item) for place, item in records.items()]


def _row_of(signature: Signature, place: int, record: Mapping[str, Any]) -> Row:
    """A record as a row of this signature.

    Raises: ColumnMissing.
    """
    missing = [
        column.name for column in signature.columns if column.required and column.name not in record
    ]
    if missing:
        raise ColumnMissing(missing, place, record)
    return [_fitting(column.type, record.get(column.name)) for column in signature.columns]


def _fitting(kind: str, value: Any) -> Any:
    """A value as a column of this type has it: a graph's column may be wider than a model's."""
    if kind == "string" and value is not None and not isinstance(value, str):
        return str(value)
    if kind in {"long", "integer"} and isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value


def _ordered(name: str, records: Records, found: Mapping[int, Outcome]) -> Outcomes:
    left_out = next((place for place in records if place not in found), None)
    if left_out is not None:
        return ModelRefusedInput(
            f"record {left_out} fulfils the conditions of no step of node {name!r}"
        )
    return [found[place] for place in records]


def _outcomes(reply: Reply, hello: Hello, signature: Signature, count: int) -> Outcomes:
    """Each row's answer."""
    if reply.values:
        return ModelRefusedInput("a graph can't join answers that are no classes and no numbers")
    numbers = struct.unpack(f"<{len(reply.numbers) // 8}d", reply.numbers)
    width = len(numbers) // count
    classes = hello.classes
    if not classes:
        first = [numbers[row * width] for row in range(count)]
        return [Outcome(value=value, score=value) for value in first]
    place = scored(signature, classes)
    found = []
    for row in range(count):
        mine = numbers[row * width : (row + 1) * width]
        chosen = reply.labels[row]
        chances = dict(zip(classes, mine, strict=True)) if mine else None
        score = mine[chosen if place < 0 else place] if mine else math.nan
        found.append(Outcome(label=classes[chosen], chances=chances, score=score))
    return found


def _reply(outcomes: list[Outcome], signature: Signature) -> tuple[Reply, Hello]:
    """The graph's answer, as a model's."""
    if outcomes[0].label is None:
        values = [outcome.value for outcome in outcomes]
        return Reply([], struct.pack(f"<{len(values)}d", *values)), Hello([], "whole")
    classes = list(signature.classes)
    for outcome in outcomes:
        for label in (*(outcome.chances or {}), outcome.label):
            if label not in classes:
                classes.append(label)
    labels = [classes.index(outcome.label) for outcome in outcomes]
    if any(outcome.chances is None for outcome in outcomes):
        return Reply(labels, b""), Hello(classes, "whole")
    numbers = [(outcome.chances or {}).get(label, 0.0) for outcome in outcomes for label in classes]
    return Reply(labels, struct.pack(f"<{len(numbers)}d", *numbers)), Hello(classes, "whole")
