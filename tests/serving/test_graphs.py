"""Endpoints that answer through others: what they say equals what their parts say, joined."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER
from athanor.kernel.workers import Workers
from athanor.serving.errors.deployments import (
    EndpointHasDeployments,
    EndpointInUse,
    EndpointIsGraph,
    GraphInvalid,
    NoGraph,
)
from athanor.serving.logic.graphs import (
    Outcome,
    combined,
    endpoints_that_answer,
    holds,
    signature_of_graph,
)
from athanor.serving.types import (
    Deploy,
    InputColumn,
    NewLabel,
    PredictionQuery,
    Signature,
    SnapshotRequest,
)
from athanor.serving.types.graphs import GraphCondition, GraphNode, GraphStep, InferenceGraph
from athanor.testing.serving import SIGNATURE, STUB_DESCRIPTION, Browser, formula, record
from athanor.testing.serving_room import ServingRoom, stub_room


@pytest.fixture
def stubs(tmp_path: Path, sqlite: Database, warm_workers: Workers) -> Iterator[ServingRoom]:
    """Endpoints `zero`, `plus`, `minus` differ by what they add in the stub's formula."""
    with stub_room(tmp_path, sqlite, warm_workers) as room:
        for name, bias in (("zero", 0.0), ("plus", 1.0), ("minus", -1.0)):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "bias").write_text(str(bias), "utf-8")
            room.register(folder, name, STUB_DESCRIPTION)
            room.endpoints.deploy(OWNER, name, Deploy(model=name))
        for name in ("zero", "plus", "minus"):
            room.wait_for(name, 1, "live")
        yield room


def one(kind: str, *steps: GraphStep, **asked: Any) -> InferenceGraph:
    return InferenceGraph(nodes={"root": GraphNode(kind=kind, steps=steps, **asked)})  # type: ignore[arg-type]


def chance(number: int, bias: float = 0.0) -> float:
    asked = record(number)
    return formula(asked["size"], asked["rooms"], bias)


def scores(room: ServingRoom, numbers: list[int], **more: Any) -> list[float]:
    """What endpoint `joined` says as the probability of `yes`."""
    browser = Browser(int(room.supervisor.url().rpartition(":")[2]))
    answer = browser.predict([record(number) | more for number in numbers], "joined")
    assert answer.status == 200, answer.content
    return [row["probabilities"]["yes"] for row in answer.body["predictions"]]


NUMBERS = [*range(40, 90)]


def test_graphs_answer_what_their_parts_say(stubs: ServingRoom) -> None:
    zero, plus, minus = (GraphStep(endpoint=name) for name in ("zero", "plus", "minus"))
    stubs.graphs.compose(OWNER, "joined", one("ensemble", plus, minus))
    expected = [(chance(n, 1.0) + chance(n, -1.0)) / 2 for n in NUMBERS]
    assert scores(stubs, NUMBERS) == pytest.approx(expected, abs=1e-15)

    router = one(
        "router",
        GraphStep(endpoint="plus", when=(GraphCondition(column="rooms", operator=">", value=3),)),
        GraphStep(
            endpoint="minus",
            when=(GraphCondition(column="country", operator="in", value=["FR", "DE"]),),
        ),
        zero,
    )
    stubs.graphs.compose(OWNER, "joined", router)
    assert scores(stubs, NUMBERS, country="FR") == [
        chance(n, 1.0 if record(n)["rooms"] > 3 else -1.0) for n in NUMBERS
    ]
    assert scores(stubs, NUMBERS) == [
        chance(n, 1.0 if record(n)["rooms"] > 3 else 0.0) for n in NUMBERS
    ]

    # The second model is asked where the first one is unsure, and reads what the first one said.
    unsure = (
        GraphCondition(column="zero_score", operator=">", value=0.4),
        GraphCondition(column="zero_score", operator="<", value=0.6),
    )
    chain = one("chain", zero, GraphStep(endpoint="plus", when=unsure))
    stubs.graphs.compose(OWNER, "joined", chain)
    expected = [chance(n, 1.0 if 0.4 < chance(n) < 0.6 else 0.0) for n in NUMBERS]
    assert scores(stubs, NUMBERS) == expected
    assert expected != [chance(n) for n in NUMBERS]

    feeding = one("chain", GraphStep(endpoint="zero", add={"size": "yes"}), plus)
    stubs.graphs.compose(OWNER, "joined", feeding)
    assert scores(stubs, NUMBERS) == [formula(chance(n), record(n)["rooms"], 1.0) for n in NUMBERS]
    stubs.endpoints.rollback(OWNER, "joined")
    assert scores(stubs, NUMBERS) == expected


