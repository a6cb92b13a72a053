"""The graph's verbs over a transport."""

from typing import Any, TypedDict

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.lineage.types import (
    Artifact,
    Direction,
    Edge,
    Graph,
    NewArtifact,
    NewRun,
    Run,
    RunAmendment,
    RunFilter,
    RunState,
)


class _EdgeAndArtifact(TypedDict):
    edge: Edge
    artifact: Artifact


class Runs:
    """Runs, artifacts, and what came from what."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start_run(self, new: NewRun) -> Run:
        """Open a run."""
        return self._transport.send("POST", "/runs", body=new).read(Run)

    def change_run(
        self, run_id: str, state: RunState, *, labels: dict[str, str] | None = None
    ) -> Run:
        """Move an open run to another open state, or label it."""
        body = {"state": state, "labels": labels}
        return self._transport.send("PATCH", f"/runs/{run_id}", body=body).read(Run)

    def finish_run(
        self,
        run_id: str,
        state: RunState = "done",
        *,
        resources: dict[str, float] | None = None,
        error: dict[str, Any] | None = None,
    ) -> Run:
        """Close a run; an `error` says in `message` why it failed, in `hint` what to do."""
        body = {"state": state, "resources": resources, "error": error}
        return self._transport.send("POST", f"/runs/{run_id}/finish", body=body).read(Run)

    def reopen_run(self, run_id: str) -> Run:
        """Let a run that failed or was stopped go on."""
        return self._transport.send("POST", f"/runs/{run_id}/reopen").read(Run)

    def amend_run(self, run_id: str, amendment: RunAmendment) -> Run:
        """Correct a run whose work is done elsewhere."""
        path = f"/runs/{segment(run_id)}/amend"
        return self._transport.send("POST", path, body=amendment).read(Run)

    def run(self, run_id: str) -> Run:
        """One run."""
        return self._transport.send("GET", f"/runs/{segment(run_id)}").read(Run)

    def runs(self, query: RunFilter | None = None) -> list[Run]:
        """Runs, newest first."""
        asked = query or RunFilter()
        fields = {name: getattr(asked, name) for name in RunFilter.__dataclass_fields__}
        return self._transport.send("GET", "/runs", query=fields).read(list[Run])

    def edges(self, run_id: str) -> list[tuple[Edge, Artifact]]:
        """What a run consumed and produced."""
        found = self._transport.send("GET", f"/runs/{run_id}/edges").read(list[_EdgeAndArtifact])
        return [(item["edge"], item["artifact"]) for item in found]

    def consumed(self, run_id: str, artifact_id: str, as_: str) -> None:
        """Note that a run used an artifact under a name."""
        body = {"artifact": artifact_id, "as_": as_}
        self._transport.send("POST", f"/runs/{run_id}/consumed", body=body)

    def produced(self, run_id: str, artifact_id: str, as_: str) -> None:
        """Note that a run made an artifact under a name."""
        body = {"artifact": artifact_id, "as_": as_}
        self._transport.send("POST", f"/runs/{run_id}/produced", body=body)

    def record(self, new: NewArtifact) -> Artifact:
        """Record an artifact."""
        return self._transport.send("POST", "/artifacts", body=new).read(Artifact)

    def artifact(self, artifact_id: str) -> Artifact:
        """One artifact."""
        return self._transport.send("GET", f"/artifacts/{artifact_id}").read(Artifact)

    def resolve(self, reference: str) -> Artifact:
        """The artifact that a reference (`dataset:churn@3`) names at this moment."""
        answer = self._transport.send("GET", "/resolve", query={"reference": reference})
        return answer.read(Artifact)

    def trace(self, root: str, direction: Direction = "up") -> Graph:
        """All that a run or an artifact came from, or all that was made of it."""
        answer = self._transport.send(
            "GET", f"/lineage/{segment(root)}", query={"direction": direction}
        )
        return answer.read(Graph)
