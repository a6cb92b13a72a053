"""What every `LineageStore` must do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from athanor.kernel.ids import new_id
from athanor.lineage import Artifact, Edge, Run, RunEnd, RunFilter
from athanor.lineage.store import LineageStore

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_FAR = 64


def a_run(name: str = "train", **fields: Any) -> Run:
    """A run under way."""
    values: dict[str, Any] = {
        "id": new_id(),
        "project": "default",
        "kind": "task",
        "name": name,
        "state": "running",
        "created_by": "ann",
        "started_at": _AT,
    }
    return Run(**(values | fields))


def an_artifact(name: str = "table", **fields: Any) -> Artifact:
    """A table of content of its own."""
    values: dict[str, Any] = {
        "id": new_id(),
        "project": "default",
        "type": "table",
        "name": name,
        "uri": f"file:///{name}",
        "digest": f"sha256:{name}",
        "size": 3_000_000_000,
        "created_at": _AT,
    }
    return Artifact(**(values | fields))


def connect(
    store: LineageStore,
    relation: Literal["consumed", "produced"],
    run: Run,
    *artifacts: Artifact,
) -> None:
    """Draw the edges of a run, each under its artifact's name."""
    for artifact in artifacts:
        store.add_edge(Edge(run=run.id, artifact=artifact.id, relation=relation, as_=artifact.name))