def test_a_graph_s_answers_are_described_as_those_of_its_parts(stubs: ServingRoom) -> None:
    """Where the models' labels are known to their workers alone, as with models of MLflow."""
    folder = stubs.folder / "untold"
    folder.mkdir()
    told: dict[str, Any] = {"classes": [], "positive": None, "task": ""}
    stubs.register(folder, "untold", STUB_DESCRIPTION | told)
    stubs.endpoints.deploy(OWNER, "untold", Deploy(model="untold"))
    stubs.wait_for("untold", 1, "live")
    graph = one("router", GraphStep(endpoint="untold"))
    stubs.graphs.compose(OWNER, "joined", graph)
    browser = Browser(int(stubs.supervisor.url().rpartition(":")[2]))
    (row,) = browser.predict([record(77)], "joined").body["predictions"]
    assert row["label"] == "yes"
    for name in ("untold", "joined"):
        (output,) = browser.send("GET", f"/v2/models/{name}").body["outputs"]
        assert output == {"name": "predict", "datatype": "BYTES", "shape": [-1]}


def test_the_endpoints_that_answer_are_those_whose_answer_counts() -> None:
    unsure = GraphStep(endpoint="c", when=(LEVEL,))
    chain = GraphNode(kind="chain", steps=(GraphStep(endpoint="a"), GraphStep(node="b"), unsure))
    ensemble = GraphNode(kind="ensemble", steps=(GraphStep(endpoint="x"), GraphStep(endpoint="y")))
    graph = InferenceGraph(nodes={"root": chain, "b": ensemble})
    assert sorted(endpoints_that_answer(graph)) == ["c", "x", "y"]


def test_a_graph_is_an_endpoint_like_any_other(stubs: ServingRoom) -> None:
    nested = InferenceGraph(
        nodes={
            "root": GraphNode(kind="splitter", steps=(GraphStep(node="all"),)),
            "all": GraphNode(
                kind="ensemble",
                combine="vote",
                steps=tuple(GraphStep(endpoint=name) for name in ("zero", "plus", "minus")),
            ),
        }
    )
    made = stubs.graphs.compose(OWNER, "joined", nested)
    assert made.state == "live"
    assert stubs.graphs.graph(OWNER, "joined") == nested
    browser = Browser(int(stubs.supervisor.url().rpartition(":")[2]))
    (row,) = browser.predict([record(77)], "joined").body["predictions"]
    assert (row["label"], row["probabilities"]["yes"]) == ("yes", pytest.approx(2 / 3))
    (logged,) = stubs.endpoints.predictions(OWNER, "joined", PredictionQuery())
    assert (logged.id, logged.label, logged.deployment) == (row["id"], "yes", made.id)
    stubs.endpoints.label(OWNER, "joined", [NewLabel(id=row["id"], label="no")])
    table = stubs.endpoints.snapshot(OWNER, "joined", SnapshotRequest())
    assert table.metadata["rows"] == 1
    assert stubs.lineage.resolve(OWNER, f"prediction:{row['id']}").id == row["id"]
    assert stubs.deployments.status(OWNER, "joined").ready
    refused = browser.predict([{"size": 1.0, "mood": "raise"}], "joined")
    assert refused.status == 422
    assert browser.predict([{"mood": "calm"}], "joined").body["details"]["columns"] == ["size"]
    infer = browser.send("GET", "/v2/models/joined").body
    assert {item["name"] for item in infer["inputs"]} == {"size", "rooms", "mood"}
    with pytest.raises(EndpointInUse):
        stubs.endpoints.remove(OWNER, "zero")
    with pytest.raises(EndpointIsGraph):
        stubs.endpoints.deploy(OWNER, "joined", Deploy(model="zero"))
    with pytest.raises(EndpointHasDeployments):
        stubs.graphs.compose(OWNER, "zero", one("chain", GraphStep(endpoint="plus")))
    with pytest.raises(NoGraph):
        stubs.graphs.graph(OWNER, "zero")
    with pytest.raises(GraphInvalid, match="is a graph"):
        stubs.graphs.compose(OWNER, "other", one("chain", GraphStep(endpoint="joined")))
    stubs.endpoints.remove(OWNER, "joined")
    stubs.endpoints.remove(OWNER, "zero")


