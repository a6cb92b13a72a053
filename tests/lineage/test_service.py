"""What the service refuses before the database would."""

from datetime import UTC, datetime

import pytest

from athanor.kernel import OWNER, Database, Events, new_id
from athanor.kernel.events import SqlEventStore
from athanor.kernel.permissions import OwnerAccess
from athanor.lineage import Lineage, NewArtifact, NewRun
from athanor.lineage.commands import once
from athanor.lineage.errors import ArtifactNotFound, RunAmbiguous, RunNotFound
from athanor.lineage.store import SqlLineageStore
from athanor.lineage.types import Node
from athanor.testing import FixedClock


@pytest.fixture
def lineage(sqlite: Database, clock: FixedClock) -> Lineage:
    events = Events(SqlEventStore(sqlite), sqlite, clock)
    return Lineage(
        SqlLineageStore(sqlite), sqlite, events=events, access=OwnerAccess(), clock=clock
    )


def test_an_edge_wants_both_its_ends(lineage: Lineage) -> None:
    run = lineage.start_run(OWNER, NewRun(kind="script", name="train"))
    new = NewArtifact(type="table", name="t", uri="file:///t", digest="sha256:0", size=1)
    artifact = lineage.record(OWNER, new)
    for join in (lineage.consumed, lineage.produced):
        for unknown in ("", new_id()):
            with pytest.raises(ArtifactNotFound):
                join(OWNER, run.id, unknown, "data")
            with pytest.raises(RunNotFound):
                join(OWNER, unknown, artifact.id, "data")
    assert lineage.edges(OWNER, run.id) == []
    lineage.consumed(OWNER, run.id, artifact.id, "data")
    assert len(lineage.edges(OWNER, run.id)) == 1


def test_a_run_is_found_by_how_its_id_begins(lineage: Lineage) -> None:
    one, other = ("0123456" + end * 25 for end in "ab")
    for id_ in (one, other):
        lineage.start_run(OWNER, NewRun(kind="script", name="train", id=id_))
    assert lineage.run(OWNER, "0123456a").id == one
    with pytest.raises(RunAmbiguous, match=f"{one} and {other}"):
        lineage.run(OWNER, "012345")
    for unknown in ("01234", "0123457", "012345%"):
        with pytest.raises(RunNotFound):
            lineage.run(OWNER, unknown)


def test_of_a_task_the_room_that_runs_it_tells(sqlite: Database, lineage: Lineage) -> None:
    for kind in ("pipeline", "task"):
        run = lineage.start_run(OWNER, NewRun(kind=kind, name="train"))
        lineage.finish_run(OWNER, run.id)
    told = [(item.action, item.detail["kind"]) for item in SqlEventStore(sqlite).since(0, 10)]
    assert told == [("lineage.run.started", "pipeline"), ("lineage.run.finished", "pipeline")]


def test_a_trace_shows_data_of_one_content_once() -> None:
    def node(id_: str, type_: str, digest: str) -> Node:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return Node(id=id_, kind="artifact", type=type_, name="dataset", digest=digest, at=at)

    nodes = [node("a", "dataset", "1"), node("b", "table", "1"), node("c", "dataset", "1")]
    nodes += [node("d", "dataset", "2"), node("e", "dataset", ""), node("f", "dataset", "")]
    told = [(found.id, times) for found, times in once(nodes)]
    assert told == [("a", 2), ("b", 1), ("d", 1), ("e", 1), ("f", 1)]