class LineageStoreContract:
    """Subclass it with a fixture `store`, an empty store."""

    def test_a_run_comes_back_whole(self, store: LineageStore) -> None:
        parent = store.add_run(a_run("pipeline", kind="pipeline"))
        run = a_run(
            parent=parent.id,
            state="failed",
            ended_at=_AT + timedelta(seconds=1),
            labels={"team": "ä"},
            resources={"cpu_seconds": 1.5},
            environment={"python": "3.11"},
            code={"commit": "abc"},
            error={"error": "lost", "message": "Lost.", "hint": ""},
            cost=0.25,
            carbon=1e-6,
        )
        assert store.add_run(run) == run
        assert store.find_run(run.id) == run
        assert store.find_run(new_id()) is None

    def test_a_run_is_added_once(self, store: LineageStore) -> None:
        run = store.add_run(a_run("first"))
        assert store.add_run(a_run("second", id=run.id)).name == "first"

    def test_many_runs_are_added_at_once(self, store: LineageStore) -> None:
        runs = [a_run("first"), a_run("second")]
        store.add_runs(runs)
        assert [store.find_run(run.id) for run in runs] == runs
        assert store.has_run(runs[0].id)
        assert not store.has_run(new_id())

    def test_a_run_changes(self, store: LineageStore) -> None:
        run = store.add_run(a_run())
        store.change_run(run.id, {"state": "done", "ended_at": _AT, "labels": {"a": "b"}})
        changed = store.find_run(run.id)
        assert changed is not None
        assert (changed.state, changed.ended_at, changed.labels) == ("done", _AT, {"a": "b"})
        assert changed.name == run.name

    def test_many_runs_are_closed_at_once(self, store: LineageStore) -> None:
        going, failed, over = (
            store.add_run(a_run(state=state)) for state in ("running", "running", "done")
        )
        error = {"error": "lost", "message": "Lost.", "hint": ""}
        store.end_runs(
            [
                RunEnd(id=going.id, state="done", resources={"cpu_seconds": 1.5}),
                RunEnd(id=failed.id, state="failed", error=error),
                RunEnd(id=over.id, state="stopped"),
            ],
            _AT,
        )
        found = [store.find_run(run.id) for run in (going, failed, over)]
        assert found == [
            replace(going, state="done", ended_at=_AT, resources={"cpu_seconds": 1.5}),
            replace(failed, state="failed", ended_at=_AT, error=error),
            over,
        ]

    def test_runs_are_listed_newest_first_in_pages(self, store: LineageStore) -> None:
        runs = [store.add_run(a_run(str(number), id=f"{number:032x}")) for number in range(5)]
        page = store.list_runs(RunFilter(limit=2))
        assert [run.name for run in page] == ["4", "3"]
        page = store.list_runs(RunFilter(limit=2, before=page[-1].id))
        assert [run.name for run in page] == ["2", "1"]
        assert store.list_runs(RunFilter(before=runs[0].id)) == []

    def test_runs_are_filtered(self, store: LineageStore) -> None:
        parent = store.add_run(a_run("whole", kind="pipeline"))
        store.add_run(a_run("part", parent=parent.id, state="done"))
        store.add_run(a_run("part", project="other"))

        def found(**query: Any) -> list[str]:
            return [run.name for run in store.list_runs(RunFilter(**query))]

        assert found(kind="pipeline") == ["whole"]
        assert found(parent=parent.id) == ["part"]
        assert found(state="done") == ["part"]
        assert found(project="other") == ["part"]
        assert found(name="part") == ["part", "part"]
        assert found(name="part", project="nowhere") == []

    def test_an_artifact_comes_back_whole_and_is_added_once(self, store: LineageStore) -> None:
        artifact = an_artifact(metadata={"rows": 3, "columns": ["ä"]})
        assert store.add_artifact(artifact) == artifact
        assert store.find_artifact(artifact.id) == artifact
        assert store.add_artifact(an_artifact("late", id=artifact.id)) == artifact
        assert store.find_artifact(new_id()) is None

    def test_artifacts_are_found_by_their_content(self, store: LineageStore) -> None:
        same = [
            store.add_artifact(an_artifact(digest="sha256:aa", id=f"{number:032x}"))
            for number in range(2)
        ]
        model = store.add_artifact(an_artifact(digest="sha256:aa", type="model"))
        store.add_artifact(an_artifact(digest="sha256:bb"))
        assert store.find_by_digest("sha256:aa") == [*same, model]
        assert store.find_by_digest("sha256:aa", "model") == [model]
        assert store.find_by_digest("sha256:cc") == []

    def test_the_same_edge_twice_is_one(self, store: LineageStore) -> None:
        run, table = store.add_run(a_run()), store.add_artifact(an_artifact())
        for _ in range(2):
            connect(store, "consumed", run, table)
        connect(store, "produced", run, table)
        assert [(edge.relation, found) for edge, found in store.edges_of(run.id)] == [
            ("consumed", table),
            ("produced", table),
        ]

    def test_a_trace_goes_up_to_the_source_and_down_to_the_ends(self, store: LineageStore) -> None:
        raw, split, model, other = (
            store.add_artifact(an_artifact(name)) for name in ("raw", "split", "model", "other")
        )
        divide, train, apart = (store.add_run(a_run(name)) for name in ("divide", "train", "apart"))
        connect(store, "consumed", divide, raw)
        connect(store, "produced", divide, split)
        connect(store, "consumed", train, split, raw)
        connect(store, "produced", train, model)
        connect(store, "consumed", apart, raw)
        connect(store, "produced", apart, other)

        nodes, links = store.trace(model.id, "up", _FAR)
        assert [(node.name, node.depth) for node in nodes[:2]] == [("model", 0), ("train", 1)]
        assert {node.name: node.depth for node in nodes} == {
            "model": 0,
            "train": 1,
            "split": 2,
            "raw": 2,
            "divide": 3,
        }
        assert (nodes[0].kind, nodes[0].digest) == ("artifact", "sha256:model")
        assert (nodes[1].kind, nodes[1].type, nodes[1].state) == ("run", "task", "running")
        assert {(link.source, link.target) for link in links} == {
            (raw.id, divide.id),
            (divide.id, split.id),
            (split.id, train.id),
            (raw.id, train.id),
            (train.id, model.id),
        }
        nodes, _links = store.trace(divide.id, "down", _FAR)
        assert [node.name for node in nodes] == ["divide", "split", "train", "model"]
        nodes, _links = store.trace(raw.id, "down", 1)
        assert {node.name for node in nodes} == {"raw", "divide", "train", "apart"}

    def test_a_circle_ends(self, store: LineageStore) -> None:
        one, two = (store.add_artifact(an_artifact(name)) for name in ("one", "two"))
        there, back = (store.add_run(a_run(name)) for name in ("there", "back"))
        connect(store, "consumed", there, one)
        connect(store, "produced", there, two)
        connect(store, "consumed", back, two)
        connect(store, "produced", back, one)
        nodes, links = store.trace(one.id, "up", _FAR)
        assert {node.name: node.depth for node in nodes} == {
            "one": 0,
            "back": 1,
            "two": 2,
            "there": 3,
        }
        assert len(links) == 4

    def test_who_took_it_from_the_cache_is_not_where_it_came_from(
        self, store: LineageStore
    ) -> None:
        raw, model = (store.add_artifact(an_artifact(name)) for name in ("raw", "model"))
        made = store.add_run(a_run("train", state="done"))
        later = store.add_run(a_run("train", state="cached"))
        for run in (made, later):
            connect(store, "consumed", run, raw)
            connect(store, "produced", run, model)
        nodes, _links = store.trace(model.id, "up", _FAR)
        assert [node.id for node in nodes] == [model.id, made.id, raw.id]
        nodes, _links = store.trace(later.id, "up", _FAR)
        assert [node.id for node in nodes] == [later.id, raw.id]
        nodes, _links = store.trace(raw.id, "down", _FAR)
        assert {node.id for node in nodes} == {raw.id, made.id, later.id, model.id}

    def test_something_alone_is_its_own_trace(self, store: LineageStore) -> None:
        alone = store.add_artifact(an_artifact())
        nodes, links = store.trace(alone.id, "down", _FAR)
        assert [node.id for node in nodes] == [alone.id]
        assert links == []