VALUES = Signature(columns=(InputColumn(name="size", type="string"),))
KNOWN = {"zero": SIGNATURE, "values": VALUES}
LEVEL = GraphCondition(column="level", operator="==", value=1)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (InferenceGraph(nodes={}), "no node 'root'"),
        (one("chain"), "has no steps"),
        (one("chain", GraphStep()), "neither"),
        (one("chain", GraphStep(endpoint="zero", node="root")), "or both"),
        (one("chain", GraphStep(endpoint="none")), "no deployment is live"),
        (one("chain", GraphStep(node="none")), "not there"),
        (one("chain", GraphStep(node="root")), "back to itself"),
        (one("ensemble", GraphStep(endpoint="zero", weight=0.0)), "not above 0"),
        (one("splitter", GraphStep(endpoint="zero", when=(LEVEL,))), "use a router"),
        (one("ensemble", GraphStep(endpoint="zero"), GraphStep(endpoint="values")), "as string"),
        (
            one(
                "router",
                GraphStep(
                    endpoint="zero", when=(GraphCondition(column="level", operator="in", value=3),)
                ),
            ),
            "no list",
        ),
        (
            one(
                "router",
                GraphStep(endpoint="zero", when=(GraphCondition(column="x", value=None),)),
            ),
            "can't be told",
        ),
    ],
)
def test_a_graph_that_cannot_answer_says_why(graph: InferenceGraph, reason: str) -> None:
    with pytest.raises(GraphInvalid, match=reason):
        signature_of_graph(graph, KNOWN.get)


def test_answers_are_joined_as_their_node_says() -> None:
    steps = [GraphStep(endpoint="a", weight=3.0), GraphStep(endpoint="b")]
    sure = Outcome(label="yes", chances={"no": 0.1, "yes": 0.9}, score=0.9)
    unsure = Outcome(label="no", chances={"no": 0.6, "yes": 0.4}, score=0.6)
    parts = list(zip(steps, (sure, unsure), strict=True))
    mean = combined(GraphNode(kind="ensemble", steps=()), parts)
    assert mean.label == "yes"
    assert mean.chances == pytest.approx({"no": 0.225, "yes": 0.775})
    vote = combined(GraphNode(kind="ensemble", steps=(), combine="vote"), parts)
    assert vote.chances == {"yes": 0.75, "no": 0.25}
    values = list(zip(steps, (Outcome(value=1.0), Outcome(value=5.0)), strict=True))
    assert combined(GraphNode(kind="ensemble", steps=()), values).value == 2.0
    assert combined(GraphNode(kind="ensemble", steps=(), combine="max"), values).value == 5.0


def test_a_null_fulfils_is_null_alone() -> None:
    for operator in ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "not null"):
        value: Any = [1] if "in" in operator else 1
        condition = GraphCondition(column="a", operator=operator, value=value)
        assert not holds((condition,), {"a": None})
    assert holds((GraphCondition(column="a", operator="is null"),), {})
    assert not holds((GraphCondition(column="a", operator="<", value="x"),), {"a": 1})
